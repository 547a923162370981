#!/usr/bin/env bash
# Fetches the OpenID Connect clients that the tests drive and prints the folder they lie in: libraries from npm and from
# the Python package index, each of the version and the digest that tests/interop/peers/oidc pins. The runtime is the Node
# of scripts/peers.sh, the browser is the system's Chromium. A folder that is complete is not made again.
#
# The folder holds bin/node, which finds the libraries from wherever a program lies, and bin/python.

. "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"

SOURCES=tests/interop/peers/oidc
PINNED=("$SOURCES/package.json" "$SOURCES/package-lock.json" "$SOURCES/requirements.txt" "$SOURCES/libraries.mjs")
# Other fetchers share the folder of peers.sh: it is asked for first, and waits for whoever makes it.
PEERS=$(scripts/peers.sh)

# Another recipe, another list of versions or another runtime is another folder.
FOLDER=$TOOLS/clients-$({ cat scripts/fetch.sh scripts/clients.sh "${PINNED[@]}" && echo "$PEERS"; } | sha256sum | cut -c 1-16)

main() {
    mkdir -p "$FOLDER/bin"
    # Two runs at once would unpack into each other.
    exec 9>"$FOLDER/lock"
    flock 9
    once npm install_npm
    once index install_index
    echo "$FOLDER"
}

install_npm() {
    unpack_npm "${PINNED[@]}"
    # ML-DSA is what these programs are here for, and Node calls it experimental at every start.
    export_command node "$PEERS/bin/node" --disable-warning=ExperimentalWarning --import "$FOLDER/libraries.mjs"
}

install_index() {
    python3 -m venv --clear "$FOLDER/venv"
    "$FOLDER/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$SOURCES/requirements.txt"
    export_command python "$FOLDER/venv/bin/python" -B
}

main
