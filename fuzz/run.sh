#!/usr/bin/env bash
# Runs libFuzzer on each target, or on those that are named, and prints a table of what it did. Fails if it found
# something. New inputs are kept in the cache folder, so the next run begins with them.
# usage: run.sh SECONDS [TARGET…]
set -euo pipefail

seconds=${1:?usage: run.sh SECONDS [TARGET…]}
shift
checkout=$(cd "$(dirname "$0")/.." && pwd)
. "$checkout/tests/setup/once.sh"
cd "$checkout"

# Of the whole workspace, as the tests build it: what it depends on is compiled already, and stays as it is.
RUSTC_WORKSPACE_WRAPPER=$checkout/fuzz/rustc.sh cargo --locked build --quiet --workspace --bin fuzz
program=${CARGO_TARGET_DIR:-target}/debug/fuzz

targets=("$@")
if [ $# = 0 ]; then mapfile -t targets < <(ls fuzz/corpus); fi

# stat LOG NAME: of the statistics at the log's end.
stat() { sed -n "s/^stat::$2: *//p" "$1" | tail -1; }

printf '%-14s %9s %12s %8s %8s %7s %7s %s\n' target seconds executions per_s coverage inputs MiB findings
found=0
for target in "${targets[@]}"; do
    corpus=$cache/fuzz/corpus/$target findings=$cache/fuzz/findings/$target log=$cache/fuzz/$target.log
    mkdir -p "$corpus" "$findings"
    began=$(date +%s)
    FUZZ_TARGET=$target RUST_BACKTRACE=1 "$program" -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=3072 \
        -print_final_stats=1 -artifact_prefix="$findings/" "$corpus" "fuzz/corpus/$target" >"$log" 2>&1 || true
    if ! grep -q '^Done [0-9]' "$log"; then
        found=1
        result=yes
        echo "$target: see $log" >&2
    else
        result=none
    fi
    covered=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
    inputs=$(sed -n 's/^#.* corp: \([0-9]*\)\/.*/\1/p' "$log" | tail -1)
    printf '%-14s %9s %12s %8s %8s %7s %7s %s\n' "$target" $(($(date +%s) - began)) "$(stat "$log" number_of_executed_units)" \
        "$(stat "$log" average_exec_per_sec)" "${covered:-0}" "${inputs:-0}" "$(stat "$log" peak_rss_mb)" "$result"
done
exit $found
