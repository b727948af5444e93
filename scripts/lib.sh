# Shared by the scripts beside it; sourced, never run. Plain sh: install.sh works without bash.
# shellcheck shell=sh disable=SC3043 # local: dash, busybox and bash have it

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

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
can_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# Prints a Python that can make our virtual environment; PYTHON names another one.
find_python() {
    local name
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if command -v "$name" >/dev/null && new_enough "$name" && can_venv "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# pip install into a virtual environment: pip_install FOLDER ARGUMENTS...
pip_install() {
    local try venv="$1"
    shift
    for try in 1 2 3; do # a package index that drops a connection is no reason to fail
        if [ "$try" = 3 ]; then
            quietly "$venv/bin/python" -m pip --disable-pip-version-check install --no-input "$@"
            return
        fi
        "$venv/bin/python" -m pip --disable-pip-version-check -q install --no-input "$@" >/dev/null 2>&1 </dev/null && return
        sleep $((try * 2))
    done
}

# The Debian mirror that apt uses on this machine; nothing where it uses none.
debian_mirror() {
    # shellcheck disable=SC2016 # apt fills it in
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | grep -v security | sort -u | head -n 1 || true
}
