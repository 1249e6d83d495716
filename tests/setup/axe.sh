#!/usr/bin/env bash
# Prepares axe-core, which examines pages for readers with a keyboard or a screen reader, in the cache folder and prints
# the path of its script.
set -euo pipefail

. "$(dirname "$0")/npm.sh"
here=$setup/../clients/page

# A folder of its own: those of Claude Code are large, and a new version here must not fetch them again.
axe="$cache/axe-$(hash_of "$here/package-lock.json")"
once "$axe" npm_install "$here"
echo "$axe/node_modules/axe-core/axe.min.js"
