# Shared by demo-down.sh: the processes that a person started from the demo. Sourced, never run; needs $demo.
# shellcheck shell=bash

# Whether a process is a `reconciler` with this demo's settings, or this demo's drone.sh. An editor that holds one of its
# files is none, nor is a reconciler with other settings. Relative paths count from where the process runs.
is_of_the_demo() {
    local -a words=()
    local cwd word before="" program="" config="" script
    { mapfile -d '' -t words <"/proc/$1/cmdline"; } 2>/dev/null || return 1
    [ "${#words[@]}" -gt 1 ] || return 1
    for word in "${words[@]}"; do
        case "$before:$word" in
            -m:reconciler | *:reconciler | *:*/reconciler) program=yes ;;
            --config:*) config=$word ;;
            *:--config=*) config=${word#--config=} ;;
        esac
        before=$word
    done
    script=${words[1]}
    [ "${script##*/}" = drone.sh ] || script=""
    [ -n "$program$script" ] || return 1
    cwd=$(readlink "/proc/$1/cwd" 2>/dev/null) || cwd=/
    if [ -n "$program" ] && [ -n "$config" ]; then
        names "$cwd" "$config" etc/reconciler.toml && return
    fi
    [ -n "$script" ] && names "$cwd" "$script" drone.sh
}

# names FOLDER PATH FILE: whether a path, seen from a folder, is that file of the demo.
names() {
    [ "$(cd "$1" 2>/dev/null && realpath -m -- "$2")" = "$(realpath -m -- "$demo/$3")" ]
}

lives() { [ -e "/proc/$1" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

all_gone() {
    local pid
    for pid in "$@"; do
        if lives "$pid"; then return 1; fi
    done
}

# all_gone_within TENTHS PID...
all_gone_within() {
    local tenths=$1
    shift
    until all_gone "$@"; do
        [ "$tenths" -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}

# Ends them and sets `ended` to how many there were: TERM, and KILL for what is still there 20 seconds later
# (DEMO_DOWN_PATIENCE: other tenths of a second).
end_processes() {
    local entry pid
    local -a found=()
    for entry in /proc/[0-9]*; do
        pid=${entry#/proc/}
        [ "$pid" != "$$" ] && is_of_the_demo "$pid" && found+=("$pid")
    done
    ended=${#found[@]}
    [ "$ended" -gt 0 ] || return 0
    kill -TERM "${found[@]}" 2>/dev/null || true
    all_gone_within "${DEMO_DOWN_PATIENCE:-200}" "${found[@]}" && return
    for pid in "${found[@]}"; do # looked at again: a number may be another process's by now
        if is_of_the_demo "$pid"; then kill -KILL "$pid" 2>/dev/null || true; fi
    done
    all_gone_within 50 "${found[@]}" || fail "these processes of the demo do not end: ${found[*]}"
}
