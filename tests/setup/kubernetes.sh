#!/usr/bin/env bash
# Builds Kubernetes and etcd from their Go modules, for the tests and for the cluster of `make cluster` alike.
# Prints one line, the folder of the programs; everything else goes to stderr. With KUBEBUILDER_ASSETS set, etcd and
# kube-apiserver are taken from there and not built.
set -euo pipefail

. "$(dirname "$0")/go.sh"
cluster=$setup/../cluster
programs=(k8s.io/kubernetes/cmd/{kube-controller-manager,kube-proxy,kube-scheduler,kubectl,kubelet})
if [ -z "${KUBEBUILDER_ASSETS:-}" ]; then
    programs+=(go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kube-apiserver)
fi

# Linker flags that tell the programs which version they are of.
version_flags() {
    local version minor package
    version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
    minor=${version#v1.} minor=${minor%%.*}
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        echo "-X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
    done
}

# In one call, so that what the programs share is compiled once.
make_kubernetes() {
    echo "building Kubernetes from its Go modules (five to fifteen minutes) …"
    cd "$cluster"
    mkdir -p "$1"
    go_build -ldflags "-s -w $(version_flags | tr '\n' ' ')" -o "$1/" "${programs[@]}"
    if [ -e "$1/server" ]; then mv "$1/server" "$1/etcd"; fi # etcd's main package is called server
}

folder="$cache/kubernetes-$(echo "${programs[@]}" | hash_of "$cluster/go.mod" "$cluster/go.sum" -)"
once "$folder" make_kubernetes
echo "$folder"
