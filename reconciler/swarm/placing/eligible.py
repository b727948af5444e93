"""Which drones may take a job, and in words why the others may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.counting import count
from reconciler.model.build import Drone, Job
from reconciler.swarm.words import memory, some


@dataclass(frozen=True, slots=True)
class Eligibility:
    """`drones`: those that may take the job now, in the fleet's order; `reasons`: why each other one may not."""

    drones: tuple[Drone, ...]
    reasons: Mapping[str, str]

    @property
    def nowhere(self) -> str:
        """Why no drone takes it, each reason once; "" when one does."""
        if self.drones:
            return ""
        names: dict[str, list[str]] = {}
        for drone, reason in self.reasons.items():
            names.setdefault(reason, []).append(drone)
        return "; ".join(f"{some(each)}: {reason}" for reason, each in names.items()) or "there is no drone"


def eligible(job: Job, drones: Iterable[Drone], retries: int = 2) -> Eligibility:
    """Who may take `job` now, by its next try.

    A drone on which it failed is passed over as long as another one is in service; the try after `retries` failed ones
    is the sweeper's where one is in service that can build it. In service: neither drained nor offline. A degraded
    drone is, but gets nothing: what is meant for it waits until it is heard of, or offline.
    """
    fleet = tuple(drones)
    reasons = {drone.name: reason for drone in fleet if (reason := unfit(job, drone) or _away(drone))}
    serving = [drone for drone in fleet if drone.name not in reasons]
    reasons |= _turn(job, serving, retries)
    reasons |= _avoided(job, [drone for drone in serving if drone.name not in reasons])
    reasons |= {drone.name: "degraded: not heard of for a while" for drone in serving if drone.state == "degraded"}
    return Eligibility(
        drones=tuple(drone for drone in fleet if drone.name not in reasons),
        reasons={drone.name: reasons[drone.name] for drone in fleet if drone.name in reasons},
    )


def unfit(job: Job, drone: Drone) -> str:
    """Why this drone could never build it; "" when it could."""
    if job.profile and job.profile != drone.profile:
        return f"builds for profile {drone.profile or '(none)'}, and {job.profile} is wanted"
    if job.cores > drone.cores:
        return f"{count(drone.cores, 'core')}, and {job.cores} are wanted"
    if job.memory > drone.memory:
        return f"{memory(drone.memory)} of memory, and {memory(job.memory)} are wanted"
    return ""


def _away(drone: Drone) -> str:
    if drone.state == "offline":
        return "offline"
    return "drained" if drone.drained else ""


def _turn(job: Job, serving: Sequence[Drone], retries: int) -> dict[str, str]:
    """The sweeper takes last tries, and last tries go to the sweeper where there is one."""
    last = len(job.failed_on) >= retries
    if last and any(drone.sweeper for drone in serving):
        return {drone.name: "the last try is for the sweeper" for drone in serving if not drone.sweeper}
    return {drone.name: "the sweeper takes last tries only" for drone in serving if drone.sweeper}


def _avoided(job: Job, left: Sequence[Drone]) -> dict[str, str]:
    """Where it failed, unless it failed everywhere."""
    failed = [drone.name for drone in left if drone.name in job.failed_on]
    if len(failed) == len(left):
        return {}
    return dict.fromkeys(failed, "it failed here, and another drone is there")
