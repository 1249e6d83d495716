#!/usr/bin/env bash
# Checks for the tools that a target needs and says how to get those that are missing. Installs nothing.
# usage: tools.sh run|test|lint|apt-line
set -euo pipefail

packages="build-essential ca-certificates curl git make nodejs npm procps python3 python3-venv shellcheck"
apt_line="apt-get update && apt-get install --yes --no-install-recommends $packages"

if [ "${1:-}" = apt-line ]; then
    echo "$apt_line"
    exit 0
fi

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$1"); }

case ${1:-} in
    run) tools="cc curl" ;;
    test) tools="cc curl git mkfifo npm python3" ;;
    lint) tools="cc shellcheck python3" ;;
    *) echo "usage: tools.sh run|test|lint|apt-line" >&2; exit 2 ;;
esac
for tool in $tools; do need "$tool"; done
if [ "$1" = test ] && command -v python3 >/dev/null 2>&1; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=("python3-venv")
fi

status=0
if [ ${#missing[@]} -gt 0 ]; then
    echo "missing: ${missing[*]}" >&2
    echo "on Debian or Ubuntu, as root:  $apt_line" >&2
    status=1
fi
if ! command -v cargo >/dev/null 2>&1; then
    echo "missing: cargo. Install Rust 1.95 or newer with rustup: https://rustup.rs" >&2
    status=1
fi
exit $status
