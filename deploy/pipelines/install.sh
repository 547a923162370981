#!/bin/sh
# Installs qapi and sigstore-kms-qapi of one release into a folder, after its checksum was verified.
#
# usage: install.sh -v VERSION -b FOLDER [-s SHA256]
#
# QAPI_RELEASES is where the releases lie: an address with the folder vVERSION/, which holds
# qapi-VERSION-SYSTEM-MACHINE.tar.gz and SHA256SUMS. With -s the archive has to have this checksum, whatever the list beside it
# says: pin it where the version is pinned.

set -eu

fail() {
    echo "error: $1" >&2
    exit 1
}

version='' folder='' pinned=''
while getopts v:b:s: option; do
    case $option in
        v) version=$OPTARG ;;
        b) folder=$OPTARG ;;
        s) pinned=$OPTARG ;;
        *) fail 'usage: install.sh -v VERSION -b FOLDER [-s SHA256]' ;;
    esac
done
[ -n "$version" ] && [ -n "$folder" ] || fail 'usage: install.sh -v VERSION -b FOLDER [-s SHA256]'
case $version in *[!0-9A-Za-z.+-]*) fail "$version is not a version" ;; esac
releases=${QAPI_RELEASES:-}
case $releases in
    https://* | http://127.0.0.1:* | http://localhost:*) ;;
    '') fail 'set QAPI_RELEASES to where the releases lie' ;;
    *) fail "$releases is not https" ;;
esac

system=$(uname -s | tr '[:upper:]' '[:lower:]')
machine=$(uname -m)
case $machine in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; esac
archive=qapi-$version-$system-$machine.tar.gz

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

get() {
    curl --fail --silent --show-error --location --proto-redir '=https' --retry 3 --max-time 300 \
        --output "$work/$1" "$releases/v$version/$1" || fail "$releases/v$version/$1 cannot be fetched"
}

sum() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

get "$archive"
expected=$pinned
if [ -z "$expected" ]; then
    get SHA256SUMS
    expected=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1; exit }' "$work/SHA256SUMS")
    [ -n "$expected" ] || fail "SHA256SUMS does not name $archive"
fi
[ "$(sum "$work/$archive")" = "$expected" ] || fail "$archive has another checksum than $expected"

mkdir "$work/unpacked"
tar -xzf "$work/$archive" -C "$work/unpacked" qapi sigstore-kms-qapi
mkdir -p "$folder"
for program in qapi sigstore-kms-qapi; do
    chmod 755 "$work/unpacked/$program"
    # In one step, so that a program that runs meanwhile is whole.
    mv "$work/unpacked/$program" "$folder/.$program.new"
    mv "$folder/.$program.new" "$folder/$program"
done
"$folder/qapi" version
