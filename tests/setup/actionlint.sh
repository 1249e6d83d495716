#!/usr/bin/env bash
# Builds actionlint, which checks the workflows, from its Go module. Prints one line, the program's path; everything
# else goes to stderr.
set -euo pipefail

. "$(dirname "$0")/go.sh"
module=$setup/../lint

make_actionlint() {
    echo "building actionlint from its Go module …"
    cd "$module"
    go_build -ldflags '-s -w' -o "$1/" tool
}

folder="$cache/actionlint-$(hash_of "$setup/actionlint.sh" "$module/go.mod" "$module/go.sum")"
once "$folder" make_actionlint
echo "$folder/actionlint"
