#!/usr/bin/env bash
# Makes the foreign registries and signing tools that the tests talk to and prints the folder they lie in. It waits for
# scripts/peers.sh, whose Go builds them. A folder that is complete is not made again; versions are pinned here.
#
# The folder holds bin/registry (distribution 3), registry2 and skopeo of Debian 13, registry-peer (two registries that list
# referrers, tests/interop/peers/registries), cosign2, cosign3, crane and syft.

. "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"

SOURCES=tests/interop/peers/registries
# NAME PACKAGE@VERSION. The shortest build comes first.
PROGRAMS=(
    "crane github.com/google/go-containerregistry/cmd/crane@v0.22.1"
    "registry github.com/distribution/distribution/v3/cmd/registry@v3.1.2"
    "cosign2 github.com/sigstore/cosign/v2/cmd/cosign@v2.4.1"
    "cosign3 github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
)

PEERS=$(scripts/peers.sh)
# Another recipe, another source or another compiler is another folder.
REGISTRIES=$TOOLS/registries-$({ cat scripts/fetch.sh scripts/registries.sh "$SOURCES"/* && "$PEERS/bin/go" version; } | sha256sum | cut -c 1-16)
FOLDER=$REGISTRIES

main() {
    mkdir -p "$REGISTRIES/bin"
    # Two runs at once would unpack into each other.
    exec 9>"$REGISTRIES/lock"
    flock 9
    local entry
    once debian install_debian
    once index install_index
    once registry-peer build_registry_peer
    for entry in "${PROGRAMS[@]}"; do
        # shellcheck disable=SC2086 # a name and a package
        once "${entry%% *}" build_program $entry
    done
    once clean remove_caches
    echo "$REGISTRIES"
}

# The Go of the peers, with caches of our own, through whatever proxy the user's environment names.
go() {
    env GOTOOLCHAIN=local GOFLAGS='-mod=mod -trimpath -buildvcs=false' CGO_ENABLED=0 GOBIN="$REGISTRIES/go-bin" \
        GOCACHE="$REGISTRIES/go-cache" GOMODCACHE="$REGISTRIES/go-modules" "$PEERS/venv/bin/go" "$@"
}

build_registry_peer() {
    (cd "$SOURCES" && GOWORK=off go build -ldflags '-s -w' -o "$REGISTRIES/bin/registry-peer" .)
}

build_program() {
    local name=$1 package=$2 built
    go install -ldflags '-s -w' "$package"
    built=${package%@*}
    mv "$REGISTRIES/go-bin/${built##*/}" "$REGISTRIES/bin/$name"
}

# Some gigabytes that nobody needs any more.
remove_caches() {
    chmod -R u+w "$REGISTRIES/go-modules" 2>/dev/null || true
    rm -rf "$REGISTRIES/go-modules" "$REGISTRIES/go-cache" "$REGISTRIES/go-bin"
}

install_index() {
    local venv=$REGISTRIES/venv
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
