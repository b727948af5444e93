#!/usr/bin/env bash
# Removes all that the demo made: containers, networks, volumes, images, its private engine and .demo; before that it
# ends what was started from it (`reconciler serve`, the drone), which would write there again.
# Half of it missing is fine. --keep-engine leaves a private engine running, for the next demo.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/demo-processes.sh
. "$here/demo-processes.sh"
demo=$(cd "$here/.." && pwd)/.demo
keep=${1-}
removed=""
gone() { removed+="${removed:+, }$1"; }

ended=0
end_processes
[ "$ended" -eq 0 ] || gone "processes that ran ($ended)"
if [ ! -e "$demo" ]; then
    echo "${removed:+removed: }${removed:-nothing to remove}"
    exit 0
fi

# On the machine's own engine there may be other people's containers: ours carry both labels.
remove_from() {
    export DOCKER_HOST=$1
    local stack found images="" containers=0
    for stack in demo-site demo-shop demo-edge; do
        ours=(--filter "label=com.docker.compose.project=$stack" --filter label=reconciler.owner)
        found=$(docker ps -aq "${ours[@]}")
        if [ -n "$found" ]; then
            # shellcheck disable=SC2086
            images+=" $(docker inspect --format '{{.Image}}' $found | sort -u | tr '\n' ' ')"
            # shellcheck disable=SC2086
            quietly docker rm -f -v $found
            containers=$((containers + $(wc -w <<<"$found")))
        fi
        found=$(docker network ls -q "${ours[@]}")
        # shellcheck disable=SC2086
        if [ -n "$found" ]; then quietly docker network rm $found; fi
        found=$(docker volume ls -q "${ours[@]}")
        # shellcheck disable=SC2086
        if [ -n "$found" ]; then quietly docker volume rm $found; fi
    done
    images+=" $(docker image ls -q --no-trunc --filter reference='reconciler-demo/*' | tr '\n' ' ')"
    images+=" $(docker image ls -q --no-trunc --filter reference='demo-shop*' --filter label=reconciler.owner | tr '\n' ' ')"
    # shellcheck disable=SC2086
    docker image rm -f $(printf '%s\n' $images | sort -u) >/dev/null 2>&1 || true
    gone "containers ($containers) with their networks, volumes and images"
}

if [ -e "$demo/engine/engine" ]; then
    if [ "$keep" = --keep-engine ] && url=$("$here/engine.sh" status "$demo/engine"); then
        remove_from "$url"
    else
        "$here/engine.sh" down "$demo/engine"
        gone "the private Docker engine with its containers"
    fi
elif [ -e "$demo/docker-host" ]; then
    url=$(cat "$demo/docker-host")
    timeout 20 docker -H "$url" version >/dev/null 2>&1 || fail \
        "the Docker engine at $url, which runs the demo's containers, does not answer" \
        "start it and run make demo-down again"
    remove_from "$url"
fi

if [ "$keep" = --keep-engine ] && [ -e "$demo/engine/engine" ]; then
    find "$demo" -mindepth 1 -maxdepth 1 ! -name engine -exec rm -rf {} +
    gone ".demo, but for its engine"
else
    rm -rf "$demo"
    gone .demo
fi
echo "removed: $removed"
