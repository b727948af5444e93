#!/usr/bin/env bash
# Removes all that the demo made: containers, networks, volumes, images, its private engine and .demo.
# Half of it missing is fine. --keep-engine leaves a private engine running, for the next demo.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
demo=$(cd "$here/.." && pwd)/.demo
keep=${1-}
[ -e "$demo" ] || exit 0

# On the machine's own engine there may be other people's containers: ours carry both labels.
remove_from() {
    export DOCKER_HOST=$1
    local stack found images=""
    for stack in demo-site demo-shop demo-edge; do
        ours=(--filter "label=com.docker.compose.project=$stack" --filter label=reconciler.owner)
        found=$(docker ps -aq "${ours[@]}")
        if [ -n "$found" ]; then
            # shellcheck disable=SC2086
            images+=" $(docker inspect --format '{{.Image}}' $found | sort -u | tr '\n' ' ')"
            # shellcheck disable=SC2086
            quietly docker rm -f -v $found
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
}

if [ -e "$demo/engine/engine" ]; then
    if [ "$keep" = --keep-engine ] && url=$("$here/engine.sh" status "$demo/engine"); then
        remove_from "$url"
    else
        "$here/engine.sh" down "$demo/engine"
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
else
    rm -rf "$demo"
fi
