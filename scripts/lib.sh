# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $1"
    shift
    local line
    for line in "$@"; do say "  $line"; done
    exit 1
}

# Runs a command in silence; shows the end of what it said only when it failed.
quietly() {
    local log status=0
    log=$(mktemp)
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [ "$status" -ne 0 ]; then
        say "failed ($status): $*"
        tail -n 25 "$log" | sed 's/^/  | /' >&2
    fi
    rm -f "$log"
    return "$status"
}

can_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Refreshes the package lists at most once a process, and only when something has to be installed.
apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "${apt_lists_are_fresh-}" ]; then
        quietly apt-get update || say "going on with the package lists that are here"
        apt_lists_are_fresh=yes
    fi
    say "installing $*"
    quietly apt-get install -y --no-install-recommends "$@"
}

apt_knows() { apt-cache show "$1" >/dev/null 2>&1; }
