# shellcheck shell=sh
# Finds the program `routing`; sourced by the scripts beside it.

# Prints its path; nothing if there is none.
program() {
    for found in "$(command -v routing 2>/dev/null)" "${HOME:-}/.local/bin/routing" "${HOME:-}/.cargo/bin/routing"; do
        if [ -f "$found" ] && [ -x "$found" ]; then
            printf '%s\n' "$found"
            return
        fi
    done
}
