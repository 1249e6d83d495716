#!/usr/bin/env bash
# Prints the version of this checkout, which is also the tag of its images. At a tag vX.Y.Z it is X.Y.Z. Elsewhere it is
# the workspace's version, followed by the time (UTC) and the id of the commit, 0.1.0-20251124233015.gef27131, and by
# .dirty if files differ from the commit; a new file counts unless Git ignores it.
# usage: version.sh
set -euo pipefail

checkout=$(cd "$(dirname "$0")/../.." && pwd)

fail() {
    echo "version.sh: $1" >&2
    exit 1
}

in_git() { git -C "$checkout" "$@"; }

# The highest version that the commit is tagged with, or nothing.
released() {
    in_git tag --points-at HEAD | sed -n 's/^v\([0-9]\+\.[0-9]\+\.[0-9]\+\)$/\1/p' | sort --version-sort | tail -n 1
}

of_workspace() { sed -n 's/^version = "\(.*\)"$/\1/p' "$checkout/Cargo.toml" | head -n 1; }

of_commit() {
    local time id
    time=$(TZ=UTC in_git log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S)
    id=$(in_git rev-parse HEAD)
    echo "$(of_workspace)-$time.g${id:0:7}"
}

type -P git >/dev/null || fail "git is missing: install it, or set VERSION"
in_git rev-parse --verify --quiet HEAD >/dev/null ||
    fail "$checkout is not a Git checkout with a commit: clone the project, or set VERSION"
version=$(released)
if [ -n "$(in_git status --porcelain)" ]; then
    version=$(of_commit).dirty
elif [ -z "$version" ]; then
    version=$(of_commit)
fi
echo "$version"
