# How packages of npm are installed here: sourced by the scripts that need some. It sources once.sh, and sets `setup`,
# the folder of these scripts.
# shellcheck shell=bash

setup=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$setup/once.sh"

# npm_install SOURCE FOLDER: what the lockfile in SOURCE names. No install script has to run; the engine fields of some
# want a newer Node than their programs need.
npm_install() {
    mkdir -p "$2"
    cp "$1/package.json" "$1/package-lock.json" "$2/"
    npm ci --prefix "$2" --no-audit --no-fund --ignore-scripts --engine-strict=false --loglevel=error
}
