#!/usr/bin/env bash
# Prepares Claude Code in the cache folder and prints the path of its program.
set -euo pipefail

. "$(dirname "$0")/npm.sh"
here=$setup/../clients

make_claude() {
    echo "installing Claude Code, Codex and the MCP clients of npm (about 830 MB) …"
    npm_install "$here" "$1"
}

claude="$cache/claude-$(hash_of "$here/package-lock.json")"
once "$claude" make_claude
program=$(find "$claude/node_modules/@anthropic-ai" -maxdepth 2 -type f -name claude -path '*claude-code-linux*' |
    head -n 1)
if [ ! -x "$program" ]; then
    echo "Claude Code has no program for this machine ($(uname -sm));" \
        "it is an optional package of @anthropic-ai/claude-code" >&2
    exit 1
fi
echo "$program"
