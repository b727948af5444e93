"""In which order the containers of a plan come up: level by level, each level in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from reconciler.core.wanted import Want
from reconciler.errors import BadConfiguration
from reconciler.model.desired import Condition
from reconciler.model.observed import Slot


def levels(slots: Iterable[Slot], wants: Mapping[Slot, Want]) -> list[list[Slot]]:
    """`slots` in levels: whatever a slot depends on, or shares a namespace of, lies in an earlier level.

    Dependencies outside of `slots` are passed through, so that a chain over an unchanged service keeps its order.
    """
    chosen = set(slots)
    graph = TopologicalSorter({slot: _before(slot, wants) for slot in wants})
    graph.prepare()
    depth: dict[Slot, int] = {}
    while graph.is_active():
        for slot in graph.get_ready():
            below = [depth[d] + (d in chosen) for d in _before(slot, wants)]
            depth[slot] = max(below, default=0)
            graph.done(slot)
    by_level: dict[int, list[Slot]] = {}
    for slot in wants:
        if slot in chosen:
            by_level.setdefault(depth[slot], []).append(slot)
    return [by_level[level] for level in sorted(by_level)]


def check_order(wants: Mapping[Slot, Want]) -> None:
    """BadConfiguration when services of several stacks wait for each other; within one stack the loader looks."""
    try:
        TopologicalSorter({slot: _before(slot, wants) for slot in wants}).prepare()
    except CycleError as error:
        ring: list[Slot] = error.args[1]
        raise BadConfiguration(
            "E-COMPOSE-CYCLE",
            f"services wait for each other: {' -> '.join(map(str, reversed(ring)))}",
            why="each shares a namespace of the next (container:NAME), or depends on it",
            next="remove one of the dependencies",
            at=wants[ring[0]].service.position,
        ) from None


def entangled(stacks: Iterable[str], wants: Mapping[Slot, Want]) -> set[str]:
    """The stacks, and those that share a namespace with one of them: they can only be taken back together."""
    found = set(stacks)
    pairs = [(slot.stack, host.stack) for slot, want in wants.items() for host in want.spec.namespaces.values()]
    while more := {stack for pair in pairs if found & set(pair) for stack in pair} - found:
        found |= more
    return found


def awaited(level: Iterable[Slot], wants: Mapping[Slot, Want]) -> dict[Slot, set[Condition]]:
    """What the slots of a level wait for: every replica of each dependency, and in which condition."""
    conditions: dict[Slot, set[Condition]] = {}
    for slot in level:
        for dependency in wants[slot].service.depends_on:
            for target in _replicas(slot.stack, dependency.service, wants):
                conditions.setdefault(target, set()).add(dependency.condition)
    return conditions


def closure(slots: Iterable[Slot], wants: Mapping[Slot, Want]) -> set[Slot]:
    """Every replica of these services, and whatever they depend on or share a namespace of, all the way down."""
    waiting = [each for slot in slots for each in _replicas(slot.stack, slot.service, wants)]
    found: set[Slot] = set()
    while waiting:
        if (slot := waiting.pop()) not in found:
            found.add(slot)
            waiting += _before(slot, wants)
    return found


def _before(slot: Slot, wants: Mapping[Slot, Want]) -> set[Slot]:
    want = wants[slot]
    awaited = {t for d in want.service.depends_on for t in _replicas(slot.stack, d.service, wants)}
    return awaited | {host for host in want.spec.namespaces.values() if host in wants}


def _replicas(stack: str, service: str, wants: Mapping[Slot, Want]) -> list[Slot]:
    first = wants.get(Slot(stack, service))
    return [Slot(stack, service, n) for n in range(1, first.service.replicas + 1)] if first else []
