#!/usr/bin/env bash
# Prepares the real programs that tests talk to: a Python environment with LiteLLM and the MCP client, Claude Code, and
# Kubernetes' control plane with kubectl. They live in the cache folder, each in a folder named by the hash of what it is
# made from, so that they are made once.
# Prints three lines, the folder of the Python environment, the Claude Code program and the folder of Kubernetes; everything
# else goes to stderr. With KUBEBUILDER_ASSETS set, etcd and kube-apiserver are taken from there.
set -euo pipefail

here=$(cd "$(dirname "$0")/../clients" && pwd)
cluster=$(cd "$(dirname "$0")/../cluster" && pwd)
cache=${ROUTING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/routing}

hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# once FOLDER COMMAND…: runs the command, which fills the folder given as its last argument, unless that was done before.
# A folder without `.complete` is of an interrupted run and made anew; the lock keeps two runs from making it at once.
once() {
    local folder=$1 began=$SECONDS
    shift
    mkdir -p "$(dirname "$folder")"
    (
        flock 9
        if [ ! -e "$folder/.complete" ]; then
            rm -rf "$folder"
            "$@" "$folder" >&2
            touch "$folder/.complete"
            echo "prepared $(basename "$folder") in $((SECONDS - began)) s" >&2
        fi
    ) 9>"$folder.lock"
}

make_venv() {
    echo "installing LiteLLM and the Python MCP client (about 750 MB, one to three minutes) …"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" -c "$here/constraints.txt"
}

make_claude() {
    echo "installing Claude Code (about 360 MB) …"
    mkdir -p "$1"
    cp "$here/package.json" "$here/package-lock.json" "$1/"
    # Its engine field wants a newer Node than its native program needs; no install script has to run.
    npm ci --prefix "$1" --no-audit --no-fund --ignore-scripts --engine-strict=false --loglevel=error
}

# From Go modules, in one call, so that what they share is compiled once.
make_kubernetes() {
    echo "building Kubernetes from its Go modules (five to ten minutes) …"
    local version minor package flags='' proxy
    # Without ",direct": a module that the proxy does not have would be asked of its Git host for minutes.
    proxy=$(go env GOPROXY)
    export GOPROXY=${proxy%,direct}
    cd "$cluster"
    version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
    minor=${version#v1.} minor=${minor%%.*}
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
    done
    mkdir -p "$1"
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w$flags" -o "$1/" "${kubernetes_programs[@]}"
    if [ -e "$1/server" ]; then mv "$1/server" "$1/etcd"; fi # etcd's main package is called server
}

kubernetes_programs=(k8s.io/kubernetes/cmd/kube-controller-manager k8s.io/kubernetes/cmd/kubectl)
if [ -z "${KUBEBUILDER_ASSETS:-}" ]; then
    kubernetes_programs+=(go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kube-apiserver)
fi

python_version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv="$cache/venv-$python_version-$(hash_of "$here/requirements.txt" "$here/constraints.txt")"
claude="$cache/claude-$(hash_of "$here/package-lock.json")"
once "$venv" make_venv
once "$claude" make_claude
kubernetes="$cache/kubernetes-$({ cat "$cluster/go.mod" "$cluster/go.sum"; echo "${kubernetes_programs[@]}"; } | sha256sum | cut -c1-16)"
once "$kubernetes" make_kubernetes

program=$(find "$claude/node_modules/@anthropic-ai" -maxdepth 2 -type f -name claude -path '*claude-code-linux*' | head -n 1)
if [ ! -x "$program" ]; then
    echo "Claude Code has no program for this machine ($(uname -sm)); it is an optional package of @anthropic-ai/claude-code" >&2
    exit 1
fi
echo "$venv"
echo "$program"
echo "$kubernetes"
