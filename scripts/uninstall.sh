#!/bin/sh
# Removes what scripts/install.sh made. Configuration and state stay, and what runs goes on running.
#   PREFIX=/opt/reconciler  where the program was installed
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

prefix=${PREFIX:-/opt/reconciler}
link=/usr/local/bin/reconciler
[ "$(id -u)" = 0 ] || fail "uninstalling needs root" "sudo make uninstall"

if command -v systemctl >/dev/null; then
    if [ -d /run/systemd/system ]; then # a pass at work ends its step first
        systemctl stop reconciler.timer reconciler.path reconciler.service reconciler-serve.service 2>/dev/null || true
        systemctl stop reconciler-drone.service 2>/dev/null || true
    fi
    systemctl --quiet disable reconciler.timer reconciler.path reconciler-serve.service 2>/dev/null || true
    systemctl --quiet disable reconciler-drone.service 2>/dev/null || true
    rm -f /etc/systemd/system/reconciler.service /etc/systemd/system/reconciler.timer /etc/systemd/system/reconciler.path
    rm -f /etc/systemd/system/reconciler-serve.service /etc/systemd/system/reconciler-drone.service
    rm -f /etc/tmpfiles.d/reconciler.conf
    if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
fi
for service in reconciler reconciler-drone; do
    if [ ! -e "/etc/init.d/$service" ] || ! command -v openrc-run >/dev/null; then continue; fi
    rc-service --ifstarted "$service" stop || true
    rc-update --quiet --all delete "$service" 2>/dev/null || true
    rm -f "/etc/init.d/$service"
done
rm -rf /run/reconciler
if [ "$(readlink "$link" || true)" = "$prefix/bin/reconciler" ]; then rm "$link"; fi
manual=/usr/local/share/man/man1/reconciler.1
if [ "$(readlink "$manual" || true)" = "$prefix/share/man/man1/reconciler.1" ]; then rm "$manual"; fi
if [ -L "$prefix" ]; then rm "$prefix"; fi
for folder in "$prefix"-[0-9]*-[0-9]*; do
    if [ -e "$folder/pyvenv.cfg" ]; then rm -rf "$folder"; fi
done

say "reconciler is uninstalled; containers, checkouts and volumes are as they were"
say "these stay; remove them when you will not come back:"
say "  rm -r /etc/reconciler        its configuration and secrets"
say "  rm -r /var/lib/reconciler    its state: history, blocked revisions, the clone"
say "  groupdel reconciler-web      the group that could ask for a pass"
if [ -e /var/lib/reconciler-swarm ]; then
    say "  rm -r /var/lib/reconciler-swarm    the build queue, its history and the binary packages"
fi
if [ -e /var/lib/reconciler-drone ]; then
    say "  rm -r /var/lib/reconciler-drone    logs of builds, and packages that were fetched for them"
fi
if grep -q '^reconciler-swarm:' /etc/passwd; then
    say "  userdel reconciler-swarm     the user that served them"
fi
for folder in /etc/systemd/system/reconciler.*.d /etc/systemd/system/reconciler-*.service.d; do
    if [ -e "$folder" ]; then say "  rm -r $folder    what you changed in its units"; fi
done
