#!/usr/bin/env bash
# Pushes an OCI archive to a registry and prints one line, the reference with its digest there:
# REGISTRY/NAME:TAG@sha256:…
# usage: push.sh FILE REGISTRY/NAME:TAG
# User and registry are configured as for skopeo:
#   REGISTRY_AUTH_FILE          the file of `skopeo login`, with user and password
#   CONTAINERS_REGISTRIES_CONF  another registries.conf, for a registry without TLS
set -euo pipefail

fail() {
    echo "push.sh: $1" >&2
    exit 1
}

[ $# = 2 ] || fail "usage: push.sh FILE REGISTRY/NAME:TAG"
type -P skopeo >/dev/null || fail "skopeo is missing: apt-get install skopeo, or see https://github.com/containers/skopeo"
[ -s "$1" ] || fail "$1: there is no such archive; build.sh makes it"
[[ "$2" =~ ^[^/@]+/[^@]+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] ||
    fail "$2: must be REGISTRY/NAME:TAG; a tag has letters, digits, and . _ - after the first of them"

digest=$(mktemp)
trap 'rm -f "$digest"' EXIT
# Older versions of skopeo, as in Debian 12, do not know the variable, but have the option.
registries=()
if [ -n "${CONTAINERS_REGISTRIES_CONF:-}" ]; then registries=(--registries-conf "$CONTAINERS_REGISTRIES_CONF"); fi
skopeo "${registries[@]}" copy --quiet --preserve-digests --digestfile "$digest" "oci-archive:$1" "docker://$2" >&2 ||
    fail "$2: was not pushed; skopeo said why. User and password: REGISTRY_AUTH_FILE; no TLS: CONTAINERS_REGISTRIES_CONF"
echo "$2@$(cat "$digest")"
