#!/usr/bin/env bash
# Commits a release to a GitOps repository: what release.sh writes replaces the release's folder, in one commit. Without
# a change there is none. If someone else pushed meanwhile, it is repeated on top of that. In an empty repository it is
# the first commit.
# usage: bump.sh ROUTING_REFERENCE OPERATOR_REFERENCE   as push.sh prints them, REGISTRY/NAME:TAG@sha256:…
#   GITOPS_URL                     the repository: http(s)://…, ssh://…, USER@HOST:PATH, or a path
#   GITOPS_BRANCH                  default: main
#   GITOPS_FOLDER                  of the release; default: routing/release
#   GITOPS_USER, GITOPS_PASSWORD   for http(s); the password may be a token
# Git takes the commit's author from its usual settings: user.name and user.email, or GIT_AUTHOR_NAME and so on.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
branch=${GITOPS_BRANCH:-main}
folder=${GITOPS_FOLDER:-routing/release}
url=${GITOPS_URL:-}

fail() {
    echo "bump.sh: $1" >&2
    exit 1
}

# The folder is deleted in the commit before it is written, so it cannot be the whole repository.
check_settings() {
    type -P git >/dev/null || fail "git is missing: install it"
    [ -n "$url" ] || fail "GITOPS_URL: is missing; it is the address of the GitOps repository"
    [[ ! "$url" =~ ^https?://[^/]*@ ]] ||
        fail "GITOPS_URL: must have no user in it; for that are GITOPS_USER and GITOPS_PASSWORD"
    [ -z "${GITOPS_USER:-}" ] || [ -n "${GITOPS_PASSWORD:-}" ] || fail "GITOPS_PASSWORD: is missing, while there is a GITOPS_USER"
    [[ "$folder" =~ ^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$ ]] ||
        fail "GITOPS_FOLDER: $folder: must be a folder of the repository, such as routing/release"
}

in_work() { git -C "$work" "$@"; }

# Git runs this for user and password, so that they are on no command line. Only for that host: a redirect gets none.
# shellcheck disable=SC2016 # expanded by the shell that Git starts
answer='!answer() { if [ "$1" = get ]; then echo "username=$GITOPS_USER"; echo "password=$GITOPS_PASSWORD"; fi; }; answer'
use_credentials() {
    local host
    host=$(sed -n 's#^\(https\?://[^/]*\).*#\1#p' <<<"$url")
    if [ -z "$host" ] || [ -z "${GITOPS_USER:-}" ]; then return; fi
    export GITOPS_USER GITOPS_PASSWORD
    in_work config credential.helper ""
    in_work config "credential.$host.helper" "$answer"
}

# A temporary repository. Only the release is in its folder: the rest of the GitOps repository is only in Git's index.
prepare() {
    export GIT_TERMINAL_PROMPT=0
    if [ -d "$url" ]; then url=$(realpath "$url"); fi
    git init --quiet --initial-branch "$branch" "$work"
    in_work remote add origin "$url"
    use_credentials
    in_work config user.name >/dev/null || in_work config user.name "routing delivery"
    in_work config user.email >/dev/null || in_work config user.email routing-delivery@localhost
    "$here/release.sh" "$1" "$2" "$work/$folder"
}

# Prints the branch's newest commit, or nothing when the repository is empty.
tip() {
    local heads found names
    heads=$(in_work ls-remote --heads origin) || fail "$url: cannot be read; Git said why"
    found=$(awk -v "branch=refs/heads/$branch" '$2 == branch {print $1}' <<<"$heads")
    if [ -z "$found" ] && [ -n "$heads" ]; then
        names=$(awk 'NR < 10 {sub("refs/heads/", " ", $2); printf "%s", $2}' <<<"$heads")
        fail "GITOPS_BRANCH: $url has no branch $branch; it has$names"
    fi
    echo "$found"
}

# Sets base to the commit that the next one is on top of.
take_over() {
    base=$(tip)
    if [ -z "$base" ]; then return; fi
    in_work fetch --quiet --depth 1 origin "refs/heads/$branch"
    base=$(in_work rev-parse FETCH_HEAD)
    in_work reset --quiet FETCH_HEAD
}

commit() {
    in_work add --all --force -- "$folder"
    if in_work diff --cached --quiet; then
        echo "$url: $branch: $folder: is $version already"
        exit
    fi
    in_work commit --quiet --message "Release routing $version" --message "data plane: $1"$'\n'"operator: $2"
}

[ $# = 2 ] || fail "usage: bump.sh ROUTING_REFERENCE OPERATOR_REFERENCE"
check_settings
version=${1%@*} version=${version##*:}
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
prepare "$1" "$2"
for _ in 1 2 3 4 5; do
    take_over
    commit "$1" "$2"
    if in_work push --quiet origin "HEAD:refs/heads/$branch"; then
        echo "$url: $branch: $folder: $(in_work log -1 --format='%h %s')"
        exit
    fi
    [ "$(tip)" != "$base" ] ||
        fail "$url: $branch: was not pushed to; Git said why. For user and password are GITOPS_USER and GITOPS_PASSWORD"
    echo "someone pushed to $branch meanwhile: repeating on top of that" >&2
done
fail "$url: $branch: others pushed five times while this was about to; run it again"
