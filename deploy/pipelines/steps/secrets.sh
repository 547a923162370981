#!/bin/sh
# Fetches secrets of the vault by their ids into this job, masked in its log, and fails before anything is built when the
# vault does not answer. Nothing is written to a disk.
#
# usage: secrets.sh VARIABLE=ID...
#
# On Azure DevOps the values become secret variables of the job. On GitHub they are masked; GitLab masks what its variables
# are marked with. There, run programs with their secrets by `qapi run --env VARIABLE=ID -- PROGRAM`: files such as GITHUB_ENV
# lie on the runner's disk.

set -eu

escaped() {
    # As Azure DevOps wants it within a command: %, then the line ends.
    printf '%s' "$1" | awk 'BEGIN { ORS = "" } { if (NR > 1) print "%0A"; gsub(/%/, "%AZP25"); gsub(/\r/, "%0D"); print }'
}

for pair in "$@"; do
    variable=${pair%%=*} id=${pair#*=}
    # An assignment of its own: its status is the command's.
    value=$(qapi vault get "$id")
    if [ -n "${TF_BUILD:-}" ]; then
        printf '##vso[task.setvariable variable=%s;issecret=true]%s\n' "$variable" "$(escaped "$value")"
    elif [ -n "${GITHUB_ACTIONS:-}" ]; then
        printf '%s\n' "$value" | while IFS= read -r line; do
            [ -z "$line" ] || printf '::add-mask::%s\n' "$line"
        done
    fi
    echo "$variable is at hand"
done
