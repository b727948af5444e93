#!/usr/bin/env bash
# Builds actionlint into .tools and prints its path: it checks the workflows of docs/examples as the forge would read them.
# It needs go, and a module proxy that go reaches (GOPROXY); without them it says why and ends with 1.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
version=v1.7.12
tools=$(cd "$here/.." && pwd)/.tools
wanted=$tools/actionlint

if [ "$("$wanted" -version 2>/dev/null | head -n 1)" != "$version" ]; then
    command -v go >/dev/null || fail "actionlint is built with go, which is not here"
    mkdir -p "$tools"
    work=$(mktemp -d "$tools/actionlint.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    GOBIN=$work quietly timeout 300 go install "github.com/rhysd/actionlint/cmd/actionlint@$version" ||
        fail "actionlint $version could not be built" "does go reach its module proxy? (go env GOPROXY)"
    mv -f "$work/actionlint" "$wanted"
fi
printf '%s\n' "$wanted"
