#!/bin/sh
# Verifies all images of an environment under its policy before a deploy: 0 verified, 2 not, 3 a registry or the server out of
# reach, 4 the usage, the policy or the versions file. It never passes for want of something.
#
# VERSIONS       the environment's versions file; the digests that were verified are written into it
# POLICY         the policy
# ENVIRONMENT    where the images are to run, as the policy calls it
# REPORTS        a folder for gate.json, gate.xml (JUnit), gate.sarif and images.txt; `.` unless given
#
# images.txt has a line `REPOSITORY@DIGEST NAME` for each image: deploy those, not the tags. It is empty when anything is refused.
# In an emergency QAPI_GATE_TICKET has a ticket (`qapi gate ticket issue`); COSIGN_VERIFY_DISABLED=true alone does nothing.

set -eu

: "${VERSIONS:?VERSIONS names the versions file}" "${POLICY:?POLICY names the policy}"
: "${ENVIRONMENT:?ENVIRONMENT names where the images are to run}"
reports=${REPORTS:-.}
mkdir -p "$reports"
# What an earlier run has left is not what this one verifies.
rm -f "$reports/images.txt"
qapi gate verify --versions "$VERSIONS" --policy "$POLICY" --environment "$ENVIRONMENT" --lock \
    --report "images=$reports/images.txt" --report "json=$reports/gate.json" \
    --report "junit=$reports/gate.xml" --report "sarif=$reports/gate.sarif"
