#!/usr/bin/env bash
# buildah, with the store that the project's images are in: one of the cache folder, not the machine's.
# usage: buildah.sh ARGUMENT…   as for buildah
set -euo pipefail

. "$(dirname "$0")/../setup/once.sh"
store=$cache/images/store
# Mounts belong to a store; another cache folder has its own.
run=/run/routing-images/$(hash_of - <<<"$store")
mkdir -p "$store" "$run"
exec buildah --root "$store" --runroot "$run" --storage-driver overlay "$@"
