#!/usr/bin/env bash
# Puts the rows that the benchmarks printed into the table of the README, between its marks. Prints nothing.
set -euo pipefail

cd "$(dirname "$0")/../.."
awk '
    FILENAME != "README.md" { if (/^\| /) rows = rows $0 "\n"; next }
    /^<!-- bench: begin/ { print; print "| | measured | goal |\n|---|---|---|"; printf "%s", rows; skipped = 1 }
    /^<!-- bench: end/ { skipped = 0 }
    !skipped { print }
' bench/results/calls.txt bench/results/failover.txt README.md >README.md.new
mv README.md.new README.md
