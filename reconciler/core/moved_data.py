"""A bind that is moved away from its data: the container would start on an empty folder, as if all were lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.mounted import mounted
from reconciler.core.wanted import Want
from reconciler.errors import Refused
from reconciler.model.desired import Desired
from reconciler.model.observed import Slot
from reconciler.model.plan import Action, Plan


@dataclass(frozen=True, slots=True)
class Move:
    """Where a replaced container finds what it has at `target`: absolute paths of the host, before and after."""

    want: Want
    target: str
    old: str
    new: str


def moves(desired: Desired, plan: Plan, wants: Mapping[Slot, Want]) -> Iterator[Move]:
    """The binds that change their source for one that neither git nor we fill, as we do for configs and secrets."""
    in_git = {path for path, _ in desired.objects}
    for step in plan.steps:
        if step.action is not Action.REPLACE or step.current is None or step.slot not in wants:
            continue
        want = wants[step.slot]
        unfilled = {m.target for m in want.service.mounts if m.repo_path is None or m.repo_path not in in_git}
        before = mounted(step.current.definition.get("HostConfig") or {})
        for target, mount in mounted(want.spec.body.get("HostConfig") or {}).items():
            old = before[target].source if target in before else ""
            if old.startswith("/") and mount.source.startswith("/") and old != mount.source and target in unfilled:
                yield Move(want, target, old, mount.source)


def refusals(moved: Collection[Move], holding: Collection[str]) -> Iterator[Refused]:
    """`holding`: those of the paths that hold data."""
    for move in moved:
        if move.old in holding and move.new not in holding:
            yield Refused(
                "E-GUARD-DATA",
                f"{move.want.slot} would find {move.new} at {move.target}, where there is nothing",
                why=f"until now it has {move.old}, which holds data",
                next=f"cp -a {move.old} {move.new}; or name the folder of its data in fleet.yaml (directories)",
                at=move.want.service.position,
            )
