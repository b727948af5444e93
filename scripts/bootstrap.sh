#!/usr/bin/env bash
# Makes .venv with exactly the locked packages. Says nothing when there is nothing to do.
#   scripts/bootstrap.sh          what the program needs
#   scripts/bootstrap.sh --dev    and what its tests and checks need
# PYTHON=/path/to/python chooses another interpreter; pip's own PIP_* variables (mirrors, certificates) are respected.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

dev=no
case "${1-}" in
    --dev) dev=yes ;;
    "") ;;
    *) fail "unknown option $1" "usage: scripts/bootstrap.sh [--dev]" ;;
esac

install_python() {
    can_apt || return 1
    local version
    apt_install python3 python3-venv || true
    find_python >/dev/null && return
    for version in 3.13 3.12 3.11; do # a distribution whose own python3 is older may carry a newer one beside it
        if apt_knows "python$version-venv"; then
            apt_install "python$version" "python$version-venv" && return
        fi
    done
    return 1
}

# The folder is part of the stamp: a virtual environment does not survive being moved. Of pyproject.toml only what is
# installed counts, not the settings of the tools.
stamp() { { pwd; sed '/^\[tool/,$d' pyproject.toml; cat "$@"; } | sha256sum | cut -d' ' -f1; }
stamped() { [ "$(cat ".venv/stamp-$1" 2>/dev/null)" = "$2" ]; }

run_stamp=$(stamp requirements.lock)
dev_stamp=$(stamp requirements.lock requirements-dev.lock)

if ! stamped run "$run_stamp" || ! .venv/bin/python -c '' 2>/dev/null; then
    python=$(find_python) || { install_python && python=$(find_python); } || fail \
        "no Python 3.11 or newer with its venv module was found" \
        "Debian, Ubuntu:  apt-get install python3 python3-venv   (as root this script does it by itself)" \
        "elsewhere:       install Python 3.11 or newer, or name one: PYTHON=/path/to/python3.12 make ..."
    say "making .venv with $("$python" --version)"
    # From nothing, so that a package that left the lock leaves the environment too.
    [ ! -e .venv ] || [ -e .venv/pyvenv.cfg ] || fail ".venv is there but is no virtual environment" "move it away and try again"
    rm -rf .venv
    quietly "$python" -m venv .venv
    pip_install .venv --require-hashes -r requirements.lock || fail \
        "the locked packages could not be installed" \
        "is a package index reachable? pip reads its settings from PIP_INDEX_URL, PIP_CERT, pip.conf ..."
    quietly .venv/bin/python -m pip --disable-pip-version-check install --no-deps --no-build-isolation -e .
    printf '%s\n' "$run_stamp" >.venv/stamp-run
fi

if [ "$dev" = yes ] && ! stamped dev "$dev_stamp"; then
    say "adding the development tools to .venv"
    pip_install .venv --require-hashes -r requirements-dev.lock || fail "the locked development packages could not be installed"
    printf '%s\n' "$dev_stamp" >.venv/stamp-dev
fi

# Also where Python is told to write no byte code by itself: reading it anew is a third of what a short pass costs.
.venv/bin/python -m compileall -q reconciler sentinels
