"""Waiting until containers are up, with a bound for each, and starting again those that need a second try."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.core.verdict import GOOD, State, Verdict, patience, stable, started
from reconciler.errors import ReconcilerError, Terminal, Transient
from reconciler.model.observed import Container, Slot
from reconciler.ports import Clock, ContainerEngine, Progress

_FIRST_LOOK, _LAST_LOOK = 0.05, 1.0
_SECOND_TRIES = (0.5, 1.0, 2.0, 4.0)


Failures = dict[Slot, ReconcilerError]
"""What went wrong, by the slot that it went wrong for."""

EVERYTHING = Slot("", "")
"""Stands for a failure that no single stack had."""


def gravest(failures: Failures) -> ReconcilerError:
    """What a person must mend goes before what passes by itself."""
    return min(failures.values(), key=lambda error: isinstance(error, Transient))


class Failed(Terminal):
    """A container did not come up, or did not stay up. `logs`: its last lines, and its health check's."""

    def __init__(self, slot: Slot, reason: str, logs: tuple[str, ...]) -> None:
        super().__init__(
            "E-VERIFY",
            f"{slot}: {reason}",
            why="\n".join(logs) or "it wrote nothing",
            next="mend it and push; `why` holds the end of its output",
        )
        self.slot = slot


@dataclass(frozen=True, slots=True)
class Awaited:
    """A container to wait for. `restarts`: its service wants to be started again after an exit."""

    slot: Slot
    container: str
    job: bool = False
    restarts: bool = False


class Waiting:
    """`timeout` in seconds: for what has no health check of its own; `job_timeout`: for jobs."""

    def __init__(
        self, engine: ContainerEngine, clock: Clock, progress: Progress, timeout: float, job_timeout: float
    ) -> None:
        self._engine, self._clock, self._progress = engine, clock, progress
        self._timeout, self._job_timeout = timeout, job_timeout

    def until_started(self, awaited: Iterable[Awaited]) -> Failures:
        """Until each is running and healthy, or a job ended well; those that are not, by slot."""
        left = {a.container: a for a in awaited}
        begun, pause = self._clock.now(), _FIRST_LOOK
        tries = dict.fromkeys(left, 0)
        failures: Failures = {}
        while left:
            seen = {c.id: c for c in self._engine.look(list(left))}
            for key, item in list(left.items()):
                verdict = started(seen.get(key), job=item.job)
                if verdict.state is State.BAD:
                    verdict = self._tried_again(item, seen.get(key), verdict, tries)
                waited = self._clock.now() - begun
                if verdict.state is State.WAITING and waited > self._bound(item, seen[key]):
                    verdict = Verdict(State.BAD, f"{verdict.reason} after {waited:.0f} s")
                if verdict.state is State.BAD:
                    failures[item.slot] = self._failed(item, verdict.reason, seen.get(key))
                if verdict.state is not State.WAITING:
                    del left[key]
            if left:
                self._clock.sleep(pause)
                pause = min(_LAST_LOOK, pause * 1.5)
        return failures

    def watch(self, awaited: Iterable[Awaited], window: float) -> Failures:
        """Three good samples in a row over `window` seconds; those that do not stay up, by slot."""
        left = {a.container: a for a in awaited}
        samples: dict[str, list[Container | None]] = {container: [] for container in left}
        failures: Failures = {}
        for last in (False, False, True):
            seen = {c.id: c for c in self._engine.look(list(left))}
            for key, item in list(left.items()):
                samples[key].append(seen.get(key))
                verdict = self._sampled(item, samples[key])
                if verdict.state is State.BAD or (last and verdict.state is not State.GOOD):
                    failures[item.slot] = self._failed(item, verdict.reason, seen.get(key))
                    del left[key]
            if left and not last:
                self._clock.sleep(window / 2)
        return failures

    def _sampled(self, item: Awaited, samples: list[Container | None]) -> Verdict:
        newest = samples[-1]
        if item.job and newest and newest.state == "exited" and newest.exit_code == 0:
            return GOOD
        return stable(samples, job=item.job)

    def _bound(self, item: Awaited, container: Container) -> float:
        return self._job_timeout if item.job else patience(container, self._timeout)

    def _tried_again(
        self, item: Awaited, container: Container | None, verdict: Verdict, tries: dict[str, int]
    ) -> Verdict:
        """Its restart policy comes only when it is stable; until then we stand in for the engine, a few times."""
        attempt = tries[item.container]
        exited = container is not None and container.state == "exited"
        if not (item.restarts and exited and attempt < len(_SECOND_TRIES)):
            return verdict
        self._progress.step(item.slot, "waiting", f"{verdict.reason}; starting it again ({attempt + 1})")
        self._clock.sleep(_SECOND_TRIES[attempt])
        tries[item.container] = attempt + 1
        self._engine.start(item.container)
        return Verdict(State.WAITING, verdict.reason)

    def _failed(self, item: Awaited, reason: str, container: Container | None) -> Failed:
        said = container.health_said.splitlines()[-5:] if container else []
        return Failed(
            item.slot, reason, (*self._engine.logs(item.container, 15), *(f"health check: {line}" for line in said))
        )
