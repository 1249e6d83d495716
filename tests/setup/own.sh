#!/usr/bin/env bash
# Removes the project's crates from CARGO_TARGET_DIR, which `make` sets, if another checkout built them: Cargo would
# take them for this checkout's if its files are older. What the crates depend on stays, unless a test or a benchmark has
# the name of such a crate, which `make lint` forbids. Prints nothing.
set -euo pipefail

: "${CARGO_TARGET_DIR:?must be set, as make does}"
cd "$(dirname "$0")/../.."
checkout=$(pwd -P)
mark=$CARGO_TARGET_DIR/checkout

mkdir -p "$CARGO_TARGET_DIR"
if [ "$(cat "$mark" 2>/dev/null)" != "$checkout" ]; then
    for profile in dev release; do
        cargo --locked clean --quiet --profile "$profile" \
            --package crds --package endpoint --package brain --package dataplane --package operator --package tests --package fuzz
    done
    echo "$checkout" >"$mark"
fi
