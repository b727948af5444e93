#!/bin/sh
# Installs reconciler on this machine, or upgrades it: the program, what starts it, and the group that may ask for a pass.
#   PREFIX=/opt/reconciler  where the program goes      PYTHON=/path/to/python3.12  with which Python
# The program lies in a folder of its own beside PREFIX, which is a link to it: an upgrade turns the link, and a pass
# that runs meanwhile keeps the files it was started from.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh
umask 022

prefix=${PREFIX:-/opt/reconciler}
config=/etc/reconciler/reconciler.toml
link=/usr/local/bin/reconciler
manual=/usr/local/share/man/man1

check() {
    [ "$(id -u)" = 0 ] || fail "installing needs root" "sudo make install"
    case "$prefix" in
        /*/) fail "PREFIX=$prefix ends with a slash" ;;
        /*) ;;
        *) fail "PREFIX=$prefix is no absolute path" ;;
    esac
    case "$prefix" in *[!A-Za-z0-9/._-]*) fail "PREFIX=$prefix has signs that a unit file would not take" ;; esac
    if [ -e "$prefix" ] && [ ! -L "$prefix" ]; then
        fail "$prefix is there, and was not made by make install" "move it away, or choose another place: PREFIX=..."
    fi
    python=$(find_python) || fail "no Python 3.11 or newer with its venv module was found" \
        "Debian, Ubuntu:  apt-get install python3 python3-venv" \
        "Alpine:          apk add python3      Gentoo: emerge dev-lang/python" \
        "elsewhere:       install one, or name one: make install PYTHON=/path/to/python3.12"
    command -v git >/dev/null || fail "git is not installed; every pass needs it"
}

build() {
    new=$prefix-$(date -u +%Y%m%d-%H%M%S)
    mkdir -p "$(dirname "$prefix")"
    mkdir "$new"
    trap 'rm -rf "$new"' EXIT
    trap 'exit 130' INT TERM HUP # a plain sh would not run the line above
    say "installing into $new with $("$python" --version)"
    quietly "$python" -m venv "$new"
    pip_install "$new" --require-hashes -r requirements.lock || fail "the locked packages could not be installed" \
        "is a package index reachable? pip reads its settings from PIP_INDEX_URL, PIP_CERT, pip.conf ..."
    # No cache: pip keeps what it built from a folder called NAME-SOMETHING, and would install that again at an upgrade.
    quietly "$new/bin/python" -m pip --disable-pip-version-check install --no-cache-dir --no-deps --no-build-isolation .
    mkdir -p "$new/share/reconciler"
    cp systemd/post-receive "$new/share/reconciler/"
    mkdir -p "$new/share/man/man1"
    cp docs/man/reconciler.1 "$new/share/man/man1/"
    version=$("$new/bin/reconciler" version -o name) || fail "the installed program does not start"
}

turn() {
    before=$(readlink "$prefix" || true)
    "$new/bin/python" -c 'import os, sys
os.symlink(sys.argv[1], sys.argv[1] + ".link")
os.replace(sys.argv[1] + ".link", sys.argv[2])' "$new" "$prefix"
    trap - EXIT INT TERM HUP
    for old in "$prefix"-[0-9]*-[0-9]*; do # the one before stays: a pass may still run from it
        if [ "$old" != "$new" ] && [ "$old" != "$before" ] && [ -e "$old/pyvenv.cfg" ]; then rm -rf "$old"; fi
    done
    if [ ! -e "$link" ] || [ -L "$link" ]; then
        mkdir -p "$(dirname "$link")"
        ln -sfn "$prefix/bin/reconciler" "$link"
    else
        say "$link is somebody else's and stays as it is; ours is $prefix/bin/reconciler"
    fi
    say "reconciler $version is installed: $prefix/bin/reconciler"
}

make_group() {
    if grep -q '^reconciler-web:' /etc/group; then return; fi
    if command -v groupadd >/dev/null; then groupadd --system reconciler-web; else addgroup -S reconciler-web; fi
}

make_user() { # who `reconciler serve` runs as
    if grep -q '^reconciler-swarm:' /etc/passwd; then return; fi
    useradd --system --user-group --home-dir /var/lib/reconciler-swarm --no-create-home --shell /usr/sbin/nologin \
        reconciler-swarm
}

install_units() {
    make_user
    for unit in reconciler.service reconciler.timer reconciler.path reconciler-serve.service reconciler-drone.service; do
        sed "s|/opt/reconciler/|$prefix/|g" "systemd/$unit" >"/etc/systemd/system/$unit"
    done
    mkdir -p /etc/tmpfiles.d
    cp systemd/tmpfiles.conf /etc/tmpfiles.d/reconciler.conf
    [ -d /run/systemd/system ] || return 0 # in an image, or a chroot
    systemd-tmpfiles --create /etc/tmpfiles.d/reconciler.conf
    systemctl daemon-reload
}

start_units() {
    systemctl --quiet enable reconciler.timer reconciler.path
    if [ -d /run/systemd/system ]; then systemctl restart reconciler.path reconciler.timer; fi
    say "a pass begins within a minute, then every quarter of an hour, and whenever /run/reconciler/inbox/trigger appears:"
    say "  journalctl -fu reconciler; systemctl list-timers reconciler.timer"
}

install_service() {
    for service in reconciler reconciler-drone; do
        sed "s|/opt/reconciler/|$prefix/|g" "systemd/$service.openrc" >"/etc/init.d/$service"
        chmod 755 "/etc/init.d/$service"
    done
}

install_manual() {
    mkdir -p "$manual"
    ln -sfn "$prefix/share/man/man1/reconciler.1" "$manual/reconciler.1"
}

check
build
turn
install_manual
make_group
mkdir -p /etc/reconciler
if [ ! -e "$config" ]; then say "there is no $config yet, so nothing was started; next: reconciler init"; fi
if command -v systemctl >/dev/null; then
    install_units
    if [ -e "$config" ]; then start_units; else say "then: make install (once more), and it runs by itself"; fi
    if systemctl --quiet is-enabled reconciler-serve.service 2>/dev/null; then
        if [ -d /run/systemd/system ]; then systemctl try-restart reconciler-serve.service; fi
    else
        say "the build swarm (docs/swarm.md) is off; its orchestrator: systemctl enable --now reconciler-serve"
    fi
    if [ -d /run/systemd/system ]; then # what it builds may end first, and nobody waits for that
        systemctl --no-block try-restart reconciler-drone.service
    fi
elif command -v openrc-run >/dev/null; then
    install_service
    say "when there is one: rc-update add reconciler default; rc-service reconciler restart"
else
    say "neither systemd nor OpenRC is here; docs/running.md says how cron runs it"
fi
