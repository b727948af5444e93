#!/usr/bin/env bash
# A Docker engine for the demo and the tests.
#   engine.sh up DIR       the machine's own engine when it answers, else a private one below DIR; prints its URL
#   engine.sh private DIR  always a private one
#   engine.sh restart DIR [KILL]  stop and start the private one (KILL: as a power cut would, containers live on)
#   engine.sh stop DIR [KILL] | start DIR
#   engine.sh status DIR   prints the URL when a private one runs there; exit 1 when none does
#   engine.sh down DIR     ends the private one and removes all it left, DIR too; nothing to do is fine
#
# A private engine shares nothing with another one: its own data, runtime files, containerd namespace, bridge (rcl<N>)
# and addresses (10.<200+N>.0.0/16, claimed by making the bridge). It does not write iptables rules, because every
# dockerd empties the chains of every other at its start: published ports go through docker's own proxy, and one rule
# lets its containers reach each other where another engine made the kernel drop what it does not know.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

usage="usage: scripts/engine.sh up|private|start|stop|restart|status|down DIR"
[ $# -ge 2 ] || fail "a command and a folder are needed" "$usage"
action=$1
mkdir -p "$(dirname "$2")"
dir=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
signal=TERM
[ "${3-}" != KILL ] || signal=KILL

# What a private engine remembers of itself: run (short: a socket's path has 108 bytes at most), number.
run="" number=""
remembered() {
    [ -e "$dir/engine" ] || return 1
    # shellcheck source=/dev/null
    . "$dir/engine"
}

answers() { timeout 20 docker -H "$1" version --format '{{.Server.Version}}' >/dev/null 2>&1; }
url() { printf 'unix://%s/docker.sock\n' "$run"; }
network() { printf '10.%d.0.0/16\n' $((200 + number)); }
forward_rule() { iptables -w "$1" FORWARD -s "$(network)" -d "$(network)" -j ACCEPT 2>/dev/null; }

commandline() { { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null; }

# The pid of our dockerd, never of a process that only inherited its number.
daemon_pid() {
    local pid
    pid=$(cat "$run/pid" 2>/dev/null) || return 1
    commandline "$pid" | grep -qF -- "--exec-root $run/exec" || return 1
    [ "$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null)" != Z ] || return 1
    printf '%s\n' "$pid"
}

install_engine() {
    can_apt || fail "there is no Docker engine on this machine" \
        "install one and start it: your distribution's docker package, or docker.io on Debian and Ubuntu" \
        "(as root on Debian or Ubuntu this script brings its own)"
    local packages=(docker.io iptables iproute2) policy=/usr/sbin/policy-rc.d
    # The package would start a service; we want the program only.
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        # shellcheck disable=SC2064
        trap "rm -f '$policy'" EXIT
    fi
    quietly apt-get update || true
    apt_lists_are_fresh=yes
    if apt_knows docker-cli; then packages+=(docker-cli); fi
    apt_install "${packages[@]}"
    if [ "$policy" ] && [ "$(head -2 "$policy" | tail -1)" = "exit 101" ]; then rm -f "$policy"; fi
    if [ -d /run/systemd/system ]; then
        systemctl disable --quiet docker.service docker.socket containerd.service 2>/dev/null || true
    fi
}

claim_number() {
    local n other
    for n in $(seq 0 54); do
        number=$n
        other=$(cat "/sys/class/net/rcl$n/ifalias" 2>/dev/null || true)
        if [ -n "$other" ] && [ ! -e "$other" ]; then release_number; fi # its engine's folder is gone
        if ip -4 route show root "$(network)" | grep -q . ||
            ip -4 route show match "$(network)" | grep -qv '^default'; then continue; fi
        if ip link add "rcl$n" type bridge 2>/dev/null; then
            ip link set "rcl$n" alias "$dir" up
            ip addr add "10.$((200 + n)).0.1/24" dev "rcl$n"
            return
        fi
    done
    fail "no free addresses for a private engine" "look at: ip -br link | grep rcl"
}

release_number() {
    local interface
    for interface in $(ip -o -4 addr show to "$(network)" | awk '{print $2}' | sort -u); do
        ip link delete "$interface" 2>/dev/null || true
    done
    while forward_rule -D; do :; done
}

start_daemon() {
    rm -f "$run/pid"
    forward_rule -C || forward_rule -I || true
    setsid dockerd -H "$(url)" --data-root "$dir/data" --exec-root "$run/exec" -p "$run/pid" \
        --bridge "rcl$number" --default-address-pool "base=10.$((200 + number)).128.0/17,size=24" \
        --iptables=false --ip-masq=false \
        --containerd-namespace "rcl$number" --containerd-plugins-namespace "rcl$number-plugins" \
        --shutdown-timeout 5 >>"$dir/log" 2>&1 </dev/null &
    local started=$! deadline=$((SECONDS + 60))
    until answers "$(url)"; do
        if ! kill -0 "$started" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            say "the private Docker engine did not come up; the end of its log:"
            tail -n 20 "$dir/log" | cut -c1-300 | sed 's/^/  | /' >&2
            fail "no Docker engine" "it needs root, cgroups (/sys/fs/cgroup) and iptables; a container needs --privileged"
        fi
        sleep 0.1
    done
}

gone_within() {
    local pid=$1 tenths=$2
    while [ -e "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
        [ $((tenths--)) -gt 0 ] || return 1
        sleep 0.1
    done
}

stop_daemon() {
    local pid
    if pid=$(daemon_pid); then
        kill -"$signal" "$pid" 2>/dev/null || true
        gone_within "$pid" 200 || kill -KILL "$pid" 2>/dev/null || true
        gone_within "$pid" 50 || true
    fi
    pid=$(cat "$run/exec/containerd/containerd.pid" 2>/dev/null) || return 0
    if commandline "$pid" | grep -qF -- "$run/exec/containerd"; then
        gone_within "$pid" 20 || kill -KILL "$pid" 2>/dev/null || true
        gone_within "$pid" 50 || true
    fi
    rm -f "$run/exec/containerd/containerd.pid" # the next dockerd would take a dead one not yet reaped for a live one
}

private_engine() {
    remembered && daemon_pid >/dev/null && answers "$(url)" && return
    [ "$(id -u)" = 0 ] || fail "a private Docker engine needs root" \
        "start the machine's own engine and see that you may use it (group docker), or run this as root"
    if [ -e "$dir/engine" ]; then bring_down; fi
    command -v dockerd >/dev/null && command -v docker >/dev/null && command -v ip >/dev/null || install_engine
    mkdir -p "$dir/data"
    run=$(mktemp -d /tmp/rcl-XXXXXX)
    claim_number
    printf 'run=%q\nnumber=%q\n' "$run" "$number" >"$dir/engine"
    start_daemon
}

bring_down() {
    if remembered; then
        local process pid child mount
        if daemon_pid >/dev/null && answers "$(url)"; then
            # shellcheck disable=SC2046
            timeout 60 docker -H "$(url)" rm -f -v $(docker -H "$(url)" ps -aq) >/dev/null 2>&1 || true
        fi
        stop_daemon
        # A daemon that was killed leaves its containers running below their shims.
        for process in /proc/[0-9]*; do
            pid=${process#/proc/}
            if commandline "$pid" | grep -qE "containerd-shim[^ ]* -namespace rcl$number -id [0-9a-f]+ "; then
                for child in $(cat "$process/task/$pid/children" 2>/dev/null); do kill -KILL "$child" 2>/dev/null || true; done
                kill -KILL "$pid" 2>/dev/null || true
            fi
        done
        awk -v a="$dir/" -v b="$run/" 'index($2, a) == 1 || index($2, b) == 1 { print $2 }' /proc/mounts |
            sort -r | while read -r mount; do umount -l "$mount" 2>/dev/null || true; done
        release_number
        rm -rf "$run"
    fi
    rm -rf "$dir"
}

case "$action" in
    up)
        if ! remembered && [ ! -e "$dir/engine" ]; then
            own=${DOCKER_HOST:-}
            if [ -z "$own" ] && command -v docker >/dev/null; then
                own=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || true)
            fi
            own=${own:-unix:///var/run/docker.sock}
            if [ "${own#unix://}" = "$own" ]; then
                fail "the Docker engine at $own is on another machine" \
                    "containers there cannot mount files from here; unset DOCKER_HOST or choose a local context"
            fi
            if command -v docker >/dev/null && answers "$own"; then
                printf '%s\n' "$own"
                exit
            fi
            if [ -n "${DOCKER_HOST:-}" ]; then
                fail "DOCKER_HOST=$DOCKER_HOST does not answer" "start that engine, or unset DOCKER_HOST"
            fi
            if [ -S "${own#unix://}" ] && [ ! -w "${own#unix://}" ]; then
                fail "you may not use the Docker engine at $own" "add yourself to the group docker, or run this as root"
            fi
        fi
        private_engine
        url
        ;;
    private)
        private_engine
        url
        ;;
    start)
        remembered || fail "no private engine was made in $dir"
        daemon_pid >/dev/null || start_daemon
        url
        ;;
    stop)
        if remembered; then stop_daemon; fi
        ;;
    restart)
        remembered || fail "no private engine was made in $dir"
        stop_daemon
        start_daemon
        ;;
    status)
        remembered && daemon_pid >/dev/null || exit 1
        url
        ;;
    down) bring_down ;;
    *) fail "unknown command $action" "$usage" ;;
esac
