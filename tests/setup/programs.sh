#!/usr/bin/env bash
# Prepares the real programs that tests talk to: a Python environment with LiteLLM and the MCP client, Claude Code, a
# small language model, an OpenTelemetry collector, and Kubernetes with kubectl. They live in the cache folder, each in a folder named by the hash of
# what it is made from, so that they are made once. With KUBEBUILDER_ASSETS set, etcd and kube-apiserver are taken from there.
# Prints five lines for the shell, which a caller evaluates; everything else goes to stderr:
#   export ROUTING_TEST_VENV=…         the folder of the Python environment
#   export ROUTING_TEST_CLAUDE=…       the Claude Code program
#   export ROUTING_TEST_MODEL=…        the Python that serves the language model
#   export ROUTING_TEST_AXE=…          the script of axe-core
#   export ROUTING_TEST_KUBERNETES=…   the folder of Kubernetes
#   export ROUTING_TEST_COLLECTOR=…    the OpenTelemetry collector
set -euo pipefail

setup=$(cd "$(dirname "$0")" && pwd)
here=$(cd "$setup/../clients" && pwd)
. "$setup/once.sh"

make_venv() {
    echo "installing LiteLLM and the Python MCP client (about 750 MB, one to three minutes) …"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" -c "$here/constraints.txt"
}

python_version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
venv="$cache/venv-$python_version-$(hash_of "$here/requirements.txt" "$here/constraints.txt")"
once "$venv" make_venv
claude=$("$setup/claude.sh")
axe=$("$setup/axe.sh")
model=$("$setup/model.sh")
kubernetes=$("$setup/kubernetes.sh")
collector=$("$setup/collector.sh")

printf 'export %s=%q\n' ROUTING_TEST_AXE "$axe" ROUTING_TEST_VENV "$venv" ROUTING_TEST_CLAUDE "$claude" ROUTING_TEST_MODEL "$model" \
    ROUTING_TEST_KUBERNETES "$kubernetes" ROUTING_TEST_COLLECTOR "$collector"
