#!/bin/sh
# Runs a program that is signed on at a registry, with the password on no disk: the program asks `docker-credential-job` beside
# this file, as docker, crane, syft, trivy and qapi do, and that answers from the environment of this process.
#
# usage: signed-on.sh PROGRAM ARGUMENT...
#
# REGISTRY_HOST       the registry, as names of images have it
# REGISTRY_USERNAME   the name there; without one nobody signs on
# REGISTRY_SECRET     the id of the vault's secret with the password; or
# REGISTRY_PASSWORD   the password, where the system hands it over and masks it

set -eu

if [ -z "${REGISTRY_USERNAME:-}" ]; then
    exec "$@"
fi
: "${REGISTRY_HOST:?REGISTRY_HOST names the registry}"
if [ -z "${REGISTRY_PASSWORD:-}" ]; then
    : "${REGISTRY_SECRET:?REGISTRY_SECRET names the secret with the password}"
    REGISTRY_PASSWORD=$(qapi vault get "$REGISTRY_SECRET")
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
DOCKER_CONFIG=$(mktemp -d)
trap 'rm -rf "$DOCKER_CONFIG"' EXIT
printf '{"credHelpers":{"%s":"job"}}\n' "$REGISTRY_HOST" >"$DOCKER_CONFIG/config.json"
export REGISTRY_USERNAME REGISTRY_PASSWORD DOCKER_CONFIG
PATH=$here:$PATH
export PATH
"$@"
