# The node's address, the pods' bridge and the rules between them, and their removal: sourced.
# shellcheck shell=bash disable=SC2154 # settings are of env.sh

comment=routing-cluster

# Before kube-proxy's rules, and whatever Docker or a firewall says: pods reach each other and this machine.
accept() {
    if ! iptables --wait --check "$@" --match comment --comment $comment --jump ACCEPT 2>/dev/null; then
        iptables --wait --insert "$@" --match comment --comment $comment --jump ACCEPT
    fi
}

network_up() {
    sysctl --quiet --write net.ipv4.ip_forward=1
    sysctl --quiet --write net.bridge.bridge-nf-call-iptables=1 # Services between pods of one bridge
    sysctl --quiet --write net.netfilter.nf_conntrack_acct=1 # conntrack shows how much went over a connection
    ip address replace "$node_address/32" dev lo
    accept FORWARD --source "$pod_range"
    accept FORWARD --destination "$pod_range"
    accept INPUT --source "$pod_range"
}

# Input for iptables-restore that removes the cluster's rules and chains and nothing else, in one go.
without_cluster() {
    awk -v comment="$comment" '
        /^\*/ { print; chains = "" }
        /^:KUBE-/ { print; chains = chains "-X " substr($1, 2) "\n" }
        /^-A / && !/^-A KUBE-/ && (/ -j KUBE-/ || index($0, comment)) { sub(/^-A/, "-D"); print }
        /^COMMIT/ { printf "%s", chains; print }'
}

rules_down() {
    iptables-save | without_cluster | iptables-restore --wait --noflush
    if [ -e /proc/net/if_inet6 ]; then ip6tables-save | without_cluster | ip6tables-restore --wait --noflush; fi
}

# conntrack fails if there is no such connection.
connections_down() {
    conntrack --delete --orig-src "$pod_range" >/dev/null 2>&1 || true
    conntrack --delete --reply-src "$pod_range" >/dev/null 2>&1 || true
}

# The pods' network namespaces are those behind the bridge.
bridge_down() {
    local namespace
    if ! ip link show "$bridge" >/dev/null 2>&1; then return; fi
    ip -oneline link show master "$bridge" | sed --quiet 's/.* link-netns \([^ ]*\).*/\1/p' | while read -r namespace; do
        ip netns delete "$namespace"
    done
    ip link delete "$bridge"
}

network_down() {
    bridge_down
    ip address delete "$node_address/32" dev lo 2>/dev/null || true
    rules_down
    connections_down
}
