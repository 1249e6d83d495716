# Ends all pods of the cluster, after its kubelet and containerd have ended: sourced.
# shellcheck shell=bash disable=SC2154 # settings are of env.sh

# Those of this machine's kubelet; those of a cluster in a container are deeper.
pod_groups() { find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name kubepods; }

# Pids of the shims of the cluster's containerd, one for each pod.
shims() {
    local file arguments
    for file in /proc/[0-9]*/cmdline; do
        mapfile -d '' -t arguments 2>/dev/null <"$file" || continue
        if [[ "${arguments[0]:-}" = *containerd-shim* && " ${arguments[*]} " = *" -address $socket "* ]]; then
            file=${file%/cmdline}
            echo "${file#/proc/}"
        fi
    done
}

pod_processes() {
    shims
    pod_groups | while read -r group; do find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null || true; done | sort --unique
}

# Fails as long as there are any.
kill_pods() {
    local pids
    mapfile -t pids < <(pod_processes)
    if [ ${#pids[@]} = 0 ]; then return; fi
    kill -KILL "${pids[@]}" 2>/dev/null || true
    return 1
}

remove_groups() {
    pod_groups | while read -r group; do find "$group" -depth -type d -exec rmdir {} + || return 1; done
}

# Unmounts everything in the state folder, the latest first.
unmount() {
    awk -v folder="$state/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | tac |
        xargs --no-run-if-empty --max-args 1 umount
}

# Those of the shims, which are not in the state folder.
remove_sockets() {
    local tasks=$state/containerd/run/io.containerd.runtime.v2.task/k8s.io file sockets=()
    for file in "$tasks"/*/address; do
        if [ -e "$file" ]; then sockets+=("$(sed 's,^unix://,,' "$file")"); fi
    done
    rm --force "${sockets[@]}"
}

# Removes what containerd, the network plugins and the kubelet leave in places that cannot be configured.
remove_files() {
    local file
    remove_sockets
    if [ -d /var/log/containers ]; then find /var/log/containers -lname "$state/*" -delete; fi
    for file in "/var/lib/cni/results/$bridge"-*-eth0; do
        file=${file%-eth0}
        rm --force "$file-eth0" "/var/lib/cni/results/cni-loopback-${file##*"$bridge-"}-lo"
    done
    rm --force /var/lib/kubelet/device-plugins/kubelet.sock
}

end_pods() {
    within 20 kill_pods || { echo "processes of pods that do not end: $(pod_processes | tr '\n' ' ')" >&2; return 1; }
    within 20 remove_groups || { echo "control groups that cannot be removed: $(pod_groups | tr '\n' ' ')" >&2; return 1; }
    unmount
}

pods_down() {
    end_pods
    remove_files
}
