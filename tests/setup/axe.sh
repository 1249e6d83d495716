#!/usr/bin/env bash
# Prepares axe-core, which examines pages for readers with a keyboard or a screen reader, in the cache folder and prints
# the path of its script.
set -euo pipefail

setup=$(cd "$(dirname "$0")" && pwd)
here=$(cd "$setup/../clients/page" && pwd)
. "$setup/once.sh"

make_axe() {
    mkdir -p "$1"
    cp "$here/package.json" "$here/package-lock.json" "$1/"
    npm ci --prefix "$1" --no-audit --no-fund --ignore-scripts --loglevel=error
}

# A folder of its own: those of Claude Code are large, and a new version here must not fetch them again.
axe="$cache/axe-$(hash_of "$here/package-lock.json")"
once "$axe" make_axe
echo "$axe/node_modules/axe-core/axe.min.js"
