#!/bin/sh
# Puts our post-receive hook into a bare repository of this machine: REPO=/srv/git/fleet.git scripts/hook.sh
# Another hook is never replaced.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

[ -n "${REPO-}" ] || fail "which repository?" "make hook REPO=/srv/git/fleet.git"
repo=$(cd "$REPO" 2>/dev/null && pwd) || fail "there is no folder $REPO"
# core.hooksPath may name another folder; a repository of the user git is no reason for root to refuse.
folder=$(git -c 'safe.directory=*' -C "$repo" rev-parse --git-path hooks 2>/dev/null) || fail "$repo is no git repository"
case "$folder" in /*) ;; *) folder=$repo/$folder ;; esac
hook=$folder/post-receive

if [ -e "$hook" ] && ! grep -q '^# reconciler asks' "$hook"; then
    fail "$hook is there already, and stays as it is" \
        "let it ask for a pass too, with this line at its end:" \
        "${PREFIX:-/opt/reconciler}/share/reconciler/post-receive"
fi
mkdir -p "$folder"
cp "$here/../systemd/post-receive" "$hook.new"
chmod 755 "$hook.new"
mv "$hook.new" "$hook"
say "every push to $repo asks for a pass now"
say "who pushes needs the group of the inbox: usermod -aG reconciler-web USER (it counts from their next login on)"
