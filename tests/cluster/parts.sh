# The parts of the cluster: how each is started, and when it is ready. Sourced.
# shellcheck shell=bash disable=SC2154 # settings are of env.sh

# shellcheck disable=SC2034 # used by those that source this
parts=(etcd apiserver containerd controllers scheduler kubelet proxy)

start_etcd() {
    local peers=http://127.0.0.1:$etcd_peer_port
    # Nothing here has to survive a loss of power.
    start etcd "$state/programs/etcd" --data-dir "$state/etcd" --unsafe-no-fsync \
        --listen-client-urls "$etcd_url" --advertise-client-urls "$etcd_url" \
        --listen-peer-urls "$peers" --initial-advertise-peer-urls "$peers" --initial-cluster "default=$peers"
}
ready_etcd() { await etcd curl --silent --fail "$etcd_url/readyz"; }

start_apiserver() {
    start apiserver "$state/programs/kube-apiserver" --etcd-servers "$etcd_url" \
        --bind-address "$node_address" --advertise-address "$node_address" --secure-port "$api_port" \
        --service-cluster-ip-range "$service_range" --service-node-port-range "$node_ports" --authorization-mode Node,RBAC \
        --enable-admission-plugins NodeRestriction --client-ca-file "$pki/ca.crt" \
        --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
        --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP \
        --kubelet-client-certificate "$pki/apiserver-kubelet-client.crt" \
        --kubelet-client-key "$pki/apiserver-kubelet-client.key" \
        --service-account-issuer https://kubernetes.default.svc.cluster.local \
        --service-account-key-file "$pki/service-accounts.crt" \
        --service-account-signing-key-file "$pki/service-accounts.key" \
        --audit-policy-file "$here/config/audit.yaml" --audit-log-path "$state/log/audit.log" \
        --audit-log-maxsize 1024 --audit-log-maxbackup 1
}
ready_apiserver() { await apiserver "$kubectl" get --raw /readyz; }

start_containerd() { start containerd containerd --config "$state/config/containerd.toml"; }
ready_containerd() { await containerd "${ctr[@]}" version; }

# control_plane NAME PROGRAM PORT ARGUMENT…: a client of the API server, which also decides who may call it.
control_plane() {
    local name=$1 program=$state/programs/$2 port=$3 kubeconfig=$state/$1.kubeconfig
    shift 3
    start "$name" "$program" --kubeconfig "$kubeconfig" --authentication-kubeconfig "$kubeconfig" \
        --authorization-kubeconfig "$kubeconfig" --bind-address 127.0.0.1 --secure-port "$port" --leader-elect=false "$@"
}

start_controllers() {
    # The only node must not count as lost when the API server is back after a minute.
    control_plane controllers kube-controller-manager "$controllers_port" --node-monitor-grace-period 10m \
        --use-service-account-credentials \
        --root-ca-file "$pki/ca.crt" --service-account-private-key-file "$pki/service-accounts.key" \
        --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key"
}
ready_controllers() { await controllers curl --silent --fail --insecure "https://127.0.0.1:$controllers_port/healthz"; }

start_scheduler() { control_plane scheduler kube-scheduler "$scheduler_port"; }
ready_scheduler() { await scheduler curl --silent --fail --insecure "https://127.0.0.1:$scheduler_port/healthz"; }

start_kubelet() {
    start kubelet "$state/programs/kubelet" --config "$state/config/kubelet.yaml" --kubeconfig "$state/kubelet.kubeconfig" \
        --hostname-override "$node" --node-ip "$node_address" --root-dir "$state/kubelet"
}
ready_kubelet() { await kubelet curl --silent --fail "http://127.0.0.1:$kubelet_health_port/healthz"; }

start_proxy() { start proxy "$state/programs/kube-proxy" --config "$state/config/proxy.yaml"; }
ready_proxy() { await proxy curl --silent --fail "http://127.0.0.1:$proxy_health_port/healthz"; }

# bring_up NAME…: starts all of them, then waits for each.
bring_up() {
    local name
    for name; do "start_$name"; done
    for name; do "ready_$name"; done
}
