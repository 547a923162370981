# shellcheck shell=bash disable=SC2034,SC2154 # FOLDER and TOOLS are those of fetch.sh
# Sourced after fetch.sh by the scripts that build programs of others from Go's module proxy, with the Go of scripts/peers.sh,
# whose folder stands in PEERS.
#
# A program depends on its version, the compiler and the way it is called, and on nothing else of a recipe: it lies in a folder
# of its own, and a change elsewhere does not build it again. From nothing, cosign alone is minutes of two cores.

PROGRAMS_FOLDER=$TOOLS/go-programs
GO_BUILD=(-trimpath -buildvcs=false -ldflags '-s -w')
# What makes a build a quarter cheaper and its program no other: no notes for debuggers, which would be stripped, and compilers
# that collect their garbage only when there is much of it.
GO_CHEAPER=(-gcflags=all=-dwarf=false)

# go_program NAME FUNCTION PACKAGE@VERSION: FOLDER/bin/NAME, which the function builds as the file of its second argument
# unless somebody has before.
go_program() {
    local name=$1 build=$2 package=$3 program
    program=$PROGRAMS_FOLDER/$name-$(echo "$build $package $(go version) ${GO_BUILD[*]}" | sha256sum | cut -c 1-16)
    mkdir -p "$PROGRAMS_FOLDER"
    (
        # Folders of two recipes may want it at once.
        flock 8
        if [ ! -x "$program" ]; then
            "$build" "$package" "$program.new"
            mv "$program.new" "$program"
        fi
    ) 8>"$program.lock"
    ln -sfn "$program" "$FOLDER/bin/$name"
}

# Caches of our own, which are removed afterwards, through whatever proxy the user's environment names.
go() {
    env GOTOOLCHAIN=local GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0 GOCACHE="$FOLDER/go-cache" \
        GOMODCACHE="$FOLDER/go-modules" GOGC=off GOMEMLIMIT=1500MiB GOBIN="${GOBIN:-}" "$PEERS/venv/bin/go" "$@"
}

# go_install PACKAGE@VERSION FILE: the command of that package.
go_install() {
    local bin=$FOLDER/go-bin-${2##*/}
    GOBIN=$bin go install "${GO_BUILD[@]}" "${GO_CHEAPER[@]}" "$1"
    mv "$bin"/* "$2"
    rmdir "$bin"
}

# go_tests MODULE@VERSION:PACKAGE:TAGS FILE: the tests of a package, as a program.
go_tests() {
    local module=${1%%:*} rest=${1#*:} folder
    go mod download "$module"
    folder=$(go list -m -f '{{.Dir}}' "$module")
    (cd "$folder" && go test -mod=readonly -c "${GO_BUILD[@]}" "${GO_CHEAPER[@]}" -tags "${rest#*:}" -o "$2" "./${rest%%:*}")
}

# Some gigabytes that nobody needs any more.
go_clean() {
    chmod -R u+w "$FOLDER/go-modules" 2>/dev/null || true
    rm -rf "$FOLDER/go-modules" "$FOLDER/go-cache"
}
