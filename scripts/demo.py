"""`make demo`: the example fleet on a real Docker engine, one scene after the other.

Nothing is staged: every scene runs the commands that a user would run, then looks at the engine itself and fails
loudly when it does not show what the scene promised. All files lie in .demo; `make demo-down` removes everything.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import time

from demo_channel import Channel
from demo_stage import (
    CONFIG,
    DEMO,
    FLEET,
    ROOT,
    changes_since,
    docker,
    expect,
    get,
    git,
    holds,
    push,
    reconciler,
    run,
    running,
    scene,
    styled,
    wait_for_health,
)
from demo_swarm import DRONE, package_build

WEBHOOK = CONFIG.parent / "secrets" / "discord-webhook"
PAGE = "manifests/stacks/site/pages/index.html"
NOTIFICATIONS = "notifications: {discord: {webhook: {secret: discord-webhook}}}"
SITE, SHOP, EDGE, SWARM = 8480, 8481, 8482, 8483


def engine_and_images() -> None:
    scene(1, "An engine and an image", "Your machine's own Docker engine, or a private one; the image is a busybox.")
    url = run(ROOT / "scripts/engine.sh", "up", DEMO / "engine")
    os.environ["DOCKER_HOST"] = url
    (DEMO / "docker-host").write_text(url + "\n")
    run(ROOT / "scripts/images.sh")
    private = (DEMO / "engine/engine").exists()
    holds(f"Docker {docker('version', '--format', '{{.Server.Version}}')} answers at {url}")
    holds("it is a private one: nothing else on this machine sees it" if private else "it is the machine's own")


def free_ports() -> dict[int, int]:
    """Where the example's ports go; another one when something listens there already."""
    chosen: dict[int, int] = {}
    candidate = 8490
    for wanted in (SITE, SHOP, EDGE, SWARM):
        port = wanted
        while not free(port):
            port, candidate = candidate, candidate + 1
        chosen[wanted] = port
        if port != wanted:
            print(f"   port {wanted} is taken on this machine; the demo uses {port} instead")
    return chosen


def free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def remote_and_configuration(ports: dict[int, int], channel: Channel) -> None:
    scene(
        2, "A git remote with a fleet", "manifests/ is pushed to a bare repository: from here on, git says what runs."
    )
    git("init", "-q", "--bare", "--initial-branch=main", str(DEMO / "remote.git"), cwd=DEMO)
    git("clone", "-q", str(DEMO / "remote.git"), str(FLEET), cwd=DEMO)
    git("checkout", "-q", "-B", "main")
    shutil.copytree(ROOT / "manifests", FLEET / "manifests", ignore=shutil.ignore_patterns("tools.yaml"))
    fleet = FLEET / "manifests/fleet.yaml"
    fleet.write_text(re.sub(r"(?m)^(\s+checkout:).*$", rf"\1 {json.dumps(str(DEMO / 'checkout'))}", fleet.read_text()))
    with fleet.open("a") as more:
        more.write(f"\n{NOTIFICATIONS}\n")
    for file in (FLEET / "manifests/stacks").glob("*/compose.yaml"):
        text = file.read_text()
        for wanted, port in ports.items():
            text = text.replace(str(wanted), str(port))
        file.write_text(text)
    push("The example fleet")
    CONFIG.parent.mkdir()
    CONFIG.write_text(
        "# The host's own file: who this host is, which repository it follows, and what it allows.\n"
        'host = "demo"\n\n'
        f'[repository]\nurl = "{(DEMO / "remote.git").as_uri()}"\nbranch = "main"\npath = "manifests"\n\n'
        "# Root writes the repository's files only where this host allows it; the default is /opt and /srv.\n"
        f"[trust]\nallow_host_mounts = [{json.dumps(str(DEMO))}]\n\n"
        f"[state]\ndirectory = {json.dumps(str(DEMO / 'state'))}\n\n"
        f"[docker]\nhost = {json.dumps(os.environ['DOCKER_HOST'])}\n\n"
        "# Requests of others are looked for here, and not where those for an installed reconciler lie.\n"
        f"[inbox]\ndirectory = {json.dumps(str(DEMO / 'inbox'))}\n"
    )
    WEBHOOK.parent.mkdir(mode=0o700)
    WEBHOOK.touch(0o600)
    WEBHOOK.write_text(channel.url + "\n")
    holds(f"the host's own file is {CONFIG.relative_to(ROOT)}")
    holds("notices go to a channel of this demo; with your own webhook's address they would go to Discord")


def first_converge(ports: dict[int, int]) -> None:
    scene(
        3, "The first pass", "Everything is new: images are built, networks, volumes and containers are made in order."
    )
    reconciler("converge", "--yes")
    expect(len(running()) == 6, "six containers were made", *running())
    for stack, service in (
        ("demo-site", "web"),
        ("demo-shop", "api"),
        ("demo-shop", "store"),
        ("demo-edge", "greeter"),
    ):
        expect(wait_for_health(stack, service) == "healthy", f"{stack}/{service} is healthy")

    scene(4, "What runs answers", "Three services, each with what git gave it.")
    expect("Version 1" in get(ports[SITE]), "the page is the one in git")
    expect("3 apples" in get(ports[SHOP], "/cgi-bin/stock"), "the API reads what the job put into the volume")
    expect("Hello from edge" in get(ports[EDGE]), "the greeting comes from the env file")


def second_converge() -> None:
    scene(5, "Again: nothing to do", "A pass that finds everything as git wants it touches nothing at all.")
    before, began = running(), time.time()
    reconciler("converge", "--yes")
    changed = changes_since(began)
    expect(not changed, f"the engine saw changes: {len(changed)}", *changed)
    expect(running() == before, "every container is the one from before")


def change_one_file(ports: dict[int, int]) -> None:
    scene(6, "A push changes one page", "Only the service that mounts the file is replaced; the others do not notice.")
    before = running()
    page = FLEET / PAGE
    page.write_text(page.read_text().replace("Version 1", "Version 2"))
    push("A new page")
    reconciler("converge", "--yes")
    after = running()
    moved = sorted(name for name in before | after if before.get(name) != after.get(name))
    expect(moved == ["demo-site/web"], "only demo-site/web moved", f"moved: {', '.join(moved) or 'nothing'}")
    expect("Version 2" in get(ports[SITE]), "the new page is served")


def heal_drift(ports: dict[int, int]) -> None:
    scene(7, "Somebody removes a container by hand", "The plan shows the drift and the reason; the next pass heals it.")
    gone = running()["demo-site/web"].id
    docker("rm", "-f", gone)
    print(f"   {styled(f'$ docker rm -f {gone[:12]}', '36')}")
    status = reconciler("plan", "--detailed-exitcode", ok=(0, 2))
    expect(status == 2, "the plan says by its exit code 2 that there is something to do")
    before = running()
    reconciler("converge", "--yes")
    after = running()
    expect("demo-site/web" in after, "the container is back")
    expect({n: c for n, c in after.items() if n in before} == before, "no other container was touched")
    expect("Version 2" in get(ports[SITE]), "and it serves the page of the last commit")


def bad_push(ports: dict[int, int], channel: Channel) -> str:
    scene(
        8,
        "A bad push",
        "The page is gone, so the new container never gets healthy: the old one serves again, the commit is blocked.",
    )
    before = running()
    page = FLEET / PAGE
    page.rename(page.with_name("start.html"))
    bad = push("Nobody needs an index")
    reconciler("converge", "--yes", ok=(4,))
    after = running()
    kept = {name: container.id for name, container in after.items()} == {n: c.id for n, c in before.items()}
    expect(kept, "every container is the one from before; none was lost")
    expect("Version 2" in get(ports[SITE]), "the page of the last good commit is served")
    reconciler("sentinels", "list")
    told = channel.embeds[-1] if channel.embeds else {}
    expect("rolled back" in json.dumps(told) and bad in json.dumps(told), "the channel was told, and why (above)")
    began = time.time()
    reconciler("converge", "--yes")
    expect(not changes_since(began), "the next pass does not try it again")
    return bad


def good_push(ports: dict[int, int], channel: Channel, bad: str) -> None:
    scene(9, "A push that mends it", "A newer commit is deployed as ever; once it is verified, the block is gone.")
    page = FLEET / PAGE
    page.with_name("start.html").rename(page)
    page.write_text(page.read_text().replace("Version 2", "Version 3"))
    push("Bring the index back")
    told = len(channel.embeds)
    reconciler("converge", "--yes")
    expect("Version 3" in get(ports[SITE]), "the new page is served")
    blocks = DEMO / "state/sentinels/blocked"
    expect(not any(each.name.startswith(bad) for each in blocks.iterdir()), f"{bad} is not blocked any more")
    expect(len(channel.embeds) > told, "the channel was told of the recovery")


def look_back() -> None:
    scene(10, "Looking at it", "Status and history tell what runs, since when, and why.")
    reconciler("status")
    reconciler("history")


def build_packages(ports: dict[int, int]) -> None:
    scene(
        11,
        "Packages for Gentoo, built once",
        "A package set in git; a pass hands over what the binhost lacks, a drone builds it with the real emerge.",
    )
    package_build(ports[SWARM], before_the_last_pass=no_more_channel)
    holds("notices go nowhere from here on: the channel of this demo ends with it")


def no_more_channel() -> None:
    """The channel ends with this process: what stays must not tell anything to nobody."""
    fleet = FLEET / "manifests/fleet.yaml"
    fleet.write_text(fleet.read_text().replace(f"\n{NOTIFICATIONS}\n", ""))
    push("The demo's channel closes")
    WEBHOOK.write_text("")


def farewell(ports: dict[int, int]) -> None:
    config = CONFIG.relative_to(ROOT)
    private = (DEMO / "engine/engine").exists()
    export = f"export DOCKER_HOST={os.environ['DOCKER_HOST']}"
    print(f"\n{styled('It all held. What to try next', '1')}\n")
    print("   The containers run on. The orchestrator and the drone were stopped: until you start them again (below),")
    print("   `status` and `converge` say of the packages that they are not known.\n")
    lines = [
        ("put the tool on your PATH, for this shell", 'export PATH="$PWD/.venv/bin:$PATH"'),
        *([("see the private engine's containers", export), ("", "docker ps")] if private else [("", "docker ps")]),
        ("edit the fleet, then let it converge", "$EDITOR .demo/fleet/manifests/stacks/edge/greeter.env"),
        ("", "git -C .demo/fleet commit -am 'Another greeting' && git -C .demo/fleet push"),
        ("", f"reconciler plan --config {config} && reconciler converge --config {config}"),
        ("", f"curl http://127.0.0.1:{ports[EDGE]}/"),
        ("hold everything for a while", f"reconciler pause --reason 'disk swap' --for 1h --config {config}"),
        ("and go on", f"reconciler resume --config {config}"),
        ("be told on Discord: put the address of your webhook there", f"$EDITOR {WEBHOOK.relative_to(ROOT)}"),
        ("", f"echo '{NOTIFICATIONS}' >>.demo/fleet/manifests/fleet.yaml"),
        ("", "git -C .demo/fleet commit -am 'Tell Discord' && git -C .demo/fleet push"),
        ("", f"reconciler converge --config {config} && reconciler notify test --config {config}"),
        ("start the orchestrator and the drone again", f"reconciler serve --config {config} &"),
        ("", f"{DRONE.relative_to(ROOT)} &"),
        ("and hand something in", f"echo demo-apps/hello | reconciler submit --config {config} -"),
        ("", f"reconciler queue watch --config {config}"),
        ("remove all of it", "make demo-down"),
    ]
    for why, command in lines:
        if why:
            print(f"   # {why}")
        print(f"   {styled(command, '36')}")


def main() -> None:
    if DEMO.exists():
        print("removing what an earlier demo left", flush=True)
        run(ROOT / "scripts/demo-down.sh", "--keep-engine")
    DEMO.mkdir(exist_ok=True)
    began = time.monotonic()
    engine_and_images()
    ports = free_ports()
    channel = Channel()
    remote_and_configuration(ports, channel)
    first_converge(ports)
    second_converge()
    change_one_file(ports)
    heal_drift(ports)
    bad = bad_push(ports, channel)
    good_push(ports, channel, bad)
    look_back()
    build_packages(ports)
    farewell(ports)
    print(f"\n({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; `make demo-down` removes what there is", file=sys.stderr)
        raise SystemExit(130) from None
