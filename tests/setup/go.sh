# How Go programs are built here: sourced by the scripts that build them. It sources once.sh, and sets `setup`, the
# folder of these scripts.
# shellcheck shell=bash

setup=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$setup/once.sh"

# Without ",direct": a module that the proxy does not have would be requested from its Git host for minutes.
proxy=$(go env GOPROXY)
export GOPROXY=${proxy%,direct}

# go_build ARGUMENT…: static programs, with the same flags for all, so that what they share is compiled once.
go_build() { CGO_ENABLED=0 go build -trimpath "$@"; }

# go_program NAME MODULE: builds the program of a module, once, and prints its path; everything else goes to stderr.
go_program() {
    local name=$1 module=$2 folder
    folder="$cache/$name-$(hash_of "$setup/go.sh" "$module/go.mod" "$module/go.sum" "$module/main.go")"
    once "$folder" make_go_program "$name" "$module"
    echo "$folder/$name"
}

make_go_program() { # NAME MODULE FOLDER
    echo "building $1 from its Go modules (up to three minutes) …"
    cd "$2" || return
    go_build -ldflags '-s -w' -o "$3/$1" .
}
