#!/usr/bin/env bash
# Builds an OpenTelemetry collector from its Go modules, for the tests. Prints one line, the program's path; everything
# else goes to stderr.
set -euo pipefail

. "$(dirname "$0")/go.sh"
module=$setup/../collector

make_collector() {
    echo "building an OpenTelemetry collector from its Go modules (one to three minutes) …"
    cd "$module"
    go_build -ldflags '-s -w' -o "$1/collector" .
}

folder="$cache/collector-$(hash_of "$setup/collector.sh" "$module/go.mod" "$module/go.sum" "$module/main.go")"
once "$folder" make_collector
echo "$folder/collector"
