"""Whoever shares a namespace goes where its host goes, and `depends_on.restart` restarts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from reconciler.core import drift
from reconciler.core.wanted import Want
from reconciler.model.observed import Container, Observed, Slot
from reconciler.model.plan import Action, Step


def follow(
    decided: dict[Slot, Step | None],
    wants: Mapping[Slot, Want],
    current: Mapping[Slot, Container],
    observed: Observed,
) -> None:
    """Give `decided` the steps that other steps, or containers that are not ours, make necessary. All the way down."""
    settled = False
    while not settled:
        settled = True
        for slot, want in wants.items():
            step = _following(want, decided, current, observed) or _following_others(want, current.get(slot), observed)
            before = decided[slot]
            if step and (before is None or _hardness(step) > _hardness(before)):
                decided[slot] = step
                settled = False


def _hardness(step: Step) -> int:
    return list(Action).index(step.action)


def _following(
    want: Want, decided: Mapping[Slot, Step | None], current: Mapping[Slot, Container], observed: Observed
) -> Step | None:
    own = current.get(want.slot)
    if own is None or (want.job and not own.running and not drift.stopped(want, own)):
        return None
    for key, slot in want.spec.namespaces.items():
        step, host = decided.get(slot), current.get(slot)
        if step and step.starts_new:
            return _step(want, Action.REPLACE, (f"shares a namespace of {slot.service}, which is {step.action}d",), own)
        if host and not drift.joins(own, key, host):
            return _step(want, Action.REPLACE, (f"joins a container of {slot.service} that is gone",), own)
        if step and step.action in (Action.START, Action.RESTART):
            return _restart(want, f"shares a namespace of {slot.service}, which is restarted", own, observed)
        if host and drift.left_behind(own, host):
            return _restart(want, f"shares a namespace of {slot.service}, which was restarted", own, observed)
    for dependency in want.service.depends_on:
        step = decided.get(Slot(want.slot.stack, dependency.service))
        moved = step and step.action in (Action.RESTART, Action.REPLACE)
        if dependency.restart and moved and not want.job:
            return _restart(want, f"depends on {dependency.service}, which is restarted", own, observed)
    return None


def _following_others(want: Want, own: Container | None, observed: Observed) -> Step | None:
    """The same for a container that is not ours to start: it is followed when it is another one, or started anew."""
    if own is None or (want.job and not own.running and not drift.stopped(want, own)):
        return None
    for key, name in want.spec.joined.items():
        host = observed.container(name)
        if host and host.running and not drift.joins(own, key, host):
            return _step(want, Action.REPLACE, (f"joins a container {name} that is gone",), own)
        if host and host.started_at and drift.left_behind(own, host):
            return _restart(want, f"shares a namespace of {name}, which was restarted", own, observed)
    return None


def _restart(want: Want, reason: str, own: Container, observed: Observed) -> Step:
    return in_place(want, Action.RESTART, (reason,), own, observed.lacks)


def in_place(want: Want, action: Action, reasons: tuple[str, ...], current: Container, lacks: Collection[str]) -> Step:
    """A step that keeps the container, and mends with it all that needs no new one."""
    mend = drift.mend(want.spec, current, lacks)
    step = _step(want, action, reasons, current)
    return replace(step, settings=mend.settings, connect=mend.connect, disconnect=mend.disconnect)


def _step(want: Want, action: Action, reasons: tuple[str, ...], current: Container) -> Step:
    return Step(want.slot, action, reasons, current, want.spec, want.service)
