"""What a pass did, in the few words of a title: a deploy is one thing, mending what broke is another."""

from __future__ import annotations

from reconciler.core.counting import count
from reconciler.model.mail import Storm
from reconciler.model.result import Result

_NAMED = 12
_ENDS = {
    "failed": ("deploy failed", "healing failed"),
    "rolled-back": ("failed, and rolled back", "healing failed, and put back"),
    "halted": ("halted, and NOT rolled back", "healing halted, and NOT put back"),
}
"""By outcome: of something new, and of what was verified before."""


def done(result: Result) -> str:
    if result.command == "rollback":
        return "rolled back to"
    if not result.heals:
        return "deployed"
    return "images renewed at" if _only_images_moved(result) else "healed at"


def several_of(storm: Storm) -> str:
    return f"healed {count(storm.count, 'time')}, now at" if storm.healing else f"{count(storm.count, 'deploy')}, now"


def failed(result: Result) -> str:
    if result.heals and result.plan is not None and result.plan.empty:
        return f"sick at {result.revision[:7]}"
    return _ENDS.get(result.outcome, _ENDS["failed"])[result.heals]


def _only_images_moved(result: Result) -> bool:
    """A tag of an image names another one by now: nobody broke anything."""
    moved = {slot for image in result.plan.images if image.moved for slot in image.services} if result.plan else set()
    return bool(moved) and result.plan is not None and all(str(step.slot) in moved for step in result.plan.steps)


def drift(result: Result) -> str:
    """What was not as git wants it, one line for each service."""
    steps = result.plan.steps if result.plan and result.heals else ()
    lines = [f"{step.slot.stack}/{step.slot.service}: {step.reasons[0]}" for step in steps if step.reasons]
    return some(list(dict.fromkeys(lines)), "\n")


def some(names: list[str], between: str) -> str:
    more = [f"+{len(names) - _NAMED}"] if len(names) > _NAMED else []
    return between.join([*names[:_NAMED], *more])
