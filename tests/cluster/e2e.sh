#!/usr/bin/env bash
# Runs the tests on a cluster: prepares the cluster, the images and the programs that the tests need, then compiles and
# runs the tests. Called by `make e2e`, which sets CARGO_TARGET_DIR. Prints what each of these prints, and how long it
# took to compile, to load the images and to test.
# usage: e2e.sh [ARGUMENT…]   for the program of the tests: a part of a test's name
#   E2E_KUBECONFIG        another cluster; without it that of `make cluster`, which is started
#   E2E_FULL              1: the long counts, and an upgrade from an earlier version to this one and back
#   ROUTING_CLUSTER_DIR   where the state of the cluster of `make cluster` is; /var/lib/routing-cluster
set -euo pipefail

: "${CARGO_TARGET_DIR:?must be set, as make e2e does}"
cd "$(dirname "$0")/../.."
checkout=$(pwd -P)
e2e=(cargo --locked test --workspace --features tests/e2e --test e2e)

# Only valid until E2E_KUBECONFIG is set for the tests.
own_cluster() { [ -z "${E2E_KUBECONFIG:-}" ]; }

start_cluster() {
    tests/setup/tools.sh cluster
    tests/cluster/up.sh
}

build_images() {
    tests/setup/tools.sh images
    tests/cluster/images.sh
}

# With another cluster the tests use neither Flux nor BuildKit.
prepare_programs() {
    local programs
    programs=$(tests/setup/programs.sh)
    eval "$programs"
    export ROUTING_BIN=$checkout/target/routing ROUTING_OPERATOR_BIN=$checkout/target/routing-operator
    if own_cluster; then
        ROUTING_TEST_FLUX=$(tests/setup/flux.sh)
        ROUTING_TEST_BUILDKIT=$(tests/setup/buildkit.sh)
        export ROUTING_TEST_FLUX ROUTING_TEST_BUILDKIT
    fi
    if [ -n "${E2E_FULL:-}" ]; then
        ROUTING_TEST_EARLIER=$(tests/cluster/earlier.sh)
        export ROUTING_TEST_EARLIER
    fi
}

compile() {
    tests/setup/own.sh
    cargo --locked build --workspace --features tests/e2e --bins --test e2e
    tests/setup/link.sh routing
}

load_images() {
    local version
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
    tests/cluster/stand-in.sh "$CARGO_TARGET_DIR/debug/stand-in-models"
    tests/cluster/load-all.sh "$version"
}

run_tests() {
    if own_cluster; then
        export E2E_OWN_CLUSTER=1 E2E_KUBECONFIG=${ROUTING_CLUSTER_DIR:-/var/lib/routing-cluster}/admin.kubeconfig
    fi
    "${e2e[@]}" -- --test-threads=1 --nocapture "$@"
}

# timed WHAT COMMAND…: prints how long it took.
timed() {
    local what=$1 began=$SECONDS
    shift
    "$@"
    echo "$what in $((SECONDS - began)) s"
}

if own_cluster; then
    tests/setup/tools.sh e2e
    start_cluster
else
    tests/setup/tools.sh test
fi
build_images
prepare_programs
timed "compiled" compile
timed "images loaded" load_images
timed "tested on the cluster" run_tests "$@"
