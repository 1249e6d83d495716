#!/usr/bin/env bash
# Builds the command line around the Go SDK's MCP client, for the tests. Prints one line, the program's path; everything
# else goes to stderr.
set -euo pipefail

. "$(dirname "$0")/go.sh"
go_program go-client "$setup/../clients/go"
