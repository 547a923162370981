#!/bin/sh
# Verifies an image by its digest before it is deployed: 0 verified, 2 not, 3 registry out of reach, 4 unusable input.
#
# IMAGE         the image
# TRUST_KEY     the key ring, or the public keys, whose signatures are believed
#
# The image by its digest is the last line of the output: deploy that, not the tag.

set -eu

: "${IMAGE:?IMAGE names the image}" "${TRUST_KEY:?TRUST_KEY names whose signatures are believed}"
image=$(qapi image triangulate --type digest "$IMAGE")
qapi image verify "$image" --key "$TRUST_KEY"
echo "$image"
