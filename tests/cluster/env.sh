# Settings of the one-node cluster and where its state is: sourced by the scripts of this folder.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those that source this

# A command that fails without a message is named.
set -o errtrace
trap 'echo "${BASH_SOURCE[0]##*/}, line $LINENO: failed: $BASH_COMMAND" >&2' ERR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
state=$(realpath --canonicalize-missing "${ROUTING_CLUSTER_DIR:-/var/lib/routing-cluster}") # as the kernel names it in mounts
mark=$state/.routing-cluster # up.sh only fills, and down.sh only deletes, a folder that has it
cni_programs=${CNI_BIN_DIR:-/usr/lib/cni}

node=node1
# On lo, so that pods and this machine reach what listens on it, and other machines do not.
node_address=172.30.255.1
pod_range=10.244.0.0/16
service_range=10.96.0.0/16
# The first 76 of them are assigned only to Services that name one: no other Service gets a test's port by chance.
node_ports=30310-32767
api_service=10.96.0.1 # the first address of the range is the API server's
dns_service=10.96.0.10
bridge=routing0 # also the name of the pods' network

# Everything but the API server and the kubelet listens on 127.0.0.1. The numbers are the usual ones.
api_port=6443
kubelet_port=10250
etcd_port=2379
etcd_peer_port=2380
controllers_port=10257
scheduler_port=10259
kubelet_health_port=10248
proxy_health_port=10256
proxy_metrics_port=10249

volumes=8 # empty ones of 1 Gi, for claims

export KUBECONFIG=$state/admin.kubeconfig KUBECACHEDIR=$state/kubectl
kubectl=$state/programs/kubectl
pki=$state/pki
etcd_url=http://127.0.0.1:$etcd_port
socket=$state/containerd/socket
ctr=(ctr --address "$socket" --namespace k8s.io)

# render FILE: with @NAME@ replaced by the setting of that name in lower case.
render() {
    local name setting text
    text=$(<"$1")
    for name in $(grep --only-matching '@[A-Z_]*@' "$1" | sort --unique | tr -d @); do
        setting=${name,,}
        text=${text//"@$name@"/"${!setting}"}
    done
    echo "$text"
}

# One script at a time changes the cluster. down.sh deletes the folder that is the lock: a script that waited for it
# then finds a new one in its place, and locks that.
lock() {
    mkdir -p "$state"
    exec 9<"$state"
    flock 9
    if ! [ "/proc/$$/fd/9" -ef "$state" ]; then lock; fi
}
