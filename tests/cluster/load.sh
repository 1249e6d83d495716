#!/usr/bin/env bash
# Copies images from buildah's store into the cluster. For another cluster, E2E_LOAD names a script with the same usage.
# usage: load.sh IMAGE…
set -euo pipefail

. "$(dirname "$0")/env.sh"

if [ ! -S "$socket" ]; then
    echo "there is no cluster in $state; start one: make cluster" >&2
    exit 1
fi
folder=$(mktemp --directory)
trap 'rm --recursive --force "$folder"' EXIT
for image; do
    "$here/buildah.sh" push --quiet "$image" "docker-archive:$folder/image.tar:$image"
    "${ctr[@]}" images import "$folder/image.tar"
    rm "$folder/image.tar"
done
