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
