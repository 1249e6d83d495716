#!/usr/bin/env bash
# Starts a one-node Kubernetes on this machine, as root: etcd, the API server, the controllers, the scheduler, the
# kubelet with containerd, and kube-proxy as processes, DNS as a pod. Run again, it starts what does not run; down.sh
# undoes all of it.
#   ROUTING_CLUSTER_DIR   its state; /var/lib/routing-cluster
#   CNI_BIN_DIR           where Debian's containernetworking-plugins are; /usr/lib/cni
set -euo pipefail

. "$(dirname "$0")/env.sh"
. "$here/process.sh"
. "$here/certificates.sh"
. "$here/network.sh"
. "$here/before.sh"
. "$here/parts.sh"
. "$here/addons.sh"

refuse() {
    echo "$1" >&2
    rmdir --ignore-fail-on-non-empty "$state"
    exit 1
}

# Before anything is changed. Another cluster's rules and control groups would be taken for this one's.
check_machine() {
    if [ -e "$mark" ]; then return; fi
    if ! [[ "$state" =~ ^/[A-Za-z0-9._/-]{1,60}$ ]]; then
        refuse "ROUTING_CLUSTER_DIR: $state: must have at most 60 letters, digits, dots, hyphens, underscores and slashes"
    fi
    if [ -n "$(ls --almost-all "$state")" ]; then
        refuse "ROUTING_CLUSTER_DIR: $state: has other files in it; name an empty folder, or one that does not exist"
    fi
    if iptables-save | grep --quiet '^:KUBE-SERVICES'; then
        refuse "this machine is a node of another Kubernetes already: iptables has a chain KUBE-SERVICES"
    fi
    touch "$mark"
}

# Links in the state folder: what runs stays the same when the checkout changes.
programs() {
    local built=$1 program
    for program in etcd kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubectl kubelet; do
        if [ -e "$built/$program" ]; then
            ln --symbolic --force "$built/$program" "$state/programs/$program"
        else
            ln --symbolic --force "$KUBEBUILDER_ASSETS/$program" "$state/programs/$program"
        fi
    done
}

folders() {
    local file
    mkdir --parents "$state"/{before,cni,config,containerd,kubelet,log,pid,pki,plugins,pod-logs,programs,volumes}
    touch "$state/resolv.conf"
    for file in containerd.toml kubelet.yaml proxy.yaml; do configuration "$here/config/$file" "$state/config/$file"; done
    configuration "$here/config/pods.conflist" "$state/cni/pods.conflist"
}

# Only in the first run: kube-proxy ends when its file is written, whatever the content.
configuration() {
    if [ -e "$2" ]; then return; fi
    render "$1" >"$2.new"
    mv "$2.new" "$2"
}

images() {
    local file
    for file in "$1"/*.tar; do "${ctr[@]}" images import "$file" >/dev/null; done
}

built=$("$here/build.sh")
lock
check_machine
folders
programs "$(sed --quiet 1p <<<"$built")"
remember
step "certificates made" certificates
step "network set up" network_up
step "etcd, API server and containerd ready" bring_up etcd apiserver containerd
step "images loaded" images "$(sed --quiet 2p <<<"$built")"
step "all programs ready" bring_up "${parts[@]}"
step "DNS and volumes applied" addons
step "node and DNS ready" node_is_ready
echo "export KUBECONFIG=$KUBECONFIG"
