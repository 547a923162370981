#!/usr/bin/env bash
# Makes the foreign registries and signing tools that the tests talk to and prints the folder they lie in. It waits for
# scripts/peers.sh, whose Go builds them. A folder that is complete is not made again; versions are pinned here.
#
# The folder holds bin/registry (distribution 3), registry2 and skopeo of Debian 13, registry-peer (two registries that list
# referrers, tests/interop/peers/registries), cosign2, cosign3, crane and syft.

. "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
. scripts/go.sh

SOURCES=tests/interop/peers/registries
CRANE=github.com/google/go-containerregistry/cmd/crane@v0.22.1
REGISTRY=github.com/distribution/distribution/v3/cmd/registry@v3.1.2
COSIGN2=github.com/sigstore/cosign/v2/cmd/cosign@v2.4.1
COSIGN3=github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3

PEERS=$(scripts/peers.sh)
# Another recipe, another source or another compiler is another folder.
FOLDER=$TOOLS/registries-$({
    cat scripts/fetch.sh scripts/go.sh scripts/registries.sh "$SOURCES"/* && echo "$PEERS"
} | sha256sum | cut -c 1-16)

main() {
    mkdir -p "$FOLDER/bin"
    # Two runs at once would unpack into each other.
    exec 9>"$FOLDER/lock"
    flock 9
    once debian install_debian
    once index install_index
    once registry-peer go_program registry-peer build_registry_peer "$SOURCES@$(cat "$SOURCES"/* | sha256sum)"
    once crane go_program crane go_install "$CRANE"
    once registry go_program registry go_install "$REGISTRY"
    # The long ones side by side: while one waits for its modules, the other compiles.
    once cosign2 go_program cosign2 go_install "$COSIGN2" &
    local other=$!
    once cosign3 go_program cosign3 go_install "$COSIGN3"
    wait "$other"
    once clean go_clean
    echo "$FOLDER"
}

build_registry_peer() {
    (cd "$SOURCES" && go build "${GO_BUILD[@]}" "${GO_CHEAPER[@]}" -o "$2" .)
}

install_index() {
    local venv=$FOLDER/venv
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$SOURCES/requirements.txt"
    export_command syft "$venv/bin/syft"
}

install_debian() {
    unpack_debian docker-registry skopeo
    wrap registry2 usr/bin/docker-registry
    wrap skopeo usr/bin/skopeo
}

main
