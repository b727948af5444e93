#!/usr/bin/env bash
# Makes a virtual environment with the real Portage, as it is locked: portage.sh FOLDER. Any distribution will do.
# It needs bash, wget, zstd and scanelf (pax-utils) to build and fetch; as root on Debian and Ubuntu it brings them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
folder=${1:?usage: portage.sh FOLDER}
[ ! -x "$folder/bin/emerge" ] || exit 0

missing=()
for need in wget:wget zstd:zstd scanelf:pax-utils; do
    command -v "${need%%:*}" >/dev/null || missing+=("${need#*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    can_apt || fail "Portage needs: ${missing[*]}" "install them with your package manager"
    apt_install "${missing[@]}"
fi
python=$(find_python) || fail "no Python 3.11 or newer with its venv module was found"
locked=$(mktemp)
trap 'rm -f "$locked"' EXIT
sed -n '/^portage==/,/^ *# via/p' "$here/../requirements-dev.lock" >"$locked"
quietly "$python" -m venv "$folder"
pip_install "$folder" --require-hashes -r "$locked" || fail "Portage could not be installed" \
    "is a package index reachable? pip reads its settings from PIP_INDEX_URL, PIP_CERT, pip.conf ..."
