"""A plan narrowed to what a person asked for, and to what is not paused.

Steps that cannot go without each other stay together: a container whose namespace is shared and those that share
it, and all that hang on a network that is made anew. Asking for one takes the others along; a pause of one holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.core.fingerprint import repository_paths
from reconciler.core.mounted import mounted
from reconciler.core.planner import shown
from reconciler.core.wanted import Want
from reconciler.errors import ReconcilerError
from reconciler.model.observed import Container, Slot
from reconciler.model.plan import Action, NetworkStep, Plan, Step
from reconciler.model.repository import LeftAlone


class UnknownTarget(ReconcilerError):
    """What was asked for does not exist (EX_USAGE of sysexits.h)."""

    exit_code = 64


def narrowed(plan: Plan, target: str, paused: Sequence[str], wants: Mapping[Slot, Want] | None = None) -> Plan:
    """`target` is "", `host`, `host/stack` or `host/stack/service`; `wants` tell what goes together. UnknownTarget."""
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
        plan = _only(plan, stack, service, wants or {})
    if paused:
        plan = _without(plan, paused, wants or {})
    return plan


def left_alone(whole: Plan, narrowed: Plan, wants: Mapping[Slot, Want], checkout: str) -> LeftAlone:
    """Files that containers have mounted which a narrowed pass leaves alone, and that nothing of its own mounts.

    Written now, they would change under what runs, without its new image, unseen by any verdict.
    """
    touched = {step.slot for step in narrowed.steps}
    alone = [step for step in whole.steps if step.current and step.slot not in touched]
    below = {path for step in alone if step.current for path in _mounts(step.current, checkout)}
    below |= {path for step in alone if (want := wants.get(step.slot)) for path in _sees(want)}
    but = {path for step in narrowed.steps if (want := wants.get(step.slot)) for path in _sees(want)}
    return LeftAlone(tuple(sorted(below)), tuple(sorted(but))) if below else LeftAlone()


def _mounts(container: Container, checkout: str) -> Iterator[str]:
    """Paths of the repository that it has mounted from the check-out."""
    for mount in mounted(container.definition.get("HostConfig") or {}).values():
        if f"{mount.source}/".startswith(f"{checkout}/"):
            yield mount.source[len(checkout) + 1 :]


def _sees(want: Want) -> tuple[str, ...]:
    return repository_paths(want.service, want.stack)


def left_stale(whole: Plan, narrowed: Plan, wants: Mapping[Slot, Want], drifted: Sequence[str]) -> Iterator[Container]:
    """Containers that a narrowed pass leaves alone although its check-out writes a file that they mount."""
    touched = {step.slot for step in narrowed.steps}
    for step in whole.steps:
        want = wants.get(step.slot)
        if step.current and want and not want.job and step.slot not in touched and shown(want, drifted):
            yield step.current


def _only(plan: Plan, stack: str, service: str, wants: Mapping[Slot, Want]) -> Plan:
    def asked(slot: Slot) -> bool:
        return slot.stack == stack and service in ("", slot.service)

    known = {s.slot for s in plan.steps} | {s.slot for s in plan.satisfied}
    if not any(map(asked, known)):
        raise UnknownTarget(
            "E-TARGET",
            f"{plan.host} has no {stack}/{service}".rstrip("/"),
            why="neither git nor the engine knows it",
            next="reconciler plan shows what there is",
        )
    chosen = {s.slot for s in plan.steps if asked(s.slot)}
    while (
        more := {slot for step in plan.steps if step.slot in chosen for slot in _taken_along(step, plan, wants)}
        - chosen
    ):
        chosen |= more
    return _within(plan, chosen, asked, lambda network: network.stack == stack and not service)


def _without(plan: Plan, paused: Sequence[str], wants: Mapping[Slot, Want]) -> Plan:
    held = {s.slot for s in plan.steps if s.slot.stack in paused}
    while more := {step.slot for step in plan.steps if held & set(_bound_to(step, plan, wants))} - held:
        held |= more
    plan = _within(
        plan,
        {s.slot for s in plan.steps} - held,
        lambda slot: slot.stack not in paused,
        lambda network: network.stack not in paused,
    )
    told = [f"stack {name} is paused: nothing of it is changed" for name in paused]
    told += [f"{slot} waits for a stack that is paused" for slot in sorted(held) if slot.stack not in paused]
    return replace(plan, findings=(*plan.findings, *told))


def _taken_along(step: Step, plan: Plan, wants: Mapping[Slot, Want]) -> Iterator[Slot]:
    """Slots with steps that a step cannot do without, or that it would leave behind."""
    yield from _bound_to(step, plan, wants)
    own = wants.get(step.slot)
    for other in plan.steps:
        want = wants.get(other.slot)
        if own is None or want is None or other.slot.stack != step.slot.stack:
            continue
        restarts = {d.service for d in want.service.depends_on if d.restart}
        if step.action in (Action.RESTART, Action.REPLACE) and step.slot.service in restarts:
            yield other.slot
        awaited = {d.service for d in own.service.depends_on if d.condition != "service_started"}
        if other.action in (Action.CREATE, Action.START, Action.RESTART) and other.slot.service in awaited:
            yield other.slot


def _bound_to(step: Step, plan: Plan, wants: Mapping[Slot, Want]) -> Iterator[Slot]:
    """Slots with steps that share a namespace with this one, or a network that is made anew."""
    remade = {network.name for network in plan.networks if network.goes_first} & set(_networks(step))
    for other in plan.steps:
        if remade & set(_networks(other)):
            yield other.slot
        for host, follower in ((step, other), (other, step)):
            want = wants.get(follower.slot)
            if want and host.slot in want.spec.namespaces.values() and host.action not in (Action.ADOPT, Action.UPDATE):
                yield other.slot


def _networks(step: Step) -> Collection[str]:
    return {*(step.spec.endpoints if step.spec else ()), *(step.current.networks if step.current else ())}


def _within(
    plan: Plan, chosen: Collection[Slot], asked: Callable[[Slot], bool], whole: Callable[[NetworkStep], bool]
) -> Plan:
    """The steps of `chosen`. `asked`: slots that are looked at; `whole`: networks that nobody's step has to ask for."""
    steps = tuple(s for s in plan.steps if s.slot in chosen)
    needed = {str(s.slot) for s in steps}
    used = {name for s in steps if s.spec for name in s.spec.endpoints}
    left = {name for s in plan.steps if s.slot not in chosen for name in _networks(s)}
    stacks = {s.slot.stack for s in steps}
    return replace(
        plan,
        steps=steps,
        networks=tuple(
            n for n in plan.networks if (whole(n) or n.name in used) and not (n.goes_first and n.name in left)
        ),
        volumes=tuple(v for v in plan.volumes if v.stack in stacks),
        images=tuple(i for i in plan.images if needed & set(i.services)),
        satisfied=tuple(s for s in plan.satisfied if asked(s.slot)),
        leftovers=tuple(c for c in plan.leftovers if asked(c.slot) or c.slot in chosen),
    )
