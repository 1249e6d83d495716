#!/usr/bin/env bash
# Prepares the real programs that tests talk to: a Python environment with LiteLLM and the MCP client, Claude Code, other
# MCP clients and conformance suites, a small language model, an OpenTelemetry collector, and Kubernetes with kubectl.
# They live in the cache folder, each in a folder named by the hash of what it is made from, so that they are made once.
# With KUBEBUILDER_ASSETS set, etcd and kube-apiserver are taken from there.
# Prints lines for the shell, which a caller evaluates; everything else goes to stderr:
#   export ROUTING_TEST_VENV=…         the folder of the Python environment
#   export ROUTING_TEST_CLAUDE=…       the Claude Code program
#   export ROUTING_TEST_FASTMCP=…      the folder of fastmcp's Python environment
#   export ROUTING_TEST_GO_CLIENT=…    the client of the Go SDK
#   export ROUTING_TEST_INSPECTION=…   the folder of the MCP inspector, the conformance suites and their Node
#   export ROUTING_TEST_MODEL=…        the Python that serves the language model
#   export ROUTING_TEST_AXE=…          the script of axe-core
#   export ROUTING_TEST_KUBERNETES=…   the folder of Kubernetes
#   export ROUTING_TEST_COLLECTOR=…    the OpenTelemetry collector
set -euo pipefail

setup=$(cd "$(dirname "$0")" && pwd)
here=$(cd "$setup/../clients" && pwd)
. "$setup/once.sh"

# make_venv SOURCE FOLDER: a Python environment with what the requirements in SOURCE name.
make_venv() {
    echo "installing $(grep -v '^mcp' "$1/requirements.txt") for Python (up to 750 MB, one to three minutes) …"
    python3 -m venv "$2"
    "$2/bin/pip" install --quiet --disable-pip-version-check -r "$1/requirements.txt" -c "$1/constraints.txt"
}

python_version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# venv NAME SOURCE: prepares one and prints its folder.
venv() {
    local folder
    folder="$cache/$1-$python_version-$(hash_of "$2/requirements.txt" "$2/constraints.txt")"
    once "$folder" make_venv "$2"
    echo "$folder"
}

python=$(venv venv "$here")
# An environment of its own: what it requires excludes what LiteLLM requires.
fastmcp=$(venv fastmcp "$here/fastmcp")
claude=$("$setup/claude.sh")
axe=$("$setup/axe.sh")
model=$("$setup/model.sh")
kubernetes=$("$setup/kubernetes.sh")
collector=$("$setup/collector.sh")
inspection=$("$setup/inspection.sh")
go_client=$("$setup/go_client.sh")

printf 'export %s=%q\n' ROUTING_TEST_AXE "$axe" ROUTING_TEST_VENV "$python" ROUTING_TEST_CLAUDE "$claude" \
    ROUTING_TEST_FASTMCP "$fastmcp" ROUTING_TEST_GO_CLIENT "$go_client" ROUTING_TEST_INSPECTION "$inspection" \
    ROUTING_TEST_MODEL "$model" ROUTING_TEST_KUBERNETES "$kubernetes" ROUTING_TEST_COLLECTOR "$collector"
