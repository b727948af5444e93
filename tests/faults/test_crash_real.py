"""Kill -9 of a real process on a real engine, and reboots in the middle: two passes later all is well (I4)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.model import labels
from tests.support import warm
from tests.support.engine import ROOT, Engine
from tests.support.gitremote import Content, Remote

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

COUNTS: Counter[str] = Counter()

APP = "manifests/stacks/app/compose.yaml"
CONF = "manifests/stacks/app/web.conf"
STACK = """
name: app
services:
  web:
    image: {image}
    pull_policy: never
    command: [sleep, "3600"]
    stop_signal: KILL
    volumes: ["./web.conf:/etc/web.conf:ro", "data:/data"]
    networks: [front, back]
    restart: unless-stopped
  side:
    image: test/box:1
    pull_policy: never
    command: [sleep, "3600"]
    stop_signal: KILL
    network_mode: "service:web"
    restart: unless-stopped
networks: {{front: {{}}, back: {{}}}}
volumes: {{data: {{}}}}
"""


MIGRATION = """
x-reconciler:
  migrations: [{name: schema, service: web, command: [sh, -c, "echo row >> /data/rows"]}]
"""


@dataclass
class Box:
    """A host below `folder`, its fleet in a real remote, its containers on a private engine."""

    folder: Path
    engine: Engine
    image: str = "test/box:1"
    conf: str = "first\n"
    more: str = ""
    command: str = "converge"

    def __post_init__(self) -> None:
        self.remote = Remote(self.folder)
        self.config = self.folder / "etc" / "reconciler.toml"
        self.config.parent.mkdir()
        self.config.write_text(
            f'host = "box"\nrepository.url = "{self.remote.url}"\nstate.directory = "{self.state}"\n'
            f'docker.host = "{self.engine.url}"\nverify.window = "0s"\nverify.timeout = "10s"\n'
            f'trust.allow_host_mounts = ["{self.folder}"]\n'
        )
        fleet = f"hosts: {{box: {{connect: local, checkout: {self.checkout}}}}}"
        self.push({"manifests/fleet.yaml": f"apiVersion: reconciler/v1\nkind: Fleet\n{fleet}\n"})

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    def push(self, more: Mapping[str, Content] | None = None) -> None:
        self.remote.commit({APP: STACK.format(image=self.image) + self.more, CONF: self.conf, **(more or {})})

    def other_image(self) -> None:
        self.image = "test/box:2" if self.image == "test/box:1" else "test/box:1"
        self.push()

    def other_file(self) -> None:
        self.conf = "second\n" if self.conf == "first\n" else "first\n"
        self.push()

    def anew(self) -> None:
        """As before the first deploy."""
        self.engine.clean()
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.rmtree(self.checkout, ignore_errors=True)

    # Passes

    def learn(self) -> list[str]:
        """The points of an uncut pass."""
        done = self._child()
        assert done.returncode == 0, done.stderr
        points: list[str] = json.loads((self.folder / "trace").read_text())
        return points

    def dies(self, point: int) -> None:
        done = self._child(str(point))
        assert done.returncode == -signal.SIGKILL, f"it ended before point {point}: {done.stderr}"

    def _child(self, *point: str) -> subprocess.CompletedProcess[str]:
        asked = (self.command, "" if self.command == "converge" else self.remote.head)
        return _python("tests.support.crash_child", str(self.config), str(self.folder / "trace"), *asked, *point)

    def converge(self) -> None:
        done = _python("reconciler", "--config", str(self.config), "converge", "--yes")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    # What is there

    @property
    def rows(self) -> int:
        """How often a migration ran."""
        return len(self.engine.cli("exec", "app-web-1", "cat", "/data/rows").split())

    def containers(self) -> list[dict[str, Any]]:
        ids = self.engine.cli("ps", "-aq", "--no-trunc").split()
        found: list[dict[str, Any]] = json.loads(self.engine.cli("inspect", *ids)) if ids else []
        return found

    def running(self) -> Counter[str]:
        """How many containers of each service run; none of them may be a kept one."""
        alive = [c for c in self.containers() if c["State"]["Running"]]
        assert not [c["Name"] for c in alive if ".kept-" in c["Name"]]
        return Counter(c["Config"]["Labels"][labels.SERVICE] for c in alive)

    def check_never_two(self) -> None:
        assert all(count == 1 for count in self.running().values()), self.running()

    def check_converged(self) -> None:
        by_name = {c["Name"].lstrip("/"): c for c in self.containers()}
        assert sorted(by_name) == ["app-side-1", "app-web-1"]
        web, side = by_name["app-web-1"], by_name["app-side-1"]
        assert (web["State"]["Status"], side["State"]["Status"]) == ("running", "running")
        assert (web["Config"]["Image"], side["Config"]["Image"]) == (self.image, "test/box:1")
        assert side["HostConfig"]["NetworkMode"] == f"container:{web['Id']}"
        assert side["State"]["StartedAt"] > web["State"]["StartedAt"]
        policies = {c["HostConfig"]["RestartPolicy"]["Name"] for c in by_name.values()}
        assert policies == {"unless-stopped"}
        live = {n["Name"]: n["Id"] for n in self._networks()}
        assert {n: e["NetworkID"] for n, e in web["NetworkSettings"]["Networks"].items()} == live
        assert sorted(live) == ["app_back", "app_front"]
        assert self.engine.cli("volume", "ls", "-q").split() == ["app_data"]
        assert self.engine.cli("exec", "app-web-1", "cat", "/etc/web.conf") == self.conf.strip()
        assert (self.checkout / CONF).read_text() == self.conf
        assert (self.state / "sentinels" / "last-successful-deploy-sha").read_text().strip() == self.remote.head
        said = [p.name for p in (self.state / "sentinels").rglob("*") if p.is_file() and not p.name.startswith(".")]
        assert said == ["last-successful-deploy-sha"]
        ledger = SqliteLedger(self.state / "ledger.db")
        try:
            assert (ledger.open_intents(), ledger.unfinished()) == ((), ())
        finally:
            ledger.close()

    def _networks(self) -> list[dict[str, Any]]:
        ids = self.engine.cli("network", "ls", "-q", "--filter", "type=custom").split()
        found: list[dict[str, Any]] = json.loads(self.engine.cli("network", "inspect", *ids))
        return found

    def carry_on(self, how: str) -> None:
        """Never two run, one pass brings all up, and a second leaves nothing to be done."""
        try:
            self.check_never_two()
            self.converge()
            assert self.running() == {"web": 1, "side": 1}
            if "first" in how or sum(COUNTS.values()) % 4 == 0:  # the others are well after one pass already
                self.converge()
            self.check_converged()
            COUNTS[how.partition(" at ")[0]] += 1
        except AssertionError as error:
            error.add_note(how)
            raise


def _python(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("RECONCILER_", "DOCKER_"))}
    return warm.run(arguments, ROOT, env, module=module)


@pytest.fixture
def box(engine: Engine, images: tuple[str, str], tmp_path: Path) -> Box:
    return Box(tmp_path, engine)


def _points(trace: list[str]) -> list[int]:
    """Before each effect that lasts: nothing lasting happens between the end of one and the beginning of the next."""
    return [n for n, point in enumerate(trace) if point.startswith("before")]


def test_killed_anywhere_in_the_first_deploy(box: Box) -> None:
    points = box.learn()
    box.check_converged()
    for point in _points(points)[::3]:
        box.anew()
        box.dies(point)
        box.carry_on(f"first deploy, killed at {point}: {points[point]}")


@pytest.mark.parametrize("change", [Box.other_image, Box.other_file], ids=["one image", "one file"])
def test_killed_anywhere_in_a_replacement(box: Box, change: Any) -> None:
    box.converge()
    change(box)
    points = box.learn()
    box.check_converged()
    for point in _points(points)[::2]:
        change(box)
        box.dies(point)
        box.carry_on(f"{change.__name__}, killed at {point}: {points[point]}")


def test_killed_anywhere_in_a_deploy_with_a_migration(box: Box) -> None:
    box.more = MIGRATION
    box.push()
    box.converge()
    box.command = "deploy"
    box.other_image()
    points = box.learn()
    box.check_converged()
    for point in _points(points)[::3]:
        before = box.rows
        box.other_image()
        box.dies(point)
        box.carry_on(f"deploy and migration, killed at {point}: {points[point]}")
        assert before < box.rows <= before + 2, f"killed at {point}: {points[point]}"


def test_killed_and_rebooted_in_a_replacement(box: Box) -> None:
    box.converge()
    box.other_image()
    points = box.learn()
    first = next(n for n, point in enumerate(points) if point.startswith("before ledger.intend"))
    for point in [n for n in _points(points) if n >= first and "ledger.step" not in points[n]][::2]:
        box.other_image()
        box.dies(point)
        box.engine.restart(kill=point % 4 < 2)
        box.carry_on(f"rebooted at {point}: {points[point]}")


def test_enough_points_were_cut(tell: Callable[[str], None]) -> None:
    """Runs last; only counts a whole run of this file."""
    if len(COUNTS) < 5:
        return
    tell(f"crash enumeration on a real engine: {dict(COUNTS)}")
    assert sum(COUNTS.values()) >= 60
