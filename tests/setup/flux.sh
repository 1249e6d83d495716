#!/usr/bin/env bash
# Builds Flux's source-controller and kustomize-controller, sops, and a server for Git repositories from their Go
# modules, for the tests on the cluster. Prints one line, the folder of the programs and of the controllers' CRDs
# (crds/); everything else goes to stderr.
set -euo pipefail

. "$(dirname "$0")/go.sh"
flux=$setup/../cluster/flux

# In one call, so that what the programs share is compiled once; much of it is Kubernetes' and compiled already.
make_flux() {
    local controller
    echo "building Flux and sops from their Go modules (two to eight minutes) …"
    cd "$flux"
    mkdir -p "$1/crds"
    go_build -ldflags '-s -w' -o "$1/" tool ./git-server
    for controller in source-controller kustomize-controller; do
        install --mode=644 --target-directory="$1/crds" \
            "$(go list -m -f '{{.Dir}}' "github.com/fluxcd/$controller")"/config/crd/bases/*.yaml
    done
}

folder="$cache/flux-$(hash_of "$setup/flux.sh" "$flux/go.mod" "$flux/go.sum" "$flux/git-server/main.go")"
once "$folder" make_flux
echo "$folder"
