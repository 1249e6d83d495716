#!/usr/bin/env bash
# Builds an OpenTelemetry collector from its Go modules, for the tests. Prints one line, the program's path; everything
# else goes to stderr.
set -euo pipefail

. "$(dirname "$0")/go.sh"
go_program collector "$setup/../collector"
