"""`make demo`: the example fleet on a real Docker engine, one scene after the other.

Nothing is staged: every scene runs the commands that a user would run, then looks at the engine itself and fails
loudly when it does not show what the scene promised. All files lie in .demo; `make demo-down` removes everything.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
FLEET = DEMO / "fleet"
CONFIG = DEMO / "etc" / "reconciler.toml"
PAGE = "manifests/stacks/site/pages/index.html"
STACKS = ("demo-site", "demo-shop", "demo-edge")
SITE, SHOP, EDGE = 8480, 8481, 8482

_COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


class Running(NamedTuple):
    """What tells whether a container is still the same one, undisturbed."""

    id: str
    started: str


# --- what the demo says


def styled(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if _COLOUR else text


def scene(number: int, title: str, explanation: str) -> None:
    print(f"\n{styled(f'{number}. {title}', '1')}\n   {explanation}\n", flush=True)


def holds(what: str) -> None:
    print(f"   {styled('ok', '32')}  {what}", flush=True)


def fail(what: str, *details: str) -> NoReturn:
    print(f"\n{styled('The demo failed:', '1;31')} {what}", file=sys.stderr)
    for line in details:
        print(f"   {line}", file=sys.stderr)
    print("   Everything is still there to look at, below .demo; `make demo-down` removes it.", file=sys.stderr)
    raise SystemExit(1)


def expect(held: bool, what: str, *details: str) -> None:
    if not held:
        fail(f"this did not hold: {what}", *details)
    holds(what)


# --- what the demo runs


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """The output of a command of ours; the demo ends when it fails."""
    words = [str(word) for word in command]
    ours = words[0].startswith(str(ROOT))  # our own scripts speak only when they do something that takes a while
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if ours else subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        fail(f"{shlex.join(words)} ended with {done.returncode}", *(done.stderr or "").strip().splitlines()[-15:])
    return done.stdout.strip()


def environment() -> dict[str, str]:
    """Ours, without what would send git to another repository or the tool to another configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "RECONCILER_"))}


def git(*arguments: str, cwd: Path = FLEET) -> str:
    settings = ("user.name=demo", "user.email=demo@example.invalid", "commit.gpgsign=false", "core.hooksPath=/dev/null")
    return run("git", *(word for setting in settings for word in ("-c", setting)), *arguments, cwd=cwd)


def reconciler(*arguments: str, ok: Iterable[int] = (0,)) -> int:
    """Run the real command and show its output as it comes."""
    shown = ["reconciler", *arguments, "--config", str(CONFIG.relative_to(ROOT))]
    print(f"   {styled('$ ' + shlex.join(shown), '36')}", flush=True)
    program = Path(sys.executable).with_name("reconciler")
    began = time.monotonic()
    status = subprocess.run(
        [str(program), *arguments, "--config", str(CONFIG)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode
    print(f"   (exit code {status}, {time.monotonic() - began:.1f} s)", flush=True)
    if status not in ok:
        fail(f"reconciler {' '.join(arguments)} ended with {status}")
    return status


def docker(*arguments: str) -> str:
    return run("docker", *arguments)


def running() -> dict[str, Running]:
    """The demo's containers by `stack/service`."""
    ids = [i for name in STACKS for i in docker("ps", "-aq", "--filter", label("project", name)).split()]
    if not ids:
        return {}
    form = (
        '{{index .Config.Labels "com.docker.compose.project"}}/{{index .Config.Labels "com.docker.compose.service"}}'
        " {{.Id}} {{.State.StartedAt}}"
    )
    rows = (line.split() for line in docker("inspect", "--type", "container", "--format", form, *ids).splitlines())
    return {name: Running(identity, started) for name, identity, started in rows}


def label(key: str, value: str) -> str:
    return f"label=com.docker.compose.{key}={value}"


def health(stack: str, service: str) -> str:
    found = docker("ps", "-q", "--filter", label("project", stack), "--filter", label("service", service))
    return docker("inspect", "--format", "{{.State.Health.Status}}", found) if found else "gone"


def changes_since(began: float) -> list[str]:
    """What the engine did since then, as it tells itself; the healthchecks' own probes are left out."""
    lines = docker("events", "--since", f"{began:.6f}", "--until", f"{time.time():.6f}").splitlines()
    return [line for line in lines if " exec_" not in line and " health_status" not in line]


def get(port: int, path: str = "/") -> str:
    url = f"http://127.0.0.1:{port}{path}"
    trouble: OSError | None = None
    for _ in range(20):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = str(answer.read().decode()).strip()
                print(f"   GET {url}\n      {styled(text.splitlines()[-1], '33')}", flush=True)
                return text
        except OSError as error:  # URLError is one
            trouble = error
            time.sleep(0.25)
    fail(f"{url} does not answer", str(trouble))


def wait_for_health(stack: str, service: str) -> str:
    deadline = time.monotonic() + 20
    while (found := health(stack, service)) == "starting" and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


# --- the scenes


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
    for wanted in (SITE, SHOP, EDGE):
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


def remote_and_configuration(ports: dict[int, int]) -> None:
    scene(
        2, "A git remote with a fleet", "manifests/ is pushed to a bare repository: from here on, git says what runs."
    )
    git("init", "-q", "--bare", "--initial-branch=main", str(DEMO / "remote.git"), cwd=DEMO)
    git("clone", "-q", str(DEMO / "remote.git"), str(FLEET), cwd=DEMO)
    git("checkout", "-q", "-B", "main")
    shutil.copytree(ROOT / "manifests", FLEET / "manifests")
    fleet = FLEET / "manifests/fleet.yaml"
    fleet.write_text(re.sub(r"(?m)^(\s+checkout:).*$", rf"\1 {json.dumps(str(DEMO / 'checkout'))}", fleet.read_text()))
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
        f"[state]\ndirectory = {json.dumps(str(DEMO / 'state'))}\n"
    )
    holds(f"the host's own file is {CONFIG.relative_to(ROOT)}")


def push(subject: str) -> str:
    git("add", "--all")
    git("commit", "-q", "-m", subject)
    git("push", "-q", "origin", "main")
    sha = git("rev-parse", "--short", "HEAD")
    print(f"   {styled('$ git push', '36')}   ({sha} {subject})")
    return sha


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
    expect(not changed, f"the engine saw {len(changed)} changes", *changed)
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


def look_back() -> None:
    scene(8, "Looking at it", "Status and history tell what runs, since when, and why.")
    reconciler("status")
    reconciler("history")


def farewell(ports: dict[int, int]) -> None:
    config = CONFIG.relative_to(ROOT)
    private = (DEMO / "engine/engine").exists()
    export = f"export DOCKER_HOST={os.environ['DOCKER_HOST']}"
    print(f"\n{styled('It all held. What to try next', '1')}\n")
    lines = [
        ("put the tool on your PATH, for this shell", 'export PATH="$PWD/.venv/bin:$PATH"'),
        *([("see the private engine's containers", export), ("", "docker ps")] if private else [("", "docker ps")]),
        ("edit the fleet, then let it converge", "$EDITOR .demo/fleet/manifests/stacks/edge/greeter.env"),
        ("", "git -C .demo/fleet commit -am 'Another greeting' && git -C .demo/fleet push"),
        ("", f"reconciler plan --config {config} && reconciler converge --config {config}"),
        ("", f"curl http://127.0.0.1:{ports[EDGE]}/"),
        ("hold everything for a while", f"reconciler pause --reason 'disk swap' --for 1h --config {config}"),
        ("and go on", f"reconciler resume --config {config}"),
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
    remote_and_configuration(ports)
    first_converge(ports)
    second_converge()
    change_one_file(ports)
    heal_drift(ports)
    look_back()
    farewell(ports)
    print(f"\n({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; `make demo-down` removes what there is", file=sys.stderr)
        raise SystemExit(130) from None
