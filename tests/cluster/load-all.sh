#!/usr/bin/env bash
# Copies the images that the tests need into the cluster, with E2E_LOAD, otherwise with load.sh. The data plane's gets a
# second tag, too: to a cluster that is another image, which makes a rolling update.
# usage: load-all.sh VERSION
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
names=docker.io/library
case ${IMAGE_BUILDER:-buildkit} in
    buildkit) "$here/buildah.sh" tag "$names/routing:$1" "$names/routing:next" ;;
    docker) docker tag "$names/routing:$1" "$names/routing:next" ;;
esac
# It may have arguments.
read -ra load <<<"${E2E_LOAD:-$here/load.sh}"
"${load[@]}" "$names/routing:$1" "$names/routing:next" "$names/routing-operator:$1" "$names/litellm:test" \
    "$names/postgres:test" "$names/stand-in-models:test" >/dev/null
