#!/usr/bin/env bash
# Makes the foreign registries and signing tools that the tests talk to and prints the folder they lie in. It waits for
# scripts/peers.sh, whose Go builds them. A folder that is complete is not made again; versions are pinned here.
#
# The folder holds bin/registry (distribution 3), registry2 and skopeo of Debian 13, registry-peer (two registries that list
# referrers, tests/interop/peers/registries), cosign2, cosign3, crane and syft.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SUITE=trixie
DEBIAN_PACKAGES=(docker-registry skopeo)
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
SOURCES=tests/interop/peers/registries
# NAME PACKAGE@VERSION. The shortest build comes first.
PROGRAMS=(
    "crane github.com/google/go-containerregistry/cmd/crane@v0.22.1"
    "registry github.com/distribution/distribution/v3/cmd/registry@v3.1.2"
    "cosign2 github.com/sigstore/cosign/v2/cmd/cosign@v2.4.1"
    "cosign3 github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"
)

PEERS=$(scripts/peers.sh)
TOOLS=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/qapi-tools
# Another recipe, another source or another compiler is another folder.
REGISTRIES=$TOOLS/registries-$({ cat scripts/registries.sh "$SOURCES"/* && "$PEERS/bin/go" version; } | sha256sum | cut -c 1-16)

main() {
    mkdir -p "$REGISTRIES/bin"
    # Two runs at once would unpack into each other.
    exec 9>"$REGISTRIES/lock"
    flock 9
    local entry
    once debian unpack_debian
    once index install_index
    once registry-peer build_registry_peer
    for entry in "${PROGRAMS[@]}"; do
        # shellcheck disable=SC2086 # a name and a package
        once "${entry%% *}" build_program $entry
    done
    once clean remove_caches
    echo "$REGISTRIES"
}

# once NAME FUNCTION ARGUMENT...: runs the function until it has succeeded one time.
once() {
    local name=$1 began=$SECONDS
    shift
    [ -e "$REGISTRIES/$name.done" ] && return 0
    "$@" >&2
    touch "$REGISTRIES/$name.done"
    echo "registries: $name made in $((SECONDS - began)) s" >&2
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

# Debian 13's packages with all they need, in a folder of their own, whatever Debian this is.
unpack_debian() {
    local system=$REGISTRIES/debian apt=$REGISTRIES/apt archive
    rm -rf "$system" "$apt"
    mkdir -p "$system" "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$(mirror)" "$SUITE" "$KEYRING" \
        >"$apt/debian.sources"
    local get=(apt-get -qq -o "Dir::Etc::sourcelist=$apt/debian.sources" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State=$apt/state" -o "Dir::Cache=$apt/cache" -o "Dir::State::status=$apt/status"
        -o "APT::Sandbox::User=$(id -un)")
    "${get[@]}" update
    "${get[@]}" install --yes --download-only --no-install-recommends "${DEBIAN_PACKAGES[@]}"
    for archive in "$apt"/cache/archives/*.deb; do
        dpkg-deb --extract "$archive" "$system"
    done
    rm -rf "$apt"
    wrap registry2 usr/bin/docker-registry
    wrap skopeo usr/bin/skopeo
}

# The mirror this machine takes its own packages from.
mirror() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016 # apt fills these in
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v codename="$codename" '$2 == codename && $3 == "main" { print $1; found = 1; exit } END { exit !found }'
}

# wrap NAME PATH: a command that runs the unpacked program with the loader and the libraries it came with.
wrap() {
    local system=$REGISTRIES/debian libraries loader
    libraries=$(dirname "$(find "$system/usr/lib" -name 'libc.so.6' | head -n 1)")
    loader=$(find "$system/usr" -name 'ld-linux*.so.*' | head -n 1)
    export_command "$1" "$loader --library-path $libraries" "$system/$2"
}

# export_command NAME WORD...: a command of that name that runs the words.
export_command() {
    local name=$1
    shift
    printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$REGISTRIES/bin/$name"
    chmod +x "$REGISTRIES/bin/$name"
}

main
