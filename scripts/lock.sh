#!/usr/bin/env bash
# Writes requirements.lock and requirements-dev.lock anew: every version and hash, for every Python from 3.11 and every
# platform. What is locked stays where it is unless pyproject.toml moved; --upgrade takes the newest of everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    [ -x .tools/uv/bin/uv ] || {
        quietly "${PYTHON:-python3}" -m venv .tools/uv
        quietly .tools/uv/bin/python -m pip install 'uv>=0.9,<1'
    }
    uv=.tools/uv/bin/uv
fi

compile() {
    local out=$1
    shift
    "$uv" pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command "make lock" -o "$out" pyproject.toml "$@"
}

compile requirements.lock --group build "$@"
compile requirements-dev.lock --group dev -c requirements.lock "$@"
