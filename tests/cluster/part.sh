#!/usr/bin/env bash
# Stops, pauses or starts one part of the running cluster. A paused one does nothing more, and its connections stay open.
# usage: part.sh stop|pause|start NAME   etcd, apiserver, containerd, controllers, scheduler, kubelet or proxy
set -euo pipefail

. "$(dirname "$0")/env.sh"
. "$here/process.sh"
. "$here/parts.sh"

action=${1:-} name=${2:-}
if [[ $# != 2 || ! "$action" =~ ^(stop|pause|start)$ || " ${parts[*]} " != *" $name "* ]]; then
    echo "usage: part.sh stop|pause|start NAME, one of: ${parts[*]}" >&2
    exit 2
fi
if [ ! -e "$mark" ]; then
    echo "there is no cluster in $state; start one: make cluster" >&2
    exit 1
fi
lock
case $action in
    stop) stop "$name" ;;
    pause) send STOP "$name" ;;
    start) bring_up "$name" ;;
esac
