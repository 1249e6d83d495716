# What the cluster has besides Kubernetes' own parts: its DNS, and volumes for claims. Sourced.
# shellcheck shell=bash disable=SC2154 # settings are of env.sh

released_volumes() {
    "$kubectl" get persistentvolumes --selector made-by=cluster \
        --output 'jsonpath={range .items[?(@.status.phase=="Released")]}{.metadata.name}{"\n"}{end}'
}

# Volumes whose claim was deleted are emptied and recreated: nothing else does that.
empty_released() {
    local volume
    released_volumes | while read -r volume; do
        "$kubectl" delete persistentvolume "$volume" >/dev/null
        rm --recursive --force "${state:?}/volumes/$volume"
    done
}

manifests() {
    local number volume
    render "$here/coredns.yaml"
    echo ---
    cat "$here/config/storage.yaml"
    for ((number = 1; number <= volumes; number++)); do
        volume=volume-$number
        install --directory --mode 0770 --owner 65532 --group 65532 "$state/volumes/$volume"
        render "$here/config/volume.yaml"
    done
}

addons() {
    empty_released
    manifests | "$kubectl" apply --server-side --filename - >/dev/null
}

dns_answers() { timeout 2 bash -c ": <>/dev/tcp/$dns_service/53"; }

# The last check is for a cluster that was already up: what the API server knows of it may be outdated.
node_is_ready() {
    within 60 "$kubectl" get node "$node" || { echo "no node $node: see $state/log/kubelet.log" >&2; return 1; }
    "$kubectl" wait --for condition=Ready --timeout 120s "node/$node" >/dev/null
    "$kubectl" --namespace kube-system rollout status --timeout 120s deployment/coredns >/dev/null
    within 60 dns_answers || { echo "DNS does not answer on $dns_service: see kubectl -n kube-system get pods" >&2; return 1; }
}
