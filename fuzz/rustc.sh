#!/usr/bin/env bash
# The compiler for this project's crates under `make fuzz`: with the coverage that guides libFuzzer. These are the flags of
# `cargo fuzz`, without its sanitizers: there is no unsafe code here, and stable Rust has none.
# Cargo calls it (RUSTC_WORKSPACE_WRAPPER) as: rustc.sh RUSTC ARGUMENT…
set -euo pipefail

flags=(--cfg fuzzing -C passes=sancov-module)
for argument in level=4 inline-8bit-counters pc-table trace-compares; do
    flags+=(-C "llvm-args=-sanitizer-coverage-$argument")
done
exec "$@" "${flags[@]}"
