"""Prints what an image contains, as JSON: python3 inspect_image.py ARCHIVE, which is an output of `docker save`.

files: everything that is not a folder, each with path, bytes, mode, uid and gid, and the target of a link
folders: path, mode, uid and gid
config: user, env, ports, entry point, command, folder, labels; platform: os/architecture
bytes: the layers, uncompressed
"""

import json
import sys
import tarfile


def entry(member):
    """One line of a listing."""
    seen = {"path": "/" + member.name.removeprefix("./").strip("/"), "mode": oct(member.mode), "uid": member.uid, "gid": member.gid}
    if not member.isdir():
        seen["bytes"] = member.size
    if member.linkname:
        seen["target"] = member.linkname
    return seen


def read_layer(archive, name, files, folders):
    """Adds a layer's entries and returns its size."""
    size = 0
    with tarfile.open(fileobj=archive.extractfile(name), mode="r:*") as layer:
        for member in layer:
            seen = entry(member)
            (folders if member.isdir() else files)[seen["path"]] = seen
        size = layer.offset
    return size


def inspect(path):
    """The image of an archive."""
    files, folders = {}, {}
    with tarfile.open(path) as archive:
        image = json.load(archive.extractfile("manifest.json"))[0]
        config = json.load(archive.extractfile(image["Config"]))
        size = sum(read_layer(archive, layer, files, folders) for layer in image["Layers"])
    run = config.get("config", {})
    return {
        "tags": image.get("RepoTags") or [],
        "platform": f"{config.get('os')}/{config.get('architecture')}",
        "bytes": size,
        "config": {
            "user": run.get("User", ""),
            "env": run.get("Env") or [],
            "ports": sorted(run.get("ExposedPorts") or {}),
            "entrypoint": run.get("Entrypoint") or [],
            "command": run.get("Cmd") or [],
            "folder": run.get("WorkingDir", ""),
            "labels": run.get("Labels") or {},
        },
        "files": [files[path] for path in sorted(files)],
        "folders": [folders[path] for path in sorted(folders)],
    }


if __name__ == "__main__":
    print(json.dumps(inspect(sys.argv[1]), indent=2))
