"""Around a pass: who is told of it, and the sign of life that it leaves. Nothing here changes how it ends (I15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial

from reconciler.convergence.long import Announced
from reconciler.convergence.tell import PATIENCE, Teller
from reconciler.convergence.world import Request, World
from reconciler.core.heartbeat import after, success
from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.notice import Notifications
from reconciler.model.report import Pause, Run
from reconciler.model.result import Result
from reconciler.model.settings import Settings
from reconciler.ports import Clock, Progress
from reconciler.wiring import make_heartbeat, make_teller, notifications_of, view_ledger

_HISTORY = 5
"""Runs that are asked whether they could tell their end."""


class Told:
    """One pass as others hear of it. `progress` is for the pass; `waiting`: notices that nobody has read yet.

    `looked`: when a quick look found all well the last time (epoch seconds).
    """

    def __init__(self, settings: Settings, clock: Clock, progress: Progress, request: Request, looked: float) -> None:
        self._settings, self._clock, self._request = settings, clock, request
        self._begun, self._looked = clock.now(), looked
        self._teller, self._say = make_teller(settings, clock, progress.say), progress.say
        self._announced = Announced(progress, self._announce) if self._safely(_wanted, self._teller) else None
        self.progress: Progress = self._announced or progress
        self.waiting = 0

    def ended(self, result: Result, world: World) -> None:
        """The pass has its result; the world is still there to be asked."""
        self.close()
        self._safely(self._tell, result, world)
        self._safely(self._beat, result, world)

    def broke(self, error: Exception) -> None:
        """There is no result: the ledger, the state directory or we ourselves failed."""
        self.close()
        ours = error if isinstance(error, ReconcilerError) else _mistake(error)
        result = Result(self._request.run, "failed", ours.exit_code, ours.what, error=ours)
        self._safely(self._tell, result, None)
        self._safely(self._beat, result, None)

    def close(self) -> None:
        """No announcement from now on."""
        if self._announced:
            self._announced.close(PATIENCE + 1)
            self._announced = None

    def _announce(self, phase: str) -> None:
        healing = bool(self._safely(self._heals))
        self._safely(partial(self._teller.deploying, healing=healing), self._request.run, phase)

    def _heals(self) -> bool:
        """Whether the pass at work is about what is verified already; it has written down what it goes for."""
        with closing(view_ledger(self._settings)) as ledger:
            run, _ = ledger.run(self._request.run)
        return run.command == "converge" and bool(run.base) and run.revision == run.base

    def _tell(self, result: Result, world: World | None) -> None:
        history: tuple[Run, ...] = world.ledger.runs(_HISTORY) if world else ()

        def wanted(revision: str) -> Notifications:
            return notifications_of(world, self._settings, revision) if world else Notifications()

        self.waiting = self._teller.tell(self._completed(result), history, wanted)

    def _beat(self, result: Result, world: World | None) -> None:
        heartbeat, now = make_heartbeat(self._settings), self._clock.now()
        before = heartbeat.read()
        before = replace(before, success=success(before, self._looked))
        if world:
            stamp, blocked, pause = world.signals.stamp(), len(world.signals.blocked()), world.signals.paused()
            paused = since(pause, now, before.paused)
        else:
            stamp, blocked, paused = before.revision, before.blocked, before.paused
        beat = after(
            before,
            self._completed(result),
            now,
            revision=stamp,
            paused=paused,
            blocked=blocked,
            waiting=self.waiting,
        )
        heartbeat.write(beat)

    def _completed(self, result: Result) -> Result:
        """With what the pass itself may have left out."""
        return replace(
            result,
            host=result.host or self._settings.host,
            actor=result.actor or self._request.actor,
            command=result.command or self._request.command,
            started=result.started or self._begun,
            seconds=result.seconds or self._clock.now() - self._begun,
        )

    def _safely(self, work: Callable[..., object], *given: object) -> object:
        try:
            return work(*given)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  whatever it was, the pass ends as it did
            self._say(f"nobody could be told: {error if isinstance(error, ReconcilerError) else type(error).__name__}")
            return None


@contextmanager
def telling(settings: Settings, clock: Clock, progress: Progress, request: Request, looked: float) -> Iterator[Told]:
    """For one pass; an error that leaves it is told, and goes its way."""
    told = Told(settings, clock, progress, request, looked)
    try:
        yield told
    except Exception as error:
        told.broke(error)
        raise
    finally:
        told.close()


def since(pause: Pause | None, now: float, before: float) -> float:
    """When a pause began; one that does not say so began when it was first seen. 0 when there is none."""
    if pause is None:
        return 0.0
    try:
        return datetime.fromisoformat(pause.at).timestamp()
    except (ValueError, OverflowError, OSError):
        return before or now


def _wanted(teller: object) -> bool:
    return isinstance(teller, Teller) and teller.wanted


def _mistake(error: Exception) -> Terminal:
    """The words of an exception may hold anything; its kind holds no secret."""
    return Terminal(
        "E-INTERNAL",
        f"a mistake in reconciler: {type(error).__name__}",
        why="something happened that nobody thought of; the log of the pass says where",
        next="journalctl -u reconciler, and report it",
    )
