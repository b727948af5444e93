#!/usr/bin/env bash
# Makes small images out of the machine's static busybox; nothing is pulled from anywhere.
#   scripts/images.sh                          the images of the example fleet (reconciler-demo/base:1)
#   scripts/images.sh NAME:TAG ...             these; each gets an id of its own (/etc/image holds its name)
# DOCKER_HOST chooses the engine, BUSYBOX=/path another static busybox. An image that is there already is kept.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
[ $# -gt 0 ] || set -- reconciler-demo/base:1

# grep reads to the end: busybox writes name by name, and one that cannot go on writing has failed (pipefail).
static() { [ -x "$1" ] && "$1" --list 2>/dev/null | grep -x httpd >/dev/null && ! ldd "$1" >/dev/null 2>&1; }

find_busybox() {
    local path
    for path in ${BUSYBOX:-/bin/busybox /usr/bin/busybox /usr/local/bin/busybox "$here/../.tools/busybox/bin/busybox" \
        "$here/../.tools/busybox/usr/bin/busybox"}; do
        if static "$path"; then
            printf '%s\n' "$path"
            return
        fi
    done
    return 1
}

# The package is unpacked beside us instead of being installed: it would take the place of the machine's own busybox.
fetch_busybox() {
    command -v apt-get >/dev/null || return 1
    local folder
    folder=$(mktemp -d)
    (
        cd "$folder"
        if [ "$(id -u)" = 0 ]; then
            chmod 755 . # apt drops its rights to download
            quietly apt-get update || true
        fi
        quietly apt-get download busybox-static
        mkdir -p "$here/../.tools/busybox"
        dpkg-deb -x busybox-static_*.deb "$here/../.tools/busybox"
    )
    rm -rf "$folder"
}

busybox=$(find_busybox) || { fetch_busybox && busybox=$(find_busybox); } || fail "no static busybox was found" \
    "Debian, Ubuntu: apt-get install busybox-static; Fedora: dnf install busybox; Arch: pacman -S busybox" \
    "or name one: BUSYBOX=/path/to/busybox"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,etc,root,tmp,var/www,srv,data}
chmod 755 "$root"
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
chmod 755 "$root/bin/busybox"
while read -r applet; do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done < <("$busybox" --list)
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"

# The kernel ignores SIGTERM for a first process without a handler, so that every stop would take its whole grace period.
cat >"$root/bin/run" <<'RUN'
#!/bin/sh
trap 'kill "$child" 2>/dev/null' TERM INT
"$@" &
child=$!
wait "$child"
status=$?
if kill -0 "$child" 2>/dev/null; then # the signal ended the wait, not the child
    wait "$child"
    status=$?
fi
exit "$status"
RUN
chmod 755 "$root/bin/run"

for image in "$@"; do
    if docker image inspect "$image" >/dev/null 2>&1; then continue; fi
    printf '%s\n' "$image" >"$root/etc/image"
    tar -C "$root" -c . | docker import \
        --change 'ENV PATH=/bin' \
        --change 'WORKDIR /' \
        --change 'EXPOSE 80' \
        --change 'ENTRYPOINT ["run"]' \
        --change 'CMD ["httpd", "-f", "-p", "80", "-h", "/var/www"]' \
        - "$image" >/dev/null
done
