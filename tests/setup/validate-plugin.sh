#!/usr/bin/env bash
# Has Claude Code check the plugin and the marketplace of this repository. It reaches no network and no home but an empty
# one. Prints what it says only if it refuses them.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
claude=$("$root/tests/setup/claude.sh")
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
for part in "$root/plugin" "$root"; do
    if ! said=$(HOME=$home DISABLE_AUTOUPDATER=1 CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 "$claude" plugin validate "$part" 2>&1); then
        printf '%s\n' "$said" >&2
        exit 1
    fi
done
echo "claude plugin validate: plugin and marketplace are valid"
