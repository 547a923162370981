#!/bin/sh
# Signs an image by its digest with all its platforms, and attests its bill of materials.
#
# IMAGE         the image that was pushed
# SIGN_KEY      what signs: a key ring, qapi://ID, env://NAME; without one at hand the image is left unsigned, with a warning
# ATTEST_KEY    what attests; another key than SIGN_KEY
#
# A signature that is refused ends the job: what is not signed is not deployed. A bill of materials that cannot be made is a
# warning. The image by its digest is the last line of the output.

set -eu

: "${IMAGE:?IMAGE names the image}" "${SIGN_KEY:?SIGN_KEY names what signs}"
image=$(qapi image triangulate --type digest "$IMAGE")
qapi image sign "$image" --key "$SIGN_KEY"
if [ -n "${ATTEST_KEY:-}" ]; then
    bom=$(mktemp -d)/sbom.cdx.json
    qapi sbom generate "registry:$image" --out "$bom"
    qapi image attest "$image" --type cyclonedx --predicate "$bom" --if-present --key "$ATTEST_KEY"
    rm -rf "${bom%/*}"
fi
echo "$image"
