"""Fleets of any size as git repositories, and the commits that change one thing in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.gitremote import Content, Remote

HOST = "box"
IMAGES = ("bench/app:1", "bench/app:2")
STACKS = "manifests/stacks"
INDEX = "floor.json"
"""The same fleet as a flat list, for whoever reads no Compose files."""


@dataclass(frozen=True, order=True)
class Layout:
    """So many services, spread evenly over so many stacks."""

    services: int
    stacks: int = 1

    @classmethod
    def parse(cls, text: str) -> Layout:
        """`100`, or `100/20`: in twenty stacks. ValueError when it is neither, or stacks would be empty."""
        services, _, stacks = text.partition("/")
        layout = cls(int(services), int(stacks or 1))
        if not 1 <= layout.stacks <= layout.services:
            raise ValueError(f"{text}: at least one service in each stack")
        return layout

    def __str__(self) -> str:
        return f"{self.services}/{self.stacks}" if self.stacks > 1 else str(self.services)

    @property
    def slots(self) -> list[tuple[str, str]]:
        """Stack and service of every container."""
        return [(f"bench{n % self.stacks:02}", f"app{n:03}") for n in range(self.services)]

    @property
    def names(self) -> list[str]:
        return sorted({stack for stack, _ in self.slots})


class Fleet:
    """A remote whose branch follows one layout. Every change gives the `stack/service` that have to move for it."""

    def __init__(self, folder: Path, layout: Layout, checkout: Path) -> None:
        self.layout = layout
        self.remote = Remote(folder)
        self._files = dict.fromkeys(layout.slots, 0)
        self._images = dict.fromkeys(layout.slots, 0)
        self._changes = 0
        hosts = f"{{{HOST}: {{connect: local, checkout: {checkout}}}}}"
        fleet = {"manifests/fleet.yaml": f"apiVersion: reconciler/v1\nkind: Fleet\nhosts: {hosts}\n"}
        self.remote.commit({**fleet, **dict(self._stacks()), **dict(self._confs())}, "the fleet")

    @property
    def everything(self) -> set[str]:
        return {"/".join(slot) for slot in self.layout.slots}

    def change_file(self) -> set[str]:
        """Another content for the file that one service mounts."""
        slot = self._next()
        self._files[slot] += 1
        self.remote.commit({_conf(slot): self._content(slot)}, "a mounted file")
        return {"/".join(slot)}

    def change_image(self) -> set[str]:
        """Another tag for one service."""
        slot = self._next()
        self._images[slot] ^= 1
        self.remote.commit(dict(self._stacks()), "an image")
        return {"/".join(slot)}

    def change_docs(self) -> set[str]:
        """A file that no service uses."""
        self._changes += 1
        self.remote.commit({"docs/notes.md": f"note {self._changes}\n"}, "a note")
        return set()

    def _next(self) -> tuple[str, str]:
        """Another service each time, all over the fleet."""
        self._changes += 1
        return self.layout.slots[self._changes * 7 % self.layout.services]

    def _confs(self) -> Iterator[tuple[str, Content]]:
        for slot in self.layout.slots:
            yield _conf(slot), self._content(slot)

    def _content(self, slot: tuple[str, str]) -> str:
        return f"{'/'.join(slot)} version {self._files[slot]}\n"

    def _stacks(self) -> Iterator[tuple[str, Content]]:
        index: dict[str, Mapping[str, str]] = {}
        for name in self.layout.names:
            services = [slot for slot in self.layout.slots if slot[0] == name]
            yield f"{STACKS}/{name}/compose.yaml", "services:\n" + "".join(map(self._service, services))
            index |= {"/".join(s): {"image": IMAGES[self._images[s]], "file": _conf(s)} for s in services}
        yield INDEX, json.dumps(index, indent=1)

    def _service(self, slot: tuple[str, str]) -> str:
        return (
            f"  {slot[1]}:\n"
            f"    image: {IMAGES[self._images[slot]]}\n"
            "    command: [sleep, '86400']\n"
            "    network_mode: host\n"
            "    restart: unless-stopped\n"
            f"    volumes: ['./conf/{slot[1]}.conf:/etc/app.conf:ro']\n"
        )


def _conf(slot: tuple[str, str]) -> str:
    return f"{STACKS}/{slot[0]}/conf/{slot[1]}.conf"
