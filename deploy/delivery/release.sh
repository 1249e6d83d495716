#!/usr/bin/env bash
# Writes a release for a GitOps repository into a folder, which must be empty or not exist: this checkout's CRD and
# manifests as they are, and images/, a kustomize component that puts the pushed images into any of them.
# usage: release.sh ROUTING_REFERENCE OPERATOR_REFERENCE FOLDER
# References are as push.sh prints them, REGISTRY/NAME:TAG@sha256:…, and of one version.
set -euo pipefail

checkout=$(cd "$(dirname "$0")/../.." && pwd)
# With the same paths as here, because they refer to one another.
parts=(crds/kustomization.yaml crds/routingpolicies.yaml deploy/operator deploy/operator-secret-label deploy/brain
    deploy/standalone)

fail() {
    echo "release.sh: $1" >&2
    exit 1
}

check_reference() {
    [[ "$1" =~ ^[^/@\"\ ]+/[^@\"\ ]+:[A-Za-z0-9_][A-Za-z0-9_.-]*@sha256:[0-9a-f]{64}$ ]] ||
        fail "$1: must be REGISTRY/NAME:TAG@sha256:…, as push.sh prints it; a tag alone may become another image"
}

name_of() { local image=${1%@*}; echo "${image%:*}"; }
tag_of() { local image=${1%@*}; echo "${image##*:}"; }

# image NAME REFERENCE: the name in the manifests, and what replaces it.
image() {
    cat <<END
  - name: $1
    newName: $(name_of "$2")
    newTag: "$(tag_of "$2")"
    digest: ${2#*@}
END
}

# Over manifests without these images or that Deployment it changes nothing.
component() {
    cat <<END
# Written by deploy/delivery/bump.sh together with the rest of the folder: a change here is gone with the next release.
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
images:
$(image routing-operator "$operator")
$(image routing "$routing")
$(image gitea.d-ma.be/mathias/routing "$routing")
patches:
  - target:
      kind: Deployment
      name: routing-operator
    patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata:
        name: routing-operator
      spec:
        template:
          spec:
            containers:
              - name: operator
                env:
                  - name: ROUTING_IMAGE
                    value: $routing
END
}

[ $# = 3 ] || fail "usage: release.sh ROUTING_REFERENCE OPERATOR_REFERENCE FOLDER"
routing=$1 operator=$2 folder=$(realpath --canonicalize-missing "$3")
check_reference "$routing"
check_reference "$operator"
[ "$(tag_of "$routing")" = "$(tag_of "$operator")" ] ||
    fail "$routing and $operator: must have one tag, since a release is one version of both"
mkdir -p "$folder/images"
cd "$checkout"
cp --recursive --parents "${parts[@]}" "$folder"
component >"$folder/images/kustomization.yaml"
