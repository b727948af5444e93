#!/usr/bin/env bash
# Installs what the tests work with besides Python: real engines, servers and peers, from the distribution's packages.
# Says nothing when all of it is there. RECONCILER_TEST_DEPS=skip leaves the machine as it is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
[ "${RECONCILER_TEST_DEPS-}" != skip ] || exit 0

# a file or command that shows it is there : the package that brings it
needs=(
    dockerd:docker.io
    docker:docker.io
    iptables:iptables
    ip:iproute2
    git:git
    gpg:gnupg
    openssl:openssl
    ssh:openssh-client
    /usr/sbin/sshd:openssh-server
    docker-registry:docker-registry
    docker-compose:docker-compose # 1.29: reads Compose files without an engine, an oracle for our loader
    curl:curl # asks for ranges and conditions as a client of the binhost does
    strace:strace
    debootstrap:debootstrap # a machine with a real systemd
    groff:groff-base # reads the manual page as man does
    promtool:prometheus # reads our metrics as Prometheus does
    prometheus-node-exporter:prometheus-node-exporter # serves them
    # what a real Portage builds tiny packages with
    gcc:gcc
    /usr/include/stdio.h:libc6-dev
    scanelf:pax-utils # which libraries a package brings and needs
    zstd:zstd         # how binary packages are packed
    wget:wget         # how they are fetched
)
# Debian 13 puts the client into a package of its own.
if ! command -v docker >/dev/null && apt_knows docker-cli; then needs+=(docker:docker-cli); fi

here_already() { case "$1" in /*) [ -e "$1" ] ;; *) command -v "$1" >/dev/null ;; esac; }

missing=()
for need in "${needs[@]}"; do
    here_already "${need%%:*}" || missing+=("${need#*:}")
done

if [ ${#missing[@]} -gt 0 ]; then
    can_apt || fail "the tests need: ${missing[*]}" \
        "install them with your package manager; on Debian and Ubuntu, as root, this script does it"
    # The programs are wanted, not the services that their packages would start.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt_install "${missing[@]}"
fi
# Of no use to anything else, so what cannot be had is said, and nothing fails; the tests read what was said.
if command -v go >/dev/null; then
    said=$(cd "$here/.." && mkdir -p .tools && pwd)/.tools/actionlint.missing
    if "$here/actionlint.sh" >/dev/null 2>"$said"; then rm -f "$said"; else say "going on without it: $(sed -n 's/^error: //p' "$said")"; fi
fi
quietly "$here/compose-v2.sh" || fail "the tests start projects with Docker Compose v2, too" # beside 1.29
"$here/systemd-image.sh" --prepare # now: within a test it would count against the time of that test
[ "$(id -u)" = 0 ] || fail "the tests start private Docker engines, which needs root"
