#!/usr/bin/env bash
# Makes, in the store of buildah.sh, the images that the Dockerfiles begin with, for a machine that cannot pull them:
# from Debian's packages and, for the one of Rust, this machine's toolchain. An image of that name is kept, unless it
# was made here from something else. The one of Rust is also put where BuildKit gets it, as an OCI layout in images/base
# of the cache folder.
# usage: base-images.sh   APT_SOURCES: a file of Debian's package sources, else those of this machine if it is a Debian
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
. "$here/../setup/once.sh"
label=routing.base-image.made-of
container=

store() { "$here/buildah.sh" "$@"; }

# Removes what an interrupted run was working on.
# shellcheck disable=SC2317,SC2329 # called by the trap
clean() { if [ -n "$container" ]; then store rm "$container" >/dev/null; fi; }
trap clean EXIT

# base_of DOCKERFILE: the image of its first FROM that has a tag, registry/…/NAME:VERSION-SUITE.
base_of() { sed -n 's/^FROM \([^ ]*:[^ ]*\).*/\1/p' "$1" | head -n 1; }

# is_kept IMAGE KEY: it is there, and either from elsewhere or made of the same.
is_kept() {
    local made_of
    made_of=$(store inspect --type image --format "{{index .OCIv1.Config.Labels \"$label\"}}" "$1" 2>/dev/null) || return 1
    [ -z "$made_of" ] || [ "$made_of" = "$2" ]
}

# make_image IMAGE KEY FUNCTION: makes the image, unless it is kept; the function fills its root folder.
make_image() {
    local image=$1 key began=$SECONDS root
    key=$(hash_of "$0" - <<<"$2")
    if is_kept "$image" "$key"; then return; fi
    echo "making $image …"
    container=$(store from scratch)
    root=$(store mount "$container")
    "$3" "$root" "${image##*-}"
    store config --label "$label=$key" --cmd bash "$container"
    store commit --quiet --rm "$container" "$image" >/dev/null
    container=
    echo "made $image in $((SECONDS - began)) s"
}

# lay_out IMAGE: in a folder with the image's short name, once.
lay_out() {
    local folder=$cache/images/base/${1#docker.io/library/} new=$cache/images/base.new began=$SECONDS id
    id=$(store inspect --type image --format '{{.FromImageID}}' "$1")
    if [ "$(cat "$folder/made-of" 2>/dev/null)" = "$id" ]; then return; fi
    rm -rf "$folder" "$new"
    store push --quiet "$1" "oci:$new"
    echo "$id" >"$new/made-of"
    mkdir -p "$(dirname "$folder")"
    mv "$new" "$folder"
    echo "laid out $1 in $((SECONDS - began)) s"
}

# debian FOLDER SUITE PACKAGES: a small Debian with these packages.
debian() {
    local of_machine=/etc/apt/sources.list.d/debian.sources sources=()
    if [ -n "${APT_SOURCES:-}" ]; then
        sources=("$APT_SOURCES")
    elif [ -e "$of_machine" ]; then
        sources=("$of_machine")
    fi
    mmdebstrap --quiet --variant=minbase --include="$3" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "$2" "$1" "${sources[@]}"
    # They are this machine's; a builder puts its own there.
    rm -f "$1/etc/resolv.conf" "$1/etc/hostname"
}

# As in the official image: /usr/local/rustup and /usr/local/cargo. There is no rustup itself.
make_rust() {
    local toolchain=$1/usr/local/rustup/toolchain program
    debian "$1" "$2" gcc,libc6-dev,ca-certificates
    mkdir -p "$toolchain" "$1/usr/local/cargo/bin"
    cp --archive "$sysroot/bin" "$sysroot/lib" "$toolchain/"
    for program in "$toolchain"/bin/*; do
        ln -s "../../rustup/toolchain/bin/$(basename "$program")" "$1/usr/local/cargo/bin/"
    done
    store config --env CARGO_HOME=/usr/local/cargo --env RUSTUP_HOME=/usr/local/rustup \
        --env "PATH=/usr/local/cargo/bin:$path" "$container"
}

# As in the official image, Python and pip are in /usr/local, and pip may install.
make_python() {
    local program
    debian "$1" "$2" python3,python3-venv,python3-pip,ca-certificates
    for program in python=python3 python3=python3 pip=pip3 pip3=pip3; do
        ln -s "../../bin/${program#*=}" "$1/usr/local/bin/${program%=*}"
    done
    rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED
    store config --env "PATH=$path" "$container"
    if [ ! -d "$1/usr/lib/python$python_version" ]; then
        echo "Debian $2 has no Python $python_version, which $litellm begins with" >&2
        exit 1
    fi
}

# The folder of a Rust toolchain of the image's version.
sysroot_of() {
    local toolchain
    for toolchain in '' "+$1" "+$1.0"; do
        # Word splitting drops the empty one.
        # shellcheck disable=SC2086
        if rustc $toolchain --version 2>/dev/null | grep --quiet "^rustc $1[. ]"; then
            rustc $toolchain --print sysroot
            return
        fi
    done
    echo "$rust is made from Rust $1, which is not here: rustup toolchain install $1" >&2
    exit 1
}

version_of() { local tag=${1##*:}; echo "${tag%%-*}"; }

path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
litellm=$here/litellm/Dockerfile
rust=$(base_of "$checkout/Dockerfile.routing")
python=$(base_of "$litellm")
python_version=$(version_of "$python")
sysroot=$(sysroot_of "$(version_of "$rust")")
make_image "$rust" "$("$sysroot/bin/rustc" -vV)" make_rust
make_image "$python" "" make_python
lay_out "$rust"
