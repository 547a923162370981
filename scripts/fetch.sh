# shellcheck shell=bash disable=SC2034 # the sourcing script reads TOOLS
# Sourced by the scripts that fetch foreign programs. Each makes one folder, FOLDER, with commands in FOLDER/bin.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SUITE=trixie
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
TOOLS=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/qapi-tools

# once NAME FUNCTION ARGUMENT...: runs the function until it has succeeded one time.
once() {
    local name=$1 began=$SECONDS kind
    shift
    [ -e "$FOLDER/$name.done" ] && return 0
    "$@" >&2
    touch "$FOLDER/$name.done"
    kind=${FOLDER##*/}
    echo "${kind%-*}: $name made in $((SECONDS - began)) s" >&2
}

# unpack_debian PACKAGE...: Debian 13's packages with all they need, in a folder of their own, whatever Debian this is: apt is
# told of an empty system there, and checks signatures with the keyring of the real one.
unpack_debian() {
    local system=$FOLDER/debian apt=$FOLDER/apt archive
    rm -rf "$system" "$apt"
    mkdir -p "$system" "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$(mirror)" "$SUITE" "$KEYRING" \
        >"$apt/debian.sources"
    local get=(apt-get -qq -o "Dir::Etc::sourcelist=$apt/debian.sources" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State=$apt/state" -o "Dir::Cache=$apt/cache" -o "Dir::State::status=$apt/status"
        -o "APT::Sandbox::User=$(id -un)")
    "${get[@]}" update
    "${get[@]}" install --yes --download-only --no-install-recommends "$@"
    for archive in "$apt"/cache/archives/*.deb; do
        dpkg-deb --extract "$archive" "$system"
    done
    rm -rf "$apt"
}

# The mirror this machine takes its own packages from.
mirror() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v codename="$codename" '$2 == codename && $3 == "main" { print $1; found = 1; exit } END { exit !found }'
}

# unpack_npm FILE...: the libraries of a package.json and its lock, as locked, without running what they would like to run. Node is
# that of scripts/peers.sh, whose folder stands in PEERS.
unpack_npm() {
    local npm
    npm=$("$PEERS/bin/node" -p 'require("path").resolve(process.execPath, "../../lib/node_modules/npm/bin/npm-cli.js")')
    cp "$@" "$FOLDER/"
    (cd "$FOLDER" && "$PEERS/bin/node" "$npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error)
}

# wrap NAME PATH: a command that runs the unpacked program with the loader and the libraries it came with.
wrap() {
    export_command "$1" "$(with_its_libraries)" "$FOLDER/debian/$2"
}

# wrap_in_place PATH...: the same for programs that look for their files, and for each other, beside themselves.
wrap_in_place() {
    local path program
    for path in "$@"; do
        program=$FOLDER/debian/$path
        mv "$program" "$program.unwrapped"
        write_command "$program" "$(with_its_libraries) --argv0 $program $program.unwrapped"
    done
}

# The words before an unpacked program.
with_its_libraries() {
    local system=$FOLDER/debian libraries loader
    libraries=$(dirname "$(find "$system/usr/lib" -name libc.so.6 | head -n 1)")
    loader=$(find "$system/usr" -name 'ld-linux*.so.*' | head -n 1)
    echo "env OPENSSL_CONF=/dev/null OPENSSL_MODULES=$libraries/ossl-modules $loader --library-path $libraries"
}

# export_command NAME WORD...: a command of that name that runs the words.
export_command() {
    local name=$1
    shift
    write_command "$FOLDER/bin/$name" "$*"
}

# write_command FILE WORDS
write_command() {
    printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$1"
    chmod +x "$1"
}
