#!/usr/bin/env bash
# Makes the image of the stand-in for language models, stand-in-models:test: the program that was compiled for the
# tests, with the libraries that it is linked to, so that it runs wherever this machine's programs do.
# usage: stand-in.sh PROGRAM
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=${1:?the program}
folder=$(mktemp --directory)
trap 'rm --recursive --force "$folder"' EXIT

# The paths in ldd's lines, including the loader's.
mkdir "$folder/root"
for library in $(ldd "$program" | grep --only-matching '/[^ ]*'); do
    install -D --mode=755 "$library" "$folder/root$library"
done
strip --output-file="$folder/root/stand-in-models" "$program"
cat >"$folder/Dockerfile" <<'END'
FROM scratch
COPY root/ /
USER 65532:65532
ENTRYPOINT ["/stand-in-models"]
END
tag=docker.io/library/stand-in-models:test
case ${IMAGE_BUILDER:-buildkit} in
    buildkit) "$here/buildah.sh" bud --quiet --layers --tag "$tag" --file "$folder/Dockerfile" "$folder" >/dev/null ;;
    docker) docker build --quiet --tag "$tag" --file "$folder/Dockerfile" "$folder" >/dev/null ;;
esac
