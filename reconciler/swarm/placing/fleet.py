"""The drones as `place` looks at them: who may take which job, and how fast, each question answered once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.model.build import Drone, Job
from reconciler.swarm.placing.eligible import Eligibility, eligible
from reconciler.swarm.placing.estimate import pace

Options = tuple[tuple[float, int], ...]
"""(seconds for each second of work, number of the drone), the fastest first."""

Asks = tuple[str, int, int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Choice:
    eligibility: Eligibility
    numbers: tuple[int, ...]
    mask: int


class Fleet:
    """Jobs mostly ask for the same, so 20,000 of them are few questions. Drones are numbered by name."""

    def __init__(self, drones: Sequence[Drone], retries: int = 2) -> None:
        self.drones = tuple(sorted(drones, key=lambda drone: drone.name))
        self._retries = retries
        self._number = {drone.name: number for number, drone in enumerate(self.drones)}
        self._choices: dict[Asks, _Choice] = {}
        self._options: dict[tuple[Asks, float], Options] = {}
        self._best: dict[tuple[Asks, float], float] = {}

    @staticmethod
    def asks(job: Job) -> Asks:
        """All that decides who may take it."""
        return (job.profile, job.cores, job.memory, job.failed_on)

    def options(self, job: Job) -> Options:
        """The drones that may take it now."""
        key = (self.asks(job), job.serial)
        if (found := self._options.get(key)) is None:
            found = self._options[key] = self._by_speed(self._choice(job).numbers, job.serial)
        return found

    def mask(self, job: Job) -> int:
        """The same drones as bits."""
        return self._choice(job).mask

    def nowhere(self, job: Job) -> str:
        """Why no drone takes it; "" when one does."""
        return self._choice(job).eligibility.nowhere

    def best_seconds(self, job: Job) -> float:
        """On the fastest drone that may take it; where none may, on the fastest there is; 0 without drones."""
        key = (self.asks(job), job.serial)
        if (best := self._best.get(key)) is None:
            options = self.options(job) or self._by_speed(range(len(self.drones)), job.serial)
            best = self._best[key] = options[0][0] if options else 0.0
        return job.work * best

    def _choice(self, job: Job) -> _Choice:
        asks = self.asks(job)
        if (found := self._choices.get(asks)) is None:
            eligibility = eligible(job, self.drones, self._retries)
            numbers = tuple(self._number[drone.name] for drone in eligibility.drones)
            found = self._choices[asks] = _Choice(eligibility, numbers, sum(1 << number for number in numbers))
        return found

    def _by_speed(self, numbers: Sequence[int], serial: float) -> Options:
        return tuple(sorted((pace(self.drones[number], serial), number) for number in numbers))
