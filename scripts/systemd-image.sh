#!/usr/bin/env bash
# Makes the image test/systemd:1: Debian with systemd as its first process, Python, git and ssh, and no more.
# debootstrap runs once; its result stays in .tools/systemd, and with --prepare that is all. DOCKER_HOST chooses the engine; an image there is kept.
#   SUITE=bookworm and MIRROR=URL choose another Debian; the mirror that apt uses here is the default
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

image=test/systemd:1
if [ "${1-}" != --prepare ] && docker image inspect "$image" >/dev/null 2>&1; then exit; fi

packages=systemd,systemd-sysv,dbus,python3,python3-venv,git,openssh-client,ca-certificates
suite=${SUITE:-bookworm}
cache=$here/../.tools/systemd
tar=$cache/$(printf '%s' "$suite $packages" | sha256sum | cut -c1-16).tar

if [ ! -e "$tar" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/root-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    say "making a Debian with systemd (once)"
    quietly debootstrap --variant=minbase --include="$packages" "$suite" "$work/root" \
        "${MIRROR:-$(debian_mirror)}" || fail "debootstrap failed" "is a Debian mirror reachable? MIRROR=http://..."
    rm -rf "$work"/root/var/cache/apt/archives/*.deb "$work"/root/var/lib/apt/lists/* "$work"/root/usr/share/{doc,man,locale}
    tar -C "$work/root" --one-file-system -cf "$work/tar" .
    mv "$work/tar" "$tar"
fi
[ "${1-}" != --prepare ] || exit 0
docker import --change 'CMD ["/lib/systemd/systemd"]' --change 'ENV container=docker' - "$image" <"$tar" >/dev/null
