#!/usr/bin/env bash
# Has etcd forget all but the present. With the API server stopped before and started after, which remembers nothing
# itself, every watch is too old that goes on from a resourceVersion of before. Prints the revision that is left.
set -euo pipefail

. "$(dirname "$0")/env.sh"

# ask WHAT BODY: prints the revision in etcd's answer.
ask() {
    curl --silent --show-error --fail --data "$2" "$etcd_url/v3/kv/$1" |
        sed --quiet 's/.*"revision": *"\([0-9]*\)".*/\1/p'
}

if [ ! -e "$mark" ]; then
    echo "there is no cluster in $state; start one: make cluster" >&2
    exit 1
fi
# A key of no object comes and goes, so that nobody has seen the present: who has seen the last change misses nothing.
key=$(printf routing-e2e | base64)
ask put "{\"key\": \"$key\"}" >/dev/null
revision=$(ask deleterange "{\"key\": \"$key\"}")
ask compaction "{\"revision\": \"$revision\", \"physical\": true}" >/dev/null
echo "etcd has forgotten what was before revision $revision"
