#!/usr/bin/env bash
# Builds BuildKit's daemon and its client, buildkitd and buildctl, from their Go module, for `make images` and the tests
# on the cluster. Prints one line, the folder of the two; everything else goes to stderr.
set -euo pipefail

. "$(dirname "$0")/go.sh"
buildkit=$setup/../cluster/buildkit

make_buildkit() {
    local module=github.com/moby/buildkit version
    echo "building BuildKit from its Go module (one to four minutes) …"
    cd "$buildkit"
    version=$(go list -m -f '{{.Version}}' "$module")
    mkdir -p "$1"
    go_build -ldflags "-s -w -X $module/version.Version=$version" -o "$1/" tool
}

folder="$cache/buildkit-$(hash_of "$setup/buildkit.sh" "$buildkit/go.mod" "$buildkit/go.sum")"
once "$folder" make_buildkit
echo "$folder"
