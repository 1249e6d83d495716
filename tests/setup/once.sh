# Makes something expensive once: sourced by scripts that fill the cache folder. What they make is in a folder named by
# the hash of what it is made from.
# shellcheck shell=bash

# The cache folder, for all scripts. The Makefile has the same rule.
# shellcheck disable=SC2034 # used by those that source this
cache=${ROUTING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/routing}

# hash_of FILE…: of the files; - is stdin.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# once FOLDER COMMAND…: runs the command, which fills the folder given as its last argument, unless it is full already.
# A folder without `.complete` is of an interrupted run and recreated. The lock keeps two runs from filling it at once.
once() {
    local folder=$1 began=$SECONDS
    shift
    mkdir -p "$(dirname "$folder")"
    (
        flock 9
        if [ ! -e "$folder/.complete" ]; then
            rm -rf "$folder"
            "$@" "$folder" >&2
            touch "$folder/.complete"
            echo "prepared $(basename "$folder") in $((SECONDS - began)) s" >&2
        fi
    ) 9>"$folder.lock"
}
