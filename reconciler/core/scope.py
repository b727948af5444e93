"""A plan narrowed to what a person asked for, and to what is not paused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from reconciler.errors import ReconcilerError
from reconciler.model.observed import Slot
from reconciler.model.plan import Plan


class UnknownTarget(ReconcilerError):
    """What was asked for does not exist (EX_USAGE of sysexits.h)."""

    exit_code = 64


def narrowed(plan: Plan, target: str, paused: Sequence[str]) -> Plan:
    """`target` is "", `host`, `host/stack` or `host/stack/service`. Raises UnknownTarget."""
    host, _, rest = target.partition("/")
    if host and host != plan.host:
        raise UnknownTarget(
            "E-TARGET",
            f"there is no host {host!r} here",
            why=f"this machine is the host {plan.host}",
            next=f"a target is {plan.host}, {plan.host}/STACK or {plan.host}/STACK/SERVICE",
        )
    stack, _, service = rest.partition("/")
    if stack:
        plan = _only(plan, stack, service)
    if paused:
        plan = _within(plan, lambda slot: slot.stack not in paused, lambda name: name not in paused)
        held = tuple(f"stack {name} is paused: nothing of it is changed" for name in paused)
        plan = replace(plan, findings=(*plan.findings, *held))
    return plan


def _only(plan: Plan, stack: str, service: str) -> Plan:
    known = {s.slot for s in plan.steps} | {s.slot for s in plan.satisfied}
    if not any(slot.stack == stack and service in ("", slot.service) for slot in known):
        raise UnknownTarget(
            "E-TARGET",
            f"{plan.host} has no {stack}/{service}".rstrip("/"),
            why="neither git nor the engine knows it",
            next="reconciler plan shows what there is",
        )
    return _within(plan, lambda slot: slot.stack == stack and service in ("", slot.service), lambda name: name == stack)


def _within(plan: Plan, slots: Callable[[Slot], bool], stacks: Callable[[str], bool]) -> Plan:
    steps = tuple(s for s in plan.steps if slots(s.slot))
    needed = {str(s.slot) for s in steps}
    return replace(
        plan,
        steps=steps,
        networks=tuple(n for n in plan.networks if stacks(n.stack)),
        volumes=tuple(v for v in plan.volumes if stacks(v.stack)),
        images=tuple(i for i in plan.images if needed & set(i.services)),
        satisfied=tuple(s for s in plan.satisfied if slots(s.slot)),
        leftovers=tuple(c for c in plan.leftovers if slots(c.slot)),
    )
