#!/usr/bin/env bash
# Fetches what Sigstore itself verifies and tests with, and prints the folder it lies in. Go and Node are those of
# scripts/peers.sh. A folder that is complete is not made again; versions are pinned here and in tests/interop/peers/sigstore.
#
# The folder holds bin/node, which finds @sigstore/verify from wherever a program lies, and bin/plugin-suite, Sigstore's tests
# for plug-ins of others.

. "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
. scripts/go.sh

SOURCES=tests/interop/peers/sigstore
PINNED=("$SOURCES/package.json" "$SOURCES/package-lock.json")
# MODULE@VERSION:PACKAGE:TAGS
SUITE=github.com/sigstore/sigstore@v1.11.3:pkg/signature/kms/cliplugin:signer_program
# Others share the folder of peers.sh: it is asked for first, and waits for whoever makes it.
PEERS=$(scripts/peers.sh)

# Another recipe, another list of versions or another runtime is another folder.
FOLDER=$TOOLS/sigstore-$({ cat scripts/fetch.sh scripts/go.sh scripts/sigstore.sh "${PINNED[@]}" && echo "$PEERS"; } | sha256sum | cut -c 1-16)

main() {
    mkdir -p "$FOLDER/bin"
    # Two runs at once would unpack into each other.
    exec 9>"$FOLDER/lock"
    flock 9
    once npm install_npm
    once plugin-suite go_program plugin-suite go_tests "$SUITE"
    once clean go_clean
    echo "$FOLDER"
}

install_npm() {
    unpack_npm "${PINNED[@]}"
    export_command node "env NODE_PATH=$FOLDER/node_modules" "$PEERS/bin/node"
}

main
