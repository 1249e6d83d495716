#!/usr/bin/env bash
# Takes the power of the node, and gives it back. Off: the cluster's programs and all processes of pods are killed at
# once, and what no machine has after its start is removed: mounts, control groups, the pods' network, rules,
# connections, and what containerd and runc keep of running containers. On: everything starts in up.sh's order.
# The machine itself runs on: its boot ID, its clock and its page cache stay.
# usage: power.sh off|on
set -euo pipefail

. "$(dirname "$0")/env.sh"
. "$here/process.sh"
. "$here/network.sh"
. "$here/parts.sh"
. "$here/pods.sh"
. "$here/addons.sh"

kill_parts() {
    local name
    for name in "${parts[@]}"; do send KILL "$name"; done
    within 10 gone "${parts[@]}" || { echo "still running: ${parts[*]}" >&2; return 1; }
}

# The node's address stays: without it, packets to it would leave the machine.
network_off() {
    bridge_down
    rules_down
    connections_down
}

forget_containers() {
    remove_sockets
    rm --recursive --force --one-file-system "$state/containerd/run" "$state/containerd/runc"
}

off() {
    step "programs killed" kill_parts
    step "pods killed" end_pods
    step "pods' network removed" network_off
    step "running containers forgotten" forget_containers
}

on() {
    step "network set up" network_up
    step "etcd, API server and containerd ready" bring_up etcd apiserver containerd
    step "all programs ready" bring_up "${parts[@]}"
    step "node and DNS ready" node_is_ready
}

if [[ $# != 1 || ! "$1" =~ ^(off|on)$ ]]; then
    echo "usage: power.sh off|on" >&2
    exit 2
fi
if [ ! -e "$mark" ]; then
    echo "there is no cluster in $state; start one: make cluster" >&2
    exit 1
fi
lock
"$1"
