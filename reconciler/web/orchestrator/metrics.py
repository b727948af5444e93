"""The orchestrator's numbers as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

from reconciler.model.build import DroneState
from reconciler.model.queue import DroneView, Queue, Status
from reconciler.model.swarm import BuildState

_Sample = tuple[Mapping[str, str], float]


def metrics_text(status: Status, queue: Queue, drones: Iterable[DroneView]) -> str:
    return "".join(f"{line}\n" for line in _lines(status, queue, tuple(drones)))


def _lines(status: Status, queue: Queue, drones: tuple[DroneView, ...]) -> Iterator[str]:
    builds: list[_Sample] = [({"state": state}, status.builds.get(state, 0)) for state in get_args(BuildState)]
    yield from _gauge("builds", "Builds that are known, by their state.", builds)
    states: list[_Sample] = [({"state": state}, status.drones.get(state, 0)) for state in get_args(DroneState)]
    yield from _gauge("drones", "Drones by their state.", states)
    yield from _gauge("requests_open", "Requests that have not ended.", [({}, status.requests)])
    yield from _gauge("leading", "Whether this orchestrator acts.", [({}, int(status.leading))])
    if status.ticked is not None:
        yield from _gauge("last_tick_timestamp_seconds", "When the queue was last looked at.", [({}, status.ticked)])
    if queue.drain:
        yield from _gauge("queue_drain_seconds", "Until all that is queued is built.", [({}, queue.drain.expected)])
    error = queue.error
    if error.count:
        yield from _gauge("estimate_error_median", "Of log(actual / estimated).", [({}, error.median)])
        yield from _gauge("estimate_error_spread", "The same, its standard deviation.", [({}, error.spread)])
    each = [({"drone": view.drone.name}, view.drone, len(view.holds)) for view in drones]
    yield from _gauge("drone_up", "Whether it is heard of.", [(who, int(d.state != "offline")) for who, d, _ in each])
    yield from _gauge("drone_drained", "Whether it gets nothing new.", [(who, int(d.drained)) for who, d, _ in each])
    yield from _gauge("drone_holds", "Builds that it holds.", [(who, holds) for who, _, holds in each])
    beats = [(who, drone.beat) for who, drone, _ in each if drone.beat]
    yield from _gauge("drone_load", "Its load over a minute.", [(who, beat.load) for who, beat in beats])
    yield from _gauge("drone_cores", "Its cores.", [(who, beat.cores) for who, beat in beats])


def _gauge(name: str, help: str, samples: Iterable[_Sample]) -> Iterator[str]:
    yield f"# HELP reconciler_swarm_{name} {help}"
    yield f"# TYPE reconciler_swarm_{name} gauge"
    for labels, value in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"reconciler_swarm_{name}{f'{{{told}}}' if told else ''} {value:.17g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
