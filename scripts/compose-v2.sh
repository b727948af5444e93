#!/usr/bin/env bash
# Unpacks the static binary of Docker Compose v2 into .tools/compose-v2 and prints its path. The package is taken from a newer
# Debian than the machine may run (RELEASE, default trixie), through apt and the mirrors that the machine already uses; nothing is installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
release=${RELEASE:-trixie}
tools=$(cd "$here/.." && pwd)/.tools
wanted=$tools/compose-v2

works() { [ -x "$1" ] && "$1" version --short 2>/dev/null | grep -q '^v\?[2-9]'; }

found() { printf '%s\n' "$1"; exit 0; }

! works "$wanted" || found "$wanted"
for plugin in /usr/libexec/docker/cli-plugins/docker-compose /usr/lib/docker/cli-plugins/docker-compose; do
    ! works "$plugin" || found "$plugin"
done
can_apt || fail "Docker Compose v2 is needed, to see that its projects are adopted" \
    "install the plugin (Debian 13: docker-compose, Ubuntu: docker-compose-v2)"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt drops its rights to download
mkdir -p "$work"/{lists/partial,cache/archives/partial,parts,package} "$tools"
mirror=$(debian_mirror)
[ -n "$mirror" ] || fail "this machine has no Debian mirror to take Docker Compose v2 from" "put the plugin at $wanted"
printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$release" >"$work/sources.list"
options=(
    -o "Dir::Etc::sourcelist=$work/sources.list" -o "Dir::Etc::sourceparts=$work/parts"
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o "Dir::State::status=/dev/null"
)
quietly apt-get "${options[@]}" update
(cd "$work" && quietly apt-get "${options[@]}" download docker-compose)
dpkg-deb -x "$work"/docker-compose_*.deb "$work/package"
binary=$(find "$work/package" -type f -name docker-compose -perm -u+x | head -n 1)
works "$binary" || fail "the package docker-compose of $release holds no Docker Compose v2"
mv "$binary" "$wanted.$$" && mv -f "$wanted.$$" "$wanted"
found "$wanted"
