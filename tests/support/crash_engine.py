"""An engine in memory that can be copied, and that knows what happened in its containers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.adapters.docker.memory import MemoryEngine
from reconciler.errors import Terminal
from reconciler.model import labels
from reconciler.model.observed import Container, Slot

HOST = "box"


class CrashEngine(MemoryEngine):
    """Knows, besides, which start of its host a container joined, what ever started, what will not, and what flaps.

    `heard`: what was in the `conf` folder beside its Compose file when a container was started, signalled or commanded
    the last time. A command fails where it reads `bad`.
    `rows`: what migrations wrote; one whose command says `fails` ends with 3 after that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refuses: set[str] = set()
        self.flaps: set[str] = set()
        self.rows: list[str] = []
        self.joined: dict[str, tuple[str, int]] = {}
        self.started: list[tuple[Slot, str]] = []
        self.stacks: Path | None = None
        self.heard: dict[str, tuple[str, ...]] = {}

    def signal(self, container: str, name: str) -> None:
        super().signal(container, name)
        self._hear(container)

    def exec(self, container: str, command: Sequence[str], timeout: float) -> tuple[int, str]:
        super().exec(container, command, timeout)
        self._hear(container)
        return int("bad" in self.heard.get(container, ())), "read it"

    def _hear(self, container: str) -> None:
        stack = self._shown(self._containers[container]).stack
        if self.stacks and (conf := self.stacks / stack / "conf").is_dir():
            self.heard[container] = tuple(path.read_text() for path in sorted(conf.iterdir()))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
        vars(self).update(state)

    def copy(self) -> CrashEngine:
        return copy.deepcopy(self)

    def offer(self, *references: str) -> None:
        """Images that are on the host already."""
        for reference in references:
            self._tag(self._new_id("sha256:"), reference)

    def moves(self, reference: str) -> str:
        """Somebody pushed another image under that name; its id, and it is on the host already."""
        image = self._new_id("sha256:")
        self._tag(image, reference)
        return image

    def as_compose_made_it(self) -> None:
        """Nothing here carries a label of ours any more, as if Compose had started it all."""
        for held in self._containers.values():
            if held.body.get("Labels", {}).get(labels.OWNER, "").endswith(f"@{HOST}"):
                held.body["Labels"] = {k: v for k, v in held.body["Labels"].items() if not k.startswith("reconciler.")}
        self._networks = {n.id: replace(n, owner="", fingerprint="") for n in self._networks.values()}
        self._volumes = {v.name: replace(v, owner="", fingerprint="") for v in self._volumes.values()}

    def containers(self) -> tuple[Container, ...]:
        return self.observe(HOST, "").containers

    def glimpse(self) -> object:
        """Is equal to another one when nothing has happened to any container between the two; cheaper than a look."""
        with self._lock:
            return [
                (c.id, c.name, c.state, c.health, c.exit_code, c.starts, c.image_id, c.body, c.networks.copy())
                for c in self._containers.values()
            ]

    def by_name(self) -> dict[str, Container]:
        return {c.name: c for c in self.containers()}

    def lives_in(self, container: Container) -> str:
        """The name of the container whose network it shares; marked when that was restarted since, or is gone."""
        mode = str(container.definition.get("HostConfig", {}).get("NetworkMode", ""))
        if not mode.startswith("container:"):
            return ""
        host = self._containers.get(mode.partition(":")[2])
        if host is None:
            return "gone"
        alive = self.joined.get(container.id) == (host.id, host.starts) and host.state == "running"
        return host.name if alive else f"{host.name} as it was before"

    def look(self, ids: Sequence[str]) -> tuple[Container, ...]:
        """What flaps looks well at every single glance, and was started anew since the one before."""
        glance = next(self._numbers)
        seen = super().look(ids)
        return tuple(replace(c, started_at=f"start {glance}") if c.image in self.flaps else c for c in seen)

    def _run(self, held: Any) -> None:
        if held.state != "running" and self.refuses & {held.body["Image"], held.image_id}:
            raise Terminal("E-DOCKER-REFUSED", "port is already allocated")
        before = held.starts
        super()._run(held)
        if held.starts > before:
            shown = self._shown(held)
            self._hear(held.id)
            self.started.append((shown.slot, shown.fingerprint))
            host = held.body.get("HostConfig", {}).get("NetworkMode", "").removeprefix("container:")
            if host in self._containers:
                self.joined[held.id] = (host, self._containers[host].starts)
            if held.body.get("Labels", {}).get(labels.ONEOFF) == "True":
                self.rows.append(" ".join(held.body["Cmd"]))
                held.state, held.health, held.exit_code = "exited", "none", 3 if "fails" in held.body["Cmd"] else 0
