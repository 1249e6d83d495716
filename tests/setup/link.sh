#!/usr/bin/env bash
# Links compiled programs of CARGO_TARGET_DIR, which `make` sets, to target/NAME in this checkout, so that another
# checkout's build does not replace what is running here. Where there can be no link, it copies them. Prints nothing.
# usage: link.sh NAME…
set -euo pipefail

: "${CARGO_TARGET_DIR:?must be set, as make does}"
cd "$(dirname "$0")/../.."

mkdir -p target
for name; do
    program=$CARGO_TARGET_DIR/debug/$name
    ln -f "$program" "target/$name" 2>/dev/null || cp -f "$program" "target/$name"
done
