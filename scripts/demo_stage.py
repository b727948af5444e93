"""What the scenes of the demo stand on: words for a person, real commands, and looks at the engine itself."""

from __future__ import annotations

import os
import shlex
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
STACKS = ("demo-site", "demo-shop", "demo-edge")

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


def push(subject: str) -> str:
    git("add", "--all")
    git("commit", "-q", "-m", subject)
    git("push", "-q", "origin", "main")
    sha = git("rev-parse", "--short", "HEAD")
    print(f"   {styled('$ git push', '36')}   ({sha} {subject})")
    return sha


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
