"""Migrations of a stack, one after the other: in a container of their own, or on the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reconciler.convergence.oneoff import run_once
from reconciler.convergence.world import World
from reconciler.core.migrations import marks, oneoff
from reconciler.core.planner import serving
from reconciler.core.redact import redactor
from reconciler.errors import ReconcilerError, Terminal, Unreachable
from reconciler.model.desired import Migration, Stack
from reconciler.model.observed import Observed, Slot, made_name
from reconciler.model.report import StepRecord
from reconciler.model.result import Migrated
from reconciler.ports import HostShell

Mode = Literal["manual", "deploy"]
_TOLD_LINES = 15


class Failed(Terminal):
    """A migration did not end well; what it had done by then is done."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a one-off container is made like: a create request, its image, and its anonymous volumes by destination."""

    definition: Mapping[str, Any]
    image: str
    volumes: Mapping[str, str]
    platform: str = ""


def patterns(stack: Stack, observed: Observed, owner: str) -> dict[str, Pattern]:
    """By service: the image and the settings that it runs with now. Terminal when a service has no container."""
    serve = serving(observed, owner)
    made = {}
    for migration in stack.migrations:
        if not migration.service:
            continue
        container = serve.get(Slot(stack.name, migration.service))
        if container is None:
            raise Terminal(
                "E-NOT-RUNNING",
                f"{stack.name}/{migration.service} has no container, and migration {migration.name} needs one like it",
                why="it runs with the image and the settings of the container that is there",
                next="reconciler converge, then once more",
            )
        made[migration.service] = Pattern(container.definition, container.image_id, container.anonymous_volumes)
    return made


class Migrate:
    """The migrations of one run; the caller holds the pass lock. No secret of the host is in what is kept or told.

    `done`: those that were run, the one that failed last.
    """

    def __init__(self, world: World, shell: HostShell, run: str, owner: str, mode: Mode) -> None:
        self._engine, self._ledger = world.engine, world.ledger
        self._clock, self._progress = world.clock, world.progress
        self._clean = redactor(world.files.confidential()).clean
        self._shell, self._run, self._owner = shell, run, owner
        self._environment = {"RECONCILER_MODE": mode}
        self.done: list[Migrated] = []

    def run(self, stack: Stack, patterns: Mapping[str, Pattern], checkout: str) -> None:
        """In their order; the first that fails ends it. `patterns`: by service. Raises Failed, Transient.

        The log of each is kept with its step in the ledger.
        """
        for migration in stack.migrations:
            self._clock.sleep(0)  # who asked to stop is heard between two migrations
            slot, begun = Slot(stack.name, migration.service or migration.name), self._clock.now()
            self._progress.step(slot, "migrating", migration.name)
            try:
                if migration.service:
                    code, log = self._in_container(stack.name, migration, patterns[migration.service])
                else:
                    code, log = self._on_host(stack.name, migration, checkout)
                failure = self._verdict(stack.name, migration, code, log)
            except ReconcilerError as error:
                self._record(stack.name, migration, begun, "failed", error.why)
                raise
            self._record(stack.name, migration, begun, "failed" if failure else "ok", log)
            self._progress.step(slot, "failed" if failure else "up", migration.name)
            for line in self._clean(log).splitlines()[-_TOLD_LINES:]:
                self._progress.say(f"  {line}")
            if failure:
                raise failure

    def _verdict(self, stack: str, migration: Migration, code: int, log: str) -> Failed | None:
        if code == 0:
            return None
        return Failed(
            "E-MIGRATION",
            f"{stack}: migration {migration.name} ended with {code}",
            why=self._told(log),
            next="mend it and run it again; by contract that is safe. Nothing is migrated back",
            unchanged="containers run as before",
        )

    def _late(self, stack: str, migration: Migration, log: str) -> Failed:
        return Failed(
            "E-MIGRATION-TIMEOUT",
            f"{stack}: migration {migration.name} was ended after {migration.timeout:g} s",
            why=self._told(log),
            next=f"look at what it waits for, or give it more time: timeout: of {migration.name}",
            unchanged="containers run as before",
        )

    def _in_container(self, stack: str, migration: Migration, pattern: Pattern) -> tuple[int, str]:
        labels = marks(self._owner, stack, migration.service)
        body = oneoff(pattern.definition, pattern.image, pattern.volumes, migration.command, self._environment, labels)
        endpoints = sorted((pattern.definition.get("NetworkingConfig") or {}).get("EndpointsConfig") or {})
        name = made_name(f"{stack}-{migration.service}-{migration.name}", self._run)
        code, log = run_once(self._engine, self._clock, name, body, endpoints, pattern.platform, migration.timeout)
        if code is None:
            raise self._late(stack, migration, log)
        return code, log

    def _on_host(self, stack: str, migration: Migration, checkout: str) -> tuple[int, str]:
        program = migration.run[0]
        command = [f"{checkout}/{program}" if "/" in program and program[0] != "/" else program, *migration.run[1:]]
        try:
            return self._shell.run(command, checkout, self._environment, migration.timeout)
        except Unreachable as late:
            raise self._late(stack, migration, late.why) from late

    def _told(self, log: str) -> str:
        return "\n".join(self._clean(log).splitlines()[-_TOLD_LINES:]) or "it wrote nothing"

    def _record(self, stack: str, migration: Migration, begun: float, result: str, log: str) -> None:
        reasons = (migration.name,)
        self.done.append(Migrated(stack, migration.name, self._clock.now() - begun, result))
        now, detail = self._clock.now(), self._clean(log)
        self._ledger.step(
            StepRecord(self._run, stack, migration.service, "migrate", reasons, begun, now, result, detail)
        )
