"""`python -m bench.rollback`: from the failed verify to the old container serving again, beside the bare engine.

A service gets a health check that never passes. What is told: the time from the pass's own `undo` to the start of the
old container as the engine has it, how long of that the new one took to stop (it ignores SIGTERM for its whole grace),
and the same exchange with nothing but `docker stop`, `docker rename` and `docker start`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.measure import machine
from tests.support.engine import ROOT, Engine, private_engine
from tests.support.gitremote import Remote

GRACE = 1.0
_STACK = """
name: bench
services:
{services}
"""
_SERVICE = """
  app{n:03}:
    image: bench/app:1
    command: [sh, -c, "trap '' TERM; sleep 86400 & wait"]
    stop_grace_period: {grace:g}s
    network_mode: host
    restart: unless-stopped
    environment: {{VERSION: "{version}"}}
    healthcheck: {{test: [CMD, "{health}"], interval: 200ms, retries: 1}}
"""


@dataclass(frozen=True)
class Way:
    """Seconds: from `undo` to the old container's start, and from there to the end of the pass."""

    back: float
    rest: float


class Bench:
    def __init__(self, engine: Engine, folder: Path, services: int) -> None:
        self._engine, self._folder, self._services, self._version = engine, folder, services, 0
        self._remote = Remote(folder)
        self._config = folder / "reconciler.toml"
        self._config.write_text(
            f'host = "box"\n[repository]\nurl = "{self._remote.url}"\n[state]\ndirectory = "{folder}/state"\n'
            f'[docker]\nhost = "{engine.url}"\n[verify]\nwindow = "0s"\n'
            f'[trust]\nallow_host_mounts = ["{engine.folder}/box"]\n'
        )
        hosts = f"{{box: {{connect: local, checkout: {engine.folder}/box/checkout}}}}"
        self._push(f"apiVersion: reconciler/v1\nkind: Fleet\nhosts: {hosts}\n", "fleet.yaml")

    def ours(self) -> Way:
        self._stack("true")
        self._pass(0)
        self._stack("false")
        lines = [json.loads(line) for line in self._pass(4).splitlines()]
        undo = next(line["at"] for line in lines if line.get("phase") == "undo")
        ended = time.time()
        started = self._engine.cli("inspect", "-f", "{{.State.StartedAt}}", "bench-app000-1")
        serving = datetime.fromisoformat(f"{started[:26]}+00:00").timestamp()
        return Way(serving - undo, ended - serving)

    def floor(self) -> float:
        """The same exchange of one container, by hand."""
        cli, image = self._engine.cli, "bench/app:1"
        run = ("--network", "host", image, "sh", "-c", "trap '' TERM; sleep 86400 & wait")
        cli("create", "--name", "floor.kept", *run)
        cli("run", "-d", "--name", "floor", *run)
        begun = time.monotonic()
        cli("stop", "-t", f"{GRACE:.0f}", "floor")
        cli("rm", "floor")
        cli("rename", "floor.kept", "floor")
        cli("start", "floor")
        took = time.monotonic() - begun
        cli("rm", "-f", "floor")
        return took

    def _stack(self, health: str) -> None:
        self._version += 1
        bad = {0: (health, self._version)}
        services = (
            _SERVICE.format(n=n, grace=GRACE, health=bad.get(n, ("true", 0))[0], version=bad.get(n, ("true", 0))[1])
            for n in range(self._services)
        )
        self._push(_STACK.format(services="".join(services)), "stacks/bench/compose.yaml")

    def _push(self, text: str, path: str) -> None:
        self._remote.commit({f"manifests/{path}": text})

    def _pass(self, code: int) -> str:
        command = [sys.executable, "-m", "reconciler", "converge", "--yes", "--json", "--config", str(self._config)]
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != code:
            raise SystemExit(f"a pass ended with {done.returncode} instead of {code}:\n{done.stdout}\n{done.stderr}")
        return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.rollback", description="How fast a bad push is taken back.")
    parser.add_argument("services", nargs="?", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    engine = private_engine()
    try:
        engine.images("bench/app:1")
        folder = engine.folder / "bench"
        folder.mkdir()
        bench = Bench(engine, folder, options.services)
        ways = [(bench.ours(), bench.floor()) for _ in range(options.rounds)]
    finally:
        engine.down()
    backs, floors = [way.back for way, _ in ways], [floor for _, floor in ways]
    print(", ".join(f"{key} {value}" for key, value in machine("").items() if value))
    print(f"{options.services} services, one gets sick; grace {GRACE:g} s, which it takes; {options.rounds} rounds; s")
    for name, values in (
        ("undo to serving", backs),
        ("without the grace", [b - GRACE for b in backs]),
        ("floor", floors),
    ):
        print(f"{name:<18} median {statistics.median(values):.2f}  {min(values):.2f}..{max(values):.2f}")


if __name__ == "__main__":
    main()
