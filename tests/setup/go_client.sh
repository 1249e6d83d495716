#!/usr/bin/env bash
# Builds the command line around the Go SDK's MCP client, for the tests. Prints one line, the program's path; everything
# else goes to stderr.
set -euo pipefail

. "$(dirname "$0")/go.sh"
module=$setup/../clients/go

make_client() {
    echo "building the Go MCP client from its modules …"
    cd "$module"
    go_build -ldflags '-s -w' -o "$1/client" .
}

folder="$cache/go-client-$(hash_of "$setup/go_client.sh" "$module/go.mod" "$module/go.sum" "$module/main.go")"
once "$folder" make_client
echo "$folder/client"
