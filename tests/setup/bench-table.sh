#!/usr/bin/env bash
# Puts what the benchmarks printed into the tables of README.md and docs/benchmarks.md, between their marks. With `check` it
# changes nothing, and fails, with the difference, if a table is another.
set -euo pipefail

cd "$(dirname "$0")/../.."
results=bench/results

# of WHAT FILE: what the file's line of this name says, such as its host.
of() {
    sed -n "/^$1: /{s///p;q;}" "$results/$2"
}

# Where these files were measured, and of which commit.
origins() {
    local file commit
    for file in "$@"; do
        commit=$(of commit "$file")
        echo "* \`$file\`: $(of host "$file"), ${commit:+commit }${commit:-by an earlier version of this benchmark}"
    done
    echo
}

# The rows of a file. Those of an earlier version get the words of this one, and p50 and processor time are judged by the median.
rows() {
    if [ -n "$(of commit "$1")" ]; then
        grep '^| ' "$results/$1"
        return
    fi
    grep '^| ' "$results/$1" | sed -E '
        s/prompts of ([0-9.]+ KiB)/argument of \1/
        s/local model ([0-9]+):/local model answers \1:/
        s/([0-9])(ms|s),/\1 \2,/g
    ' | awk '
        !/, p99,/ && match($0, /median [0-9.]+/) {
            median = substr($0, RSTART + 7, RLENGTH - 7) + 0
            if (match($0, /< [0-9.]+/)) {
                limit = substr($0, RSTART + 2, RLENGTH - 2) + 0
                sub(/: (met|missed)/, median < limit ? ": met" : ": missed")
            }
        }
        { print }
    '
}

measured() {
    origins calls.txt failover.txt
    printf '| | measured | goal |\n|---|---|---|\n'
    rows calls.txt
    rows failover.txt
}

# What is described, but was not measured yet.
missing() {
    local file names=
    for file in operator.txt campaign.txt faults.txt; do
        [ -e "$results/$file" ] || names+="${names:+, }\`$file\`"
    done
    [ -z "$names" ] || echo "Not in \`$results\` yet: $names."
}

# Of each rate and path the median of the rounds; the calls of all rounds together.
percentiles() {
    origins calls.txt
    printf '| calls/s | path | answered | failed | p50 | p99 | p99.9 |\n|---:|---|---:|---:|---:|---:|---:|\n'
    awk '
        function median(values, count,   i, j, held) {
            for (i = 2; i <= count; i++)
                for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
                    held = values[j]; values[j] = values[j - 1]; values[j - 1] = held
                }
            return values[int((count + 1) / 2)]
        }
        function of(what, cell,   i, list) {
            for (i = 1; i <= rounds[cell]; i++) list[i] = all[what, cell, i]
            return sprintf("%.2f ms", median(list, rounds[cell]))
        }
        $2 == "round" && $12 == "p50" {
            cell = substr($1, 1, length($1) - 3) " | " substr($4, 1, length($4) - 1)
            if (!(cell in rounds)) cells[++known] = cell
            round = ++rounds[cell]
            answered[cell] += $5; failed[cell] += $7
            all["p50", cell, round] = $13 + 0; all["p99", cell, round] = $16 + 0; all["p99.9", cell, round] = $19 + 0
        }
        END {
            for (i = 1; i <= known; i++) {
                cell = cells[i]
                print "| " cell " | " answered[cell] " | " failed[cell] " | " of("p50", cell) " | " of("p99", cell) " | " of("p99.9", cell) " |"
            }
        }
    ' $results/calls.txt
}

soak() {
    origins soak.txt
    sed -n '/^[0-9]* calls.s for /{p;q;}' $results/soak.txt
    echo
    sed -n '/^| minute/{p;s/[^|]\{1,\}/---:/gp}; /^| [0-9]/p' $results/soak.txt
    echo
    # What is said of all minutes, and of those with a crash.
    sed -n '/^\(killed\|memory\|descriptors\|connections\|records\|log\)/s/^/* /p' $results/soak.txt
}

# What the profile ranks.
costs() {
    origins profile.txt
    sed -n '/^[0-9]*\. /p' $results/profile.txt
}

# put FILE NAME: the file with the lines of its standard input between the marks of this name.
put() {
    awk -v begin="<!-- $2: begin" -v end="<!-- $2: end" '
        FILENAME == "-" { lines = lines $0 "\n"; next }
        index($0, begin) == 1 { print; printf "%s", lines; skipped = 1 }
        index($0, end) == 1 { skipped = 0 }
        !skipped { print }
    ' - "$1"
}

made=$(mktemp -d)
trap 'rm -r "$made"' EXIT
measured | put README.md bench >"$made/README.md"
missing | put docs/benchmarks.md missing >"$made/missing.md"
percentiles | put "$made/missing.md" percentiles >"$made/percentiles.md"
soak | put "$made/percentiles.md" soak >"$made/soak.md"
costs | put "$made/soak.md" costs >"$made/benchmarks.md"
if [ "${1:-}" = check ]; then
    if ! { diff README.md "$made/README.md" && diff docs/benchmarks.md "$made/benchmarks.md"; }; then
        echo "a table is not that of $results: run tests/setup/bench-table.sh"
        exit 1
    fi
else
    cat "$made/README.md" >README.md
    cat "$made/benchmarks.md" >docs/benchmarks.md
fi
