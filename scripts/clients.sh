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
CLIENTS=$TOOLS/clients-$({ cat scripts/fetch.sh scripts/clients.sh "${PINNED[@]}" && echo "$PEERS"; } | sha256sum | cut -c 1-16)
FOLDER=$CLIENTS

main() {
    mkdir -p "$CLIENTS/bin"
    # Two runs at once would unpack into each other.
    exec 9>"$CLIENTS/lock"
    flock 9
    once npm install_npm
    once index install_index
    echo "$CLIENTS"
}

# The libraries as locked, without running what they would like to run.
install_npm() {
    local npm
    npm=$("$PEERS/bin/node" -p 'require("path").resolve(process.execPath, "../../lib/node_modules/npm/bin/npm-cli.js")')
    cp "${PINNED[@]}" "$CLIENTS/"
    (cd "$CLIENTS" && "$PEERS/bin/node" "$npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    # ML-DSA is what these programs are here for, and Node calls it experimental at every start.
    printf '#!/bin/sh\nexec %s --disable-warning=ExperimentalWarning --import %s "$@"\n' \
        "$PEERS/bin/node" "$CLIENTS/libraries.mjs" >"$CLIENTS/bin/node"
    chmod +x "$CLIENTS/bin/node"
}

install_index() {
    python3 -m venv --clear "$CLIENTS/venv"
    "$CLIENTS/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$SOURCES/requirements.txt"
    printf '#!/bin/sh\nexec %s -B "$@"\n' "$CLIENTS/venv/bin/python" >"$CLIENTS/bin/python"
    chmod +x "$CLIENTS/bin/python"
}

main
