#!/usr/bin/env bash
# Prepares what examines MCP servers in the cache folder: the inspector, the newest stable and the newest alpha
# conformance suite, and the Node that they need, which is newer than some distributions'. Prints the folder.
set -euo pipefail

. "$(dirname "$0")/npm.sh"
here=$setup/../clients/inspection

make_inspection() {
    echo "installing the MCP inspector, two conformance suites and their Node (about 340 MB) …"
    npm_install "$here" "$1"
    local node
    for node in "$1"/node_modules/node-linux-*/bin/node; do
        if [ ! -x "$node" ]; then
            echo "npm has no Node for this machine ($(uname -sm)): package node-linux-*"
            exit 1
        fi
        ln -s "$node" "$1/node"
    done
}

inspection="$cache/inspection-$(hash_of "$setup/inspection.sh" "$here/package-lock.json")"
once "$inspection" make_inspection
echo "$inspection"
