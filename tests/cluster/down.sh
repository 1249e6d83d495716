#!/usr/bin/env bash
# Stops the cluster that up.sh started and removes every trace of it from this machine.
set -euo pipefail

. "$(dirname "$0")/env.sh"
. "$here/process.sh"
. "$here/network.sh"
. "$here/before.sh"
. "$here/parts.sh"
. "$here/pods.sh"

if [ ! -e "$state" ]; then
    echo "there is no cluster in $state"
    exit
fi
lock
if [ -e "$mark" ]; then
    step "programs stopped" stop "${parts[@]}"
    step "pods ended" pods_down
    step "network taken down" network_down
    step "machine put back" put_back
    step "state removed" rm --recursive --force --one-file-system "$state"
elif ! rmdir "$state" 2>/dev/null; then
    echo "ROUTING_CLUSTER_DIR: $state: is not the state of a cluster; nothing was removed" >&2
    exit 1
fi
