#!/usr/bin/env bash
# Checks for the tools that a target needs and says how to get those that are missing. Installs nothing.
# usage: tools.sh run|test|lint   exits with 1 and names what is missing
#        tools.sh apt-line        prints the one line that installs all that is missing; nothing when nothing is
set -euo pipefail

# tool=package: what each target needs, and where Debian and Ubuntu have it.
run_tools="cc=build-essential make=make"
lint_tools="cc=build-essential git=git make=make python3=python3 shellcheck=shellcheck"
test_tools="cc=build-essential curl=curl git=git kill=procps make=make mkfifo=coreutils npm=npm openssl=openssl python3=python3"

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

look_for_venv() {
    if ! has python3 || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        missing_tools+=("python3 -m venv")
        missing_packages+=(python3-venv)
    fi
}

# Debian's own Go is often too old; since 1.21 Go gets the version that it is asked for.
go_needed=1.24
go_is_new_enough() {
    local version
    has go && version=$(go env GOVERSION) && version=${version#go} &&
        [ "$(printf '%s\n' 1.21 "$version" | sort -V | head -n 1)" = 1.21 ]
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
    lint) look_for $lint_tools ;;
    test) look_for $test_tools; look_for_venv ;;
    apt-line) look_for $run_tools $lint_tools $test_tools; look_for_venv; apt_line; exit 0 ;;
    *) echo "usage: tools.sh run|test|lint|apt-line" >&2; exit 2 ;;
esac

status=0
if [ ${#missing_tools[@]} -gt 0 ]; then
    echo "missing: ${missing_tools[*]}" >&2
    echo "on Debian or Ubuntu, as root:  $(apt_line)" >&2
    status=1
fi
if [ "${1:-}" = test ] && ! go_is_new_enough; then
    echo "missing: Go $go_needed or newer; see https://go.dev/doc/install (an older one from 1.21 on fetches it by itself)" >&2
    status=1
fi
if ! has cargo; then
    echo "missing: cargo; install Rust 1.95 or newer with rustup, https://rustup.rs" >&2
    status=1
fi
exit $status
