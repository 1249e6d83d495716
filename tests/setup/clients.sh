#!/usr/bin/env bash
# Prepares the real programs that tests talk to: a Python environment with LiteLLM and the MCP client, and Claude Code.
# They live in the cache folder, in a folder named by the hash of the files they are made from, so that they are made once.
# Prints two lines, the folder of the Python environment and the Claude Code program; everything else goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "$0")/../clients" && pwd)
cache=${ROUTING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/routing}

hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# once FOLDER COMMAND…: runs the command, which fills the folder given as its last argument, unless that was done before.
# A folder without `.complete` is of an interrupted run and made anew; the lock keeps two runs from making it at once.
once() {
    local folder=$1 began=$SECONDS
    shift
    mkdir -p "$(dirname "$folder")"
    (
        flock 9
        if [ ! -e "$folder/.complete" ]; then
            rm -rf "$folder"
            "$@" "$folder" >&2
            touch "$folder/.complete"
            echo "prepared $(basename "$folder") in $((SECONDS - began)) s" >&2
        fi
    ) 9>"$folder.lock"
}

make_venv() {
    echo "installing LiteLLM and the Python MCP client (about 750 MB, one to three minutes) …"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" -c "$here/constraints.txt"
}

make_claude() {
    echo "installing Claude Code (about 360 MB) …"
    mkdir -p "$1"
    cp "$here/package.json" "$here/package-lock.json" "$1/"
    # Its engine field wants a newer Node than its native program needs; no install script has to run.
    npm ci --prefix "$1" --no-audit --no-fund --ignore-scripts --engine-strict=false --loglevel=error
}

python_version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv="$cache/venv-$python_version-$(hash_of "$here/requirements.txt" "$here/constraints.txt")"
claude="$cache/claude-$(hash_of "$here/package-lock.json")"
once "$venv" make_venv
once "$claude" make_claude

program=$(find "$claude/node_modules/@anthropic-ai" -maxdepth 2 -type f -name claude -path '*claude-code-linux*' | head -n 1)
if [ ! -x "$program" ]; then
    echo "Claude Code has no program for this machine ($(uname -sm)); it is an optional package of @anthropic-ai/claude-code" >&2
    exit 1
fi
echo "$venv"
echo "$program"
