#!/usr/bin/env bash
# Writes the encrypted Secret `routing-secrets` of the namespace `routing`, for Flux to decrypt. If there is none yet,
# it creates an age key, and a .sops.yaml that encrypts for it. Run again, it replaces the values that are given.
# usage: secret.sh FILE [NAME…]
#   FILE    …/routing/policies/secrets.enc.yaml in a clone of the GitOps repository
#   NAME    a value in addition to LITELLM_API_KEY and ROUTING_MCP_TOKEN, such as BRAIN_TOKEN
# A value comes from the environment variable of its name (in capitals), otherwise from what is typed. With neither it
# stays as it is in FILE; a ROUTING_MCP_TOKEN that is not in FILE either is generated.
#   SOPS_AGE_KEY_FILE   the file of the key; default, as for sops: ~/.config/sops/age/keys.txt
# No value is printed, is on a command line, or is on a disk unencrypted.
set -euo pipefail

# Only what is secret is encrypted: kustomize must read the rest, and people compare it.
encrypted='^(stringData|data)$'
new=''
trap '[ -z "$new" ] || rm -f "$new"' EXIT

# Not captured with stdout: reports where a value comes from.
exec 3>&1
say() { echo "$*" >&3; }
fail() {
    echo "secret.sh: $*" >&2
    exit 1
}

needs() { [ -n "$(type -P "$1")" ] || fail "$1 is missing: $2"; }

# Sets folder, file, root: the file and the top of its repository, as absolute paths.
locate() {
    folder=$(cd "$(dirname "$1")" 2>/dev/null && pwd -P) ||
        fail "$(dirname "$1"): there is no such folder; copy deploy/flux/repository into the repository first"
    file=$folder/$(basename "$1")
    root=$(git -C "$folder" rev-parse --show-toplevel 2>/dev/null) ||
        fail "$folder: is in no Git repository; FILE belongs into a clone of the GitOps repository"
}

# The .sops.yaml of the repository that applies to the file; nothing without one.
nearest_rules() {
    local at=$folder
    until [ -e "$at/.sops.yaml" ] || [ "$at" = "$root" ]; do at=$(dirname "$at"); done
    [ ! -e "$at/.sops.yaml" ] || echo "$at/.sops.yaml"
}

# The recipients of the existing keys, one per line.
own_recipients() {
    local keys
    [ -e "$key_file" ] || return 0
    keys=$(grep '^AGE-SECRET-KEY-1' "$key_file") || fail "$key_file: has no age key in it; name another file by SOPS_AGE_KEY_FILE"
    printf '%s\n' "$keys" | age-keygen -y
}

make_key() {
    local said
    (umask 077 && mkdir -p "$(dirname "$key_file")") || fail "$key_file: its folder cannot be created"
    said=$(age-keygen -o "$key_file" 2>&1) || fail "$said"
    say "created the key $key_file: keep a copy in a safe place; without it nobody can read the secrets"
}

write_rules() {
    cat >"$root/.sops.yaml" <<END
# Recipients for \`sops encrypt\` and secret.sh of the routing project: those of age keys, separated by commas.
creation_rules:
  - path_regex: secrets\.enc\.yaml$
    encrypted_regex: $encrypted
    age: $(paste -sd, - <<<"$own")
stores:
  yaml:
    indent: 2
END
    say "wrote $root/.sops.yaml"
}

# From stdin to stdout.
encrypt() { sops --config "$rules" encrypt --encrypted-regex "$encrypted" --filename-override "$file"; }

recipients() {
    echo 'stringData: {probe: nothing}' | encrypt | sed -n 's/^ *-* *recipient: *//p' ||
        fail "$rules: sops cannot encrypt $file by it; it needs a rule with path_regex: secrets\\.enc\\.yaml\$, and age: your recipient"
}

# Otherwise the key that is given to the cluster could not decrypt the file.
check_recipients() {
    local used=${1:-no age key}
    grep --quiet --fixed-strings --line-regexp "${own:-none}" <<<"$1" ||
        fail "$rules encrypts for ${used//$'\n'/, }, and $key_file has no such key: name the file that has it by SOPS_AGE_KEY_FILE, or add a recipient of yours"
}

# The names of the values in the file, which are not encrypted.
names_in_file() { sed -n '/^stringData:/,/^[^ ]/s/^ \{1,\}\([-._A-Za-z0-9]*\):.*/\1/p' "$file"; }

value_in_file() { sops decrypt --extract "[\"stringData\"][\"$1\"]" "$file"; }

# What is typed, not shown; nothing without a terminal.
typed() {
    local answer=''
    [ ! -t 0 ] || { read -rsp "$1 (not shown; empty: $2): " answer || true; echo >&2; }
    printf '%s' "$answer"
}

# What happens to a value that is not given.
otherwise() {
    if grep --quiet --fixed-strings --line-regexp -e "$1" <<<"$kept"; then
        echo 'as before'
    elif [ "$1" = ROUTING_MCP_TOKEN ]; then
        echo generated
    else
        echo missing
    fi
}

not_given() {
    case $2 in
        'as before') value_in_file "$1" || fail "$1: cannot be decrypted in $file" ;;
        generated) od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' ;;
        *) fail "$1: is missing; set the variable, or run this in a terminal" ;;
    esac
}

# The value; reports where it comes from. A function called in $(…) continues after an error, hence the exit.
value_of() {
    local value='' from='from the environment' otherwise
    otherwise=$(otherwise "$1")
    if [[ $1 =~ ^[A-Z_][A-Z0-9_]*$ ]]; then value=${!1-}; fi
    if [ -z "$value" ]; then from=typed value=$(typed "$1" "$otherwise"); fi
    if [ -z "$value" ]; then from=$otherwise value=$(not_given "$1" "$otherwise") || exit 1; fi
    say "$1: $from"
    printf '%s' "$value"
}

# A text in YAML.
quoted() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    printf '"%s"' "${text//$'\n'/\\n}"
}

secret() {
    local name value
    printf '%s\n' 'apiVersion: v1' 'kind: Secret' 'metadata:' '  name: routing-secrets' '  namespace: routing' \
        'type: Opaque' 'stringData:'
    for name in $names; do
        value=$(value_of "$name") || exit 1
        printf '  %s: %s\n' "$name" "$(quoted "$value")"
    done
}

write_file() {
    local text
    text=$(secret)
    new=$(mktemp "$file.XXXXXX")
    printf '%s\n' "$text" | encrypt >"$new"
    chmod 644 "$new"
    mv -f "$new" "$file"
    say "wrote $file"
}

what_is_next() {
    local keys
    keys=$(wc -l <<<"$own")
    printf '\n# Once: give the key to Flux.\n'
    [ "$keys" -eq 1 ] || printf '# The file has %s keys, and Flux gets them all. With a file for each, SOPS_AGE_KEY_FILE names it.\n' "$((keys))"
    printf 'kubectl -n flux-system create secret generic sops-age --from-file=age.agekey=%q\n' "$key_file"
    printf '\n# Each time:\n'
    printf 'git -C %q add %q %q\n' "$root" "$rules" "$file"
    printf "git -C %q commit --message 'routing: secrets'\n" "$root"
    printf 'git -C %q push\n' "$root"
    printf '\n# What callers need:\n'
    printf "SOPS_AGE_KEY_FILE=%q sops decrypt --extract '[\"stringData\"][\"ROUTING_MCP_TOKEN\"]' %q\n" "$key_file" "$file"
}

[ $# -gt 0 ] || fail "usage: secret.sh FILE [NAME…]"
needs sops "install it, https://github.com/getsops/sops/releases"
needs age-keygen "install age, https://github.com/FiloSottile/age; Debian's package is called age"
needs git "install it"
locate "$1"
shift
for name in "$@"; do
    [[ $name =~ ^[-._A-Za-z0-9]+$ ]] || fail "$name: is not a name for a value; use letters, digits, - _ ."
done
key_file=${SOPS_AGE_KEY_FILE:-${XDG_CONFIG_HOME:-$HOME/.config}/sops/age/keys.txt}
export SOPS_AGE_KEY_FILE=$key_file # for sops, too
[ "$(git -C "$(dirname "$key_file")" rev-parse --show-toplevel 2>/dev/null)" != "$root" ] ||
    fail "$key_file: is in the repository, where it would be committed; name a file elsewhere by SOPS_AGE_KEY_FILE"

rules=$(nearest_rules)
if [ -z "$rules" ]; then
    if [ ! -e "$key_file" ]; then make_key; fi
    own=$(own_recipients)
    write_rules
    rules=$root/.sops.yaml
else
    own=$(own_recipients)
fi
used=$(recipients)
check_recipients "$used"
kept=''
if [ -e "$file" ]; then
    ! grep --quiet '^data:' "$file" || fail "$file: has values below data, which would be lost; move them below stringData (sops edit)"
    kept=$(names_in_file)
fi
names=$(printf '%s\n' LITELLM_API_KEY ROUTING_MCP_TOKEN "$@" "$kept" | awk 'NF && !seen[$0]++')
write_file
what_is_next
