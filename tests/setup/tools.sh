#!/usr/bin/env bash
# Checks for the tools that a target needs and prints how to get those that are missing. Installs nothing.
# usage: tools.sh run|run-model|test|lint|fuzz|images|cluster|e2e   exits with 1 and names what is missing
#        tools.sh apt-line                           prints the one line that installs all that is missing; nothing when nothing is
set -euo pipefail

# No program but the shell itself may be relied on here.
tests=$(cd "${0%/*}/.." && pwd)

# tool=package: what each target needs, and where Debian and Ubuntu have it.
run_tools="cc=build-essential make=make"
fuzz_tools="$run_tools c++=build-essential"
lint_tools="cc=build-essential git=git make=make npm=npm python3=python3 shellcheck=shellcheck"
test_tools="cc=build-essential chromedriver=chromium-driver chromium=chromium curl=curl faketime=faketime git=git kill=procps make=make mkfifo=coreutils mount=mount npm=npm openssl=openssl prometheus=prometheus promtool=prometheus python3=python3 setpriv=util-linux"
images_tools="buildah=buildah git=git mmdebstrap=mmdebstrap python3=python3 runc=runc"
if [ "${IMAGE_BUILDER:-buildkit}" = docker ]; then images_tools="docker=docker.io python3=python3"; fi
# A program of containernetworking-plugins is in no PATH.
cluster_tools="conntrack=conntrack containerd=containerd curl=curl ip=iproute2 iptables=iptables modprobe=kmod nft=nftables
    openssl=openssl runc=runc sysctl=procps ${CNI_BIN_DIR:-/usr/lib/cni}/bridge=containernetworking-plugins"

# Besides those of the tests and of the cluster: for the registry and the secrets of a delivery by Git.
e2e_tools="age-keygen=age docker-registry=docker-registry skopeo=skopeo"

missing_tools=() missing_packages=()

# A program in PATH; a builtin of this shell does not count.
has() { [ -n "$(type -P "$1")" ]; }

look_for() {
    local entry
    for entry in "$@"; do
        if ! has "${entry%%=*}"; then
            missing_tools+=("${entry%%=*}")
            missing_packages+=("${entry#*=}")
        fi
    done
}

# Debian keeps the programs of a Postgres server in no PATH.
look_for_postgres() {
    if ! has postgres && ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then
        missing_tools+=(postgres)
        missing_packages+=(postgresql)
    fi
}

look_for_venv() {
    if ! has python3 || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        missing_tools+=("python3 -m venv")
        missing_packages+=(python3-venv)
    fi
}

# The newest Go that a target's modules require; nothing if it builds no Go programs.
go_needed_by() {
    local modules=()
    case $1 in
        lint) modules=("$tests/lint") ;;
        test) modules=("$tests/cluster" "$tests/collector" "$tests/clients/go") ;;
        images) [ "${IMAGE_BUILDER:-buildkit}" != docker ] || return 0; modules=("$tests/cluster/buildkit") ;;
        cluster) modules=("$tests/cluster" "$tests/cluster/dns") ;;
        e2e) modules=("$tests"/cluster "$tests"/cluster/{flux,buildkit}) ;;
        *) return ;;
    esac
    local module word version newest=0
    for module in "${modules[@]}"; do
        while read -r word version; do
            if [ "$word" = go ] && ! at_least "$newest" "$version"; then newest=$version; fi
        done <"$module/go.mod"
    done
    echo "$newest"
}

# A version as a number: 1.26.8 is 1026008. Other characters after the digits of a part are ignored, as in 1.27rc1.
number() {
    local parts
    IFS=. read -ra parts <<<"$1.0.0"
    echo $((parts[0] * 1000000 + ${parts[1]%%[!0-9]*} * 1000 + ${parts[2]%%[!0-9]*}))
}

at_least() { [ "$(number "$1")" -ge "$(number "$2")" ]; } # VERSION NEEDED

# Since 1.21 Go fetches the version that a module requires, unless GOTOOLCHAIN forbids it, as Debian's does.
go_is_new_enough() {
    local version
    has go && version=$(go env GOVERSION) && version=${version#go} || return 1
    at_least "$version" "$1" || { at_least "$version" 1.21 && [[ "$(go env GOTOOLCHAIN)" != local* ]]; }
}

# What no package fixes: one line for each thing that prevents a cluster here.
machine_faults() {
    local groups=/sys/fs/cgroup controller
    if [ "$(uname -s)" != Linux ]; then
        echo "Linux: the cluster's programs run on no other system; use a virtual machine"
        return
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "root: the cluster sets up a network and mounts; run this as root"
    elif [ ! -w $groups ]; then
        echo "control groups: $groups cannot be written to; a container that runs a cluster must be privileged"
    fi
    for controller in cpu cpuset memory pids; do
        if [ -e $groups/$controller ] || grep --quiet --word-regexp $controller $groups/cgroup.controllers 2>/dev/null; then continue; fi
        echo "control groups for $controller: the kernel has them off; add cgroup_enable=$controller to its command line and restart"
    done
}

apt_line() {
    [ ${#missing_packages[@]} -gt 0 ] || return 0
    local packages=ca-certificates package
    for package in "${missing_packages[@]}"; do
        case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
    done
    echo "apt-get update && apt-get install --yes --no-install-recommends $packages"
}

# Word splitting makes the lists into arguments.
# shellcheck disable=SC2086
case ${1:-} in
    run) look_for $run_tools ;;
    run-model) look_for $run_tools python3=python3; look_for_venv ;;
    lint) look_for $lint_tools ;;
    fuzz) look_for $fuzz_tools ;;
    test) look_for $test_tools; look_for_postgres; look_for_venv ;;
    images) look_for $images_tools ;;
    cluster) look_for $cluster_tools ;;
    e2e) look_for $test_tools $e2e_tools; look_for_postgres; look_for_venv ;;
    apt-line) look_for $run_tools $fuzz_tools $lint_tools $test_tools $images_tools $cluster_tools $e2e_tools; look_for_postgres; look_for_venv; apt_line; exit 0 ;;
    *) echo "usage: tools.sh run|run-model|test|lint|fuzz|images|cluster|e2e|apt-line" >&2; exit 2 ;;
esac

status=0
if [ ${#missing_tools[@]} -gt 0 ]; then
    echo "missing: ${missing_tools[*]}" >&2
    echo "on Debian or Ubuntu, as root:  $(apt_line)" >&2
    status=1
fi
if [ "$1" = cluster ] && [ -n "$(machine_faults)" ]; then
    machine_faults | sed 's/^/missing: /' >&2
    status=1
fi
go_needed=$(go_needed_by "$1")
if [ -n "$go_needed" ] && ! go_is_new_enough "$go_needed"; then
    echo "missing: Go $go_needed or newer; see https://go.dev/doc/install (Go 1.21 and newer fetch it, unless GOTOOLCHAIN is local)" >&2
    status=1
fi
if [ "$1" != cluster ] && ! has cargo; then
    echo "missing: cargo; install Rust 1.95 or newer with rustup, https://rustup.rs" >&2
    status=1
fi
exit $status
