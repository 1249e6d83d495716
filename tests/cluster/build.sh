#!/usr/bin/env bash
# Builds what the cluster runs, from Go modules and once: Kubernetes, and the images of its DNS and of the pods' first
# process. Prints two lines, the folder of the programs and that of the images; everything else goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR/../setup # go.sh sources once.sh, beside it
. "$here/../setup/go.sh"

# pack FOLDER NAME: makes NAME.tar of the program NAME: an image of that one file, in the form of `docker save`.
pack() {
    local work layer
    work=$(mktemp --directory --tmpdir="$1")
    tar --create --sort name --mtime @0 --owner 0 --group 0 --numeric-owner --file "$work/layer.tar" --directory "$1" "$2"
    layer=$(sha256sum "$work/layer.tar" | cut --delimiter ' ' --fields 1)
    cat >"$work/config.json" <<END
{"os": "linux", "architecture": "$(go env GOARCH)",
 "config": {"User": "65532:65532", "Entrypoint": ["/$2"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
END
    cat >"$work/manifest.json" <<END
[{"Config": "config.json", "RepoTags": ["localhost/$2:1"], "Layers": ["layer.tar"]}]
END
    tar --create --file "$1/$2.tar" --directory "$work" manifest.json config.json layer.tar
    rm --recursive "$work" "${1:?}/$2"
}

make_images() {
    echo "building the cluster's DNS (one to four minutes) …"
    mkdir --parents "$1"
    (cd "$here/dns" && go_build -ldflags '-s -w' -o "$1/coredns" .)
    (cd "$here" && go_build -ldflags '-s -w' -o "$1/pause" ./pause)
    pack "$1" coredns
    pack "$1" pause
}

"$here/../setup/kubernetes.sh"
images="$cache/cluster-images-$(hash_of "$here/build.sh" "$here"/dns/go.{mod,sum} "$here"/{dns,pause}/main.go)"
once "$images" make_images
echo "$images"
