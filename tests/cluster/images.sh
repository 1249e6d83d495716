#!/usr/bin/env bash
# Builds the project's images from their Dockerfiles, unchanged, and prints how long it took and how large they are.
# usage: images.sh [NAME…]          routing, routing-operator, litellm, postgres; all of them without a name
#        images.sh --inspect NAME   prints files, config and size of an image as JSON
# They are tagged routing:VERSION, routing-operator:VERSION, litellm:test and postgres:test.
#   VERSION         of the programs; without it the workspace's
#   IMAGE_BUILDER   buildkit: the first two are built as they are delivered, by deploy/delivery/build.sh, the others by
#                   buildah, with the local images of base-images.sh. All are in the store of buildah.sh then, and the
#                   archives of the first two in the cache folder, images/NAME.tar
#                   docker: by its daemon, which pulls what the Dockerfiles begin with
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
. "$here/../setup/once.sh"
builder=${IMAGE_BUILDER:-buildkit}
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"$/\1/p' "$checkout/Cargo.toml" | head -n 1)}

fail() {
    echo "$1" >&2
    exit 1
}

# The full name, which a cluster sees, whatever the builder makes of a short one. A tag cannot contain a +.
tag_of() {
    case $1 in
        routing | routing-operator) echo "docker.io/library/$1:${version//+/_}" ;;
        litellm | postgres) echo "docker.io/library/$1:test" ;;
        *) fail "there is no image $1; there are routing, routing-operator, litellm and postgres" ;;
    esac
}

build() { # NAME
    local tag
    tag=$(tag_of "$1")
    case $builder-$1 in
        # Its commands trust the package registries that this machine trusts. The volume is in no layer.
        buildkit-litellm)
            with_buildah "$tag" litellm "$checkout/tests/clients" --volume /etc/ssl/certs:/etc/ssl/certs:ro ;;
        # Debian's packages are signed, and one of them writes into that folder.
        buildkit-postgres) with_buildah "$tag" postgres "$here/postgres" ;;
        buildkit-*) with_buildkit "$1" "$tag" ;;
        docker-litellm) docker build --quiet --tag "$tag" --file "$here/litellm/Dockerfile" "$checkout/tests/clients" ;;
        docker-postgres) docker build --quiet --tag "$tag" "$here/postgres" ;;
        docker-*) with_docker "$tag" "$checkout/Dockerfile.${1#routing-}" ;;
    esac
}

with_buildah() { # TAG NAME CONTEXT [OPTION…]
    "$here/buildah.sh" bud --quiet --layers --isolation chroot --pull=never --tag "$1" "${@:4}" \
        --file "$here/$2/Dockerfile" "$3"
}

with_docker() { # TAG DOCKERFILE
    local revision
    revision=$(git -C "$checkout" rev-parse HEAD 2>/dev/null || echo unknown)
    docker build --quiet --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "$1" --file "$2" "$checkout"
}

with_buildkit() { # NAME TAG
    local archive=$cache/images/$1.tar id
    VERSION=$version "$here/with-buildkit.sh" "$checkout/deploy/delivery/build.sh" "$1" "$archive" &&
        id=$("$here/buildah.sh" pull --quiet "oci-archive:$archive") &&
        "$here/buildah.sh" tag "$id" "$2" &&
        forget "$1"
}

# Removes what earlier builds of the image left in the store without a tag.
forget() { # NAME
    "$here/buildah.sh" images --quiet --no-trunc --filter dangling=true --filter "label=org.opencontainers.image.title=$1" |
        xargs --no-run-if-empty "$here/buildah.sh" rmi
}

# archive NAME FILE: the image as `docker save` writes it.
archive() {
    local tag
    tag=$(tag_of "$1")
    case $builder in
        buildkit) "$here/buildah.sh" push --quiet "$tag" "docker-archive:$2:$tag" >&2 ;;
        docker) docker save --output "$2" "$tag" ;;
    esac
}

inspect() {
    local folder
    folder=$(mktemp -d)
    # Expanded now, as the variable is gone at the end.
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    archive "$1" "$folder/image.tar"
    python3 "$here/inspect_image.py" "$folder/image.tar"
}

size_of() {
    local sizes
    case $builder in
        buildkit) sizes=$("$here/buildah.sh" images --noheading --format '{{.Size}}' "$(tag_of "$1")") ;;
        docker) sizes=$(docker images --format '{{.Size}}' "$(tag_of "$1")") ;;
    esac
    # The image may have other names, each with a line.
    head -n 1 <<<"$sizes"
}

# The output of a build is only of interest if it fails.
build_all() {
    local name began log
    for name; do
        began=$SECONDS log=$cache/images/$name.log
        mkdir -p "$cache/images"
        build "$name" >"$log" 2>&1 || { cat "$log" >&2; fail "$name was not built; see above, or $log"; }
        echo "$(tag_of "$name"): built in $((SECONDS - began)) s, $(size_of "$name")"
    done
}

case $builder in
    buildkit) ;;
    docker) docker info >/dev/null 2>&1 || fail "docker info: no daemon answers; start it, or unset IMAGE_BUILDER" ;;
    *) fail "IMAGE_BUILDER: $builder: must be buildkit or docker" ;;
esac
if [ "${1:-}" = --inspect ]; then
    inspect "${2:?the name of an image}"
    exit
fi
if [ $# = 0 ]; then set -- routing routing-operator litellm postgres; fi
for name; do tag_of "$name" >/dev/null; done
if [ "$builder" = buildkit ]; then "$here/base-images.sh"; fi
build_all "$@"
