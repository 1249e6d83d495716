#!/usr/bin/env bash
# Builds one of the two images with BuildKit and writes it as an OCI archive. The crates are fetched here and passed on,
# so that the build itself needs no network. From one commit and one base image it is the same every time, byte for
# byte.
# usage: build.sh routing|routing-operator FILE
#   VERSION         of the programs; default: that of version.sh
#   BASE_IMAGES     a folder with the images of FROM lines that cannot be pulled: OCI layouts, each in a folder with the
#                   image's short name, such as rust:1.95-bookworm
#   BUILDKIT_HOST   of buildctl: where the daemon listens
#   ROUTING_CACHE   where the crates are kept; default: ~/.cache/routing
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
. "$checkout/tests/setup/once.sh"

fail() {
    echo "build.sh: $1" >&2
    exit 1
}

needs() { type -P "$1" >/dev/null || fail "$1 is missing: $2"; }

check_tools() {
    needs cargo "install Rust with rustup, https://rustup.rs; it fetches the crates"
    needs git "install it; the image records the commit that it is built from"
    needs buildctl "install BuildKit, https://github.com/moby/buildkit, and put its programs into PATH"
    buildctl debug workers >/dev/null ||
        fail "no BuildKit daemon answers${BUILDKIT_HOST:+ at $BUILDKIT_HOST}: start buildkitd, or set BUILDKIT_HOST"
}

# Writes the crates and the settings that make cargo use only them. Cargo prints the settings unless it is quiet, so its
# other output goes to a file. The Dockerfiles mount the folder as the project's .cargo.
make_vendor() {
    echo "fetching the crates of Cargo.lock (400 MB) …"
    mkdir -p "$1/.cargo"
    cd "$1"
    cargo vendor --locked --respect-source-config --manifest-path "$checkout/Cargo.toml" .cargo/crates >config.toml 2>log ||
        { tail --lines 9 log >&2; fail "cargo vendor: failed; see above, or $1/log"; }
    mv config.toml .cargo/
}

# digest_of LAYOUT: of the only image in it.
digest_of() {
    local digests
    mapfile -t digests < <(sed 's/"digest"/\n&/g' "$1/index.json" | sed -n 's/^"digest": *"\(sha256:[0-9a-f]*\)".*/\1/p')
    [ ${#digests[@]} = 1 ] || fail "BASE_IMAGES: $1: has ${#digests[@]} images; must have one"
    echo "${digests[0]}"
}

# Sets bases to the options that replace the images that would be pulled with those of BASE_IMAGES.
look_for_bases() {
    local folder=$1 layout digest count=0
    [ -d "$folder" ] || fail "BASE_IMAGES: $folder: there is no such folder"
    while IFS= read -r layout; do
        digest=$(digest_of "$layout")
        count=$((count + 1))
        bases+=(--oci-layout "base$count=$layout" --opt "context:${layout#"$folder"/}=oci-layout://base$count@$digest")
    done < <(find "$folder" -name oci-layout -printf '%h\n')
    [ $count -gt 0 ] || fail "BASE_IMAGES: $folder: has no OCI layout in it"
}

[ $# = 2 ] || fail "usage: build.sh routing|routing-operator FILE"
case $1 in
    routing) dockerfile=Dockerfile.routing ;;
    routing-operator) dockerfile=Dockerfile.operator ;;
    *) fail "there is no image $1; there are routing and routing-operator" ;;
esac
check_tools
version=${VERSION:-$("$here/version.sh")}
revision=$(git -C "$checkout" rev-parse HEAD 2>/dev/null || echo unknown)
times=$(git -C "$checkout" log -1 --format=%ct 2>/dev/null || echo 0)
bases=()
if [ -n "${BASE_IMAGES:-}" ]; then look_for_bases "$(realpath --canonicalize-missing "$BASE_IMAGES")"; fi
vendor=$cache/vendor-$(hash_of "$checkout/Cargo.lock")
once "$vendor" make_vendor

# Times in the image are the commit's; only the exporter gets them, so the builder's layers do not change with them.
# FILE is complete or does not exist.
trap 'rm -f "$2.new"' EXIT
buildctl build --progress plain --frontend dockerfile.v0 --opt "filename=$dockerfile" --opt force-network-mode=none \
    --local "context=$checkout" --local "dockerfile=$checkout" \
    --local "vendor=$vendor/.cargo" --opt context:vendor=local:vendor "${bases[@]}" \
    --opt "build-arg:VERSION=$version" --opt "build-arg:REVISION=$revision" \
    --output "type=oci,rewrite-timestamp=true,source-date-epoch=$times" >"$2.new"
mv "$2.new" "$2"
echo "$1 $version: $2" >&2
