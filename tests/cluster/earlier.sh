#!/usr/bin/env bash
# Builds an earlier version of the project once: its two images as OCI archives, routing.tar and routing-operator.tar,
# and its files, tree/, for the test that upgrades from it to this version and back. It is built by its own scripts.
# Prints one line, the folder; everything else goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
. "$here/../setup/once.sh"

commit=ef27131280d1 # the last before Flux, SOPS and the delivery by Git

check_history() {
    if git -C "$checkout" cat-file -e "$commit^{commit}" 2>/dev/null; then return; fi
    echo "commit $commit is not in this checkout; get the whole history: git fetch --unshallow" >&2
    exit 1
}

# With a cache folder of its own: its base images are made by its own scripts, too, and must not be taken for today's.
make_earlier() {
    local name version=0.1.0-$commit tree=$1/tree
    export ROUTING_CACHE=$1/cache
    mkdir -p "$tree"
    git -C "$checkout" archive "$commit" | tar --extract --directory "$tree"
    VERSION=$version "$tree/tests/cluster/images.sh" routing routing-operator
    for name in routing routing-operator; do
        "$tree/tests/cluster/buildah.sh" push --quiet "docker.io/library/$name:$version" "oci-archive:$1/$name.tar:$version"
    done
    rm -rf "$ROUTING_CACHE"
}

check_history
folder=$cache/earlier-$commit
once "$folder" make_earlier
echo "$folder"
