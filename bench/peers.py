"""Who is measured: reconciler as a user runs it, the floor, and docker-compose in a loop around git pull."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.fleet import HOST, STACKS, Fleet, Layout
from bench.floor import PARALLEL


@dataclass(frozen=True)
class Peer:
    """`command` is one pass; `full` one that may not trust what it knows from the last; `watch`
    stays and makes one pass after the other; `state` is all it keeps."""

    name: str
    fleet: Fleet
    command: list[str]
    state: Path
    full: list[str] | None = None
    watch: list[str] | None = None

    def forget(self) -> None:
        """As on a host that it never was on."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir()


def reconciler(folder: Path, layout: Layout, socket: str) -> Peer:
    state, checkout = folder / "state", folder / "state" / "checkout"
    fleet = Fleet(folder, layout, checkout)
    config = folder / "etc" / "reconciler.toml"
    config.parent.mkdir()
    config.write_text(
        f'host = "{HOST}"\n[repository]\nurl = "{fleet.remote.url}"\n'
        f'[state]\ndirectory = "{state / "own"}"\n[inbox]\ndirectory = "{folder / "inbox"}"\n'
        f'[docker]\nhost = "unix://{socket}"\n[trust]\nallow_host_mounts = ["{checkout}"]\n'
        '[verify]\nwindow = "0s"\n'
    )
    program = str(Path(sys.executable).with_name("reconciler"))
    command = [program, "converge", "--yes", "--quiet", "--config", str(config)]
    watch = [program, "watch", "--quiet", "--config", str(config)]
    return Peer("reconciler", fleet, command, state, [*command, "--full"], watch)


def floor(folder: Path, layout: Layout, socket: str) -> Peer:
    state = folder / "state"
    fleet = Fleet(folder, layout, state / "clone")
    command = [sys.executable, "-m", "bench.floor", socket, fleet.remote.url, str(state / "clone")]
    return Peer("floor", fleet, command, state)


def compose(folder: Path, layout: Layout, socket: str) -> Peer:
    state = folder / "state"
    fleet = Fleet(folder, layout, state / "clone")
    clone, url = shlex.quote(str(state / "clone")), shlex.quote(fleet.remote.url)
    up = [
        f"docker-compose -H {shlex.quote(f'unix://{socket}')} -p {name} -f {clone}/{STACKS}/{name}/compose.yaml up -d"
        for name in layout.names
    ]
    # Every service holds one of these while it asks for another: with 64, its default, more than 63 services hang it.
    parallel = layout.services // layout.stacks + 1 + PARALLEL
    pull = f"if [ -d {clone} ]; then git -C {clone} pull --quiet; else git clone --quiet {url} {clone}; fi"
    limit = f"export COMPOSE_PARALLEL_LIMIT={parallel}"
    return Peer("docker-compose", fleet, ["sh", "-c", " && ".join([limit, pull, *up])], state)


PEERS: dict[str, Callable[[Path, Layout, str], Peer]] = {
    "reconciler": reconciler,
    "floor": floor,
    "compose": compose,
}
