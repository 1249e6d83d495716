#!/usr/bin/env bash
# Runs a command with a BuildKit of its own, whose daemon ends with it: buildctl is in PATH, BUILDKIT_HOST is the
# address of the daemon, and BASE_IMAGES the folder with the images of base-images.sh. What was built is kept in the
# cache folder, images/buildkit, and so is the daemon's log, images/buildkit.log. For root, and one at a time.
# usage: with-buildkit.sh COMMAND ARGUMENT…
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../setup/once.sh"
. "$here/process.sh"
store=$cache/images/buildkit
run=/run/routing-images/$(hash_of - <<<"$store")
# In MB. The two images with what they are compiled from are about 4000; beyond the limit, what was unused the
# longest is dropped.
most=8000

fail() {
    echo "BuildKit: $1" >&2
    exit 1
}

# It does not hold the lock, and ends when this script is killed. The machine's config does not apply to it.
start_daemon() {
    setpriv --pdeathsig TERM buildkitd --config /dev/null --root "$store" --addr "$BUILDKIT_HOST" --otel-socket-path "$run/otel" \
        --containerd-worker=false --oci-worker-snapshotter=overlayfs --oci-worker-net=host \
        --oci-worker-gc --oci-worker-gc-keepstorage "$most,0,$most" >"$store.log" 2>&1 8<&- &
    daemon=$!
}

# It leaves its socket and its control groups behind; those that another daemon uses stay.
stop_daemon() {
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" || true
    rm -rf "$run"
    rmdir /sys/fs/cgroup/{,*/}buildkit 2>/dev/null || true
}

answers_or_is_gone() { buildctl debug workers || ! kill -0 "$daemon"; }

programs=$("$here/../setup/buildkit.sh")
export PATH=$programs:$PATH BUILDKIT_HOST=unix://$run/buildkit BASE_IMAGES=$cache/images/base
mkdir -p "$store"
exec 8>"$store.lock"
flock 8
mkdir -p "$run"
start_daemon
trap stop_daemon EXIT
if ! within 60 answers_or_is_gone || ! buildctl debug workers >/dev/null; then
    tail --lines 5 "$store.log" >&2
    fail "the daemon did not start; above is the end of $store.log"
fi
"$@" 8<&-
