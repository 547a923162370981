# shellcheck shell=bash disable=SC2034 # the sourcing script reads TOOLS and TARGET
# Sourced by ./start, ./test and .ci/run: installs what a fresh Debian lacks, and times every step.
# Nothing is asked on standard input. As root it installs directly, otherwise through sudo.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
export DEBIAN_FRONTEND=noninteractive
PATH=$PATH:${CARGO_HOME:-${HOME:?HOME is not set}/.cargo}/bin

# Foreign tools are built once per version and shared by all clones.
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}/qapi-tools
TARGET=${CARGO_TARGET_DIR:-$PWD/target}

# step NAME COMMAND...: runs the command and prints what it took.
step() {
    local name=$1 began=$SECONDS
    shift
    printf '== %s\n' "$name"
    "$@"
    printf '== %s: %d s\n' "$name" $((SECONDS - began))
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        # sudo keeps little of the environment.
        sudo env "DEBIAN_FRONTEND=$DEBIAN_FRONTEND" "$@"
    else
        echo "run this as root once, or install sudo: $*" >&2
        return 1
    fi
}

# need_packages PACKAGE...: installs those Debian packages that are not there.
need_packages() {
    local missing=() package
    if ! command -v dpkg-query >/dev/null; then
        echo "not a Debian system; install by hand what these packages hold: $*" >&2
        return 0
    fi
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        echo "all there: $*"
        return 0
    fi
    echo "installing: ${missing[*]}"
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The toolchain version the workspace asks for, as in `rust-version = "1.95"`.
wanted_rust() {
    sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml
}

rust_is_new_enough() {
    local have
    have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
    [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$(wanted_rust)" "$have" | sort -V | head -n 1)" = "$(wanted_rust)" ]
}

# need_rust: rustup from Debian where it is packaged, otherwise from its own installer.
need_rust() {
    if ! rust_is_new_enough; then
        if ! command -v rustup >/dev/null; then
            if [ -n "$(apt-cache madison rustup 2>/dev/null)" ]; then
                need_packages rustup
            else
                curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --no-modify-path
            fi
        fi
        rustup toolchain install stable --profile minimal --no-self-update
        rustup default stable
        rust_is_new_enough || { echo "cargo $(wanted_rust) or newer is needed" >&2; return 1; }
    fi
    cargo --version
}

# need_rust_component NAME: clippy or rustfmt, where the toolchain came without it.
need_rust_component() {
    cargo "${1/rustfmt/fmt}" --version 2>/dev/null || rustup component add "$1"
}
