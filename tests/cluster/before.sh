# What this machine was like before the cluster, and putting that back: sourced.
# shellcheck shell=bash disable=SC2154 # settings are of env.sh

# The first three are set by network.sh, the others by the kubelet and kube-proxy.
settings=(net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables net.netfilter.nf_conntrack_acct
    net.ipv4.conf.all.route_localnet vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
    kernel.keys.root_maxkeys kernel.keys.root_maxbytes)
# Folders that containerd, the network plugins and the kubelet create, each after those inside it.
outside=(/run/containerd/s /run/containerd /run/netns /var/lib/cni/results /var/lib/cni /var/lib/kubelet/device-plugins
    /var/lib/kubelet /var/log/containers)

# module NAME SETTINGS: loads it, unless its settings are there.
module() {
    if [ -e "/proc/sys/net/$2" ]; then return; fi
    if ! modprobe "$1"; then
        echo "this kernel has no $1, which Services between pods of one machine need: install its modules" >&2
        return 1
    fi
    echo "$1" >>"$state/before/modules"
}

tables() { nft list tables | sort; }

absent() { for folder; do if [ ! -e "$folder" ]; then echo "$folder"; fi; done; }

# remember_as NAME COMMAND…: stores what the command prints. Only in the first run of up.sh: later ones would find what
# the cluster has set.
remember_as() {
    local file=$state/before/$1
    shift
    if [ -e "$file" ]; then return; fi
    "$@" >"$file.new"
    mv "$file.new" "$file"
}

remember() {
    remember_as folders absent "${outside[@]}"
    remember_as tables tables
    module br_netfilter bridge
    module nf_conntrack netfilter/nf_conntrack_max
    remember_as sysctl sysctl --ignore "${settings[@]}"
}

# Removes new tables that are empty: iptables creates a table when it first needs it and never removes it.
put_back_tables() {
    local kind family name
    comm -13 "$state/before/tables" <(tables) | while read -r kind family name; do
        if ! nft list "$kind" "$family" "$name" | grep --quiet --invert-match --extended-regexp '^\s*(#.*|(table|chain|type) .*|}?)$'; then
            nft delete "$kind" "$family" "$name"
        fi
    done
}

# What others use meanwhile stays.
put_back_modules() {
    local name
    while read -r name; do modprobe --remove "$name" 2>/dev/null || true; done
}
put_back_folders() {
    local folder
    while read -r folder; do rmdir "$folder" 2>/dev/null || true; done
}

# before NAME COMMAND…: gives the command what was remembered under that name, if up.sh came that far.
before() {
    local file=$state/before/$1
    shift
    if [ -e "$file" ]; then "$@" <"$file"; fi
}

put_back() {
    before tables put_back_tables
    before sysctl sysctl --quiet --load -
    before modules put_back_modules
    before folders put_back_folders
}
