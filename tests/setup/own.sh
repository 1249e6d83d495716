#!/usr/bin/env bash
# Makes the compiled code in CARGO_TARGET_DIR, which `make` sets, this checkout's own. Cargo takes what another checkout
# built of the project's crates for this one's when its files are the older ones, so that is thrown away; what the
# crates depend on stays. Prints nothing.
set -euo pipefail

: "${CARGO_TARGET_DIR:?must be set, as make does}"
cd "$(dirname "$0")/../.."
checkout=$(pwd -P)
mark=$CARGO_TARGET_DIR/checkout

mkdir -p "$CARGO_TARGET_DIR"
if [ "$(cat "$mark" 2>/dev/null)" != "$checkout" ]; then
    for profile in dev release; do
        cargo --locked clean --quiet --profile "$profile" \
            --package crds --package endpoint --package brain --package dataplane --package operator --package tests
    done
    echo "$checkout" >"$mark"
fi
