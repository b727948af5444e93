"""A plan and a result as people read them; the same words in plan, log and history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reconciler.core.counting import count
from reconciler.core.gate.wording import gate_data
from reconciler.model.changes import Changes
from reconciler.model.plan import SIGNS, Action, Plan, Step
from reconciler.model.result import Result

if TYPE_CHECKING:  # a host without package sets does not pay for their nouns
    from reconciler.model.sets import PackageDrift

_WORDS = {
    Action.ADOPT: "adopt",
    Action.CREATE: "create",
    Action.REPLACE: "recreate",
    Action.START: "start",
    Action.RESTART: "restart",
    Action.UPDATE: "update",
    Action.SIGNAL: "signal",
    Action.EXEC: "exec",
    Action.KEEP: "keep",
    Action.REMOVE: "remove",
}
_BY_NAME = {str(action): word for action, word in _WORDS.items()}


def verb(action: str) -> str:
    """What an action is called by people, everywhere the same; programs get its own name."""
    return _BY_NAME.get(action, action)


def plan_lines(plan: Plan, held: str = "", *, in_sync: bool = True) -> list[str]:
    """The plan with a sign and the reasons for every step, and the counts at the end.

    `in_sync` False: what is no container is not as it shall be, or nobody knows.
    """
    running = plan.base[:7] if plan.base else "nothing yet"
    lines = [f"Desired {plan.revision[:7]}, verified {running}" + (f"  (held: {held})" if held else "")]
    rows = list(_rows(plan))
    width = max((len(name) for _, name, _ in rows), default=0)
    for sign, name, reasons in rows:
        lines.append(f"  {sign} {name.ljust(width)}  {reasons[0] if reasons else ''}".rstrip())
        lines += [f"    {' ' * width}  {reason}" for reason in reasons[1:]]
    lines += [f"  ! {finding}" for finding in plan.findings]
    lines.append(counts(plan, in_sync=in_sync))
    return lines


def changes_lines(changes: Changes) -> list[str]:
    """What git changed since what was verified, in one or two lines."""
    commits = count(len(changes.commits) + changes.more, "commit")
    lines = [f"Changed: {count(changes.files, 'file')} +{changes.insertions} -{changes.deletions} in {commits}"]
    if changes.ignored:
        lines[0] += f", {changes.ignored} ignored"
    if not changes.any_deploy:
        lines.append("Nothing that changed is deployed: all of it is ignored, and nothing mounts, builds or reads it.")
    return lines


def changes_data(changes: Changes | None) -> dict[str, Any]:
    """For programs; without a base, and at the base itself, nothing changed and nothing has to be deployed for it."""
    changes = changes or Changes(any_deploy=False)
    return {
        "any_deploy": changes.any_deploy,
        "silent": changes.silent,
        "manifests": changes.manifests,
        "services": list(changes.services),
        "files": changes.files,
        "insertions": changes.insertions,
        "deletions": changes.deletions,
        "ignored": changes.ignored,
        "quiet": changes.quiet,
        "commits": [{"sha": c.sha, "subject": c.subject, "author": c.author, "at": c.at} for c in changes.commits],
        "more_commits": changes.more,
    }


def _rows(plan: Plan) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for network in plan.networks:
        yield network.sign, f"network {network.name}", (network.reason,)
    for volume in plan.volumes:
        yield "+", f"volume {volume.volume.name}", (volume.reason,)
    for image in plan.images:
        yield "+", f"image {image.reference}", (f"{image.how}: {image.reason}",)
    for step in plan.steps:
        yield SIGNS[step.action], str(step.slot), step.reasons
    for leftover in plan.leftovers:
        yield "-", f"container {leftover.name}", ("left over from an earlier pass",)


def counts(plan: Plan, *, in_sync: bool = True) -> str:
    """`1 create, 2 recreate, 11 unchanged`, or that there is nothing to do."""
    parts = [f"{plan.count(action)} {word}" for action, word in _WORDS.items() if plan.count(action)]
    if plan.empty:
        well = count(len(plan.satisfied), "container is as git wants it", "containers are as git wants them")
        return f"{'Nothing to do' if in_sync else 'No container to change'}: {well}."
    return ", ".join([*parts, f"{len(plan.satisfied)} unchanged"])


def plan_data(plan: Plan) -> dict[str, Any]:
    """The plan for programs; equal plans give equal data."""
    return {
        "host": plan.host,
        "revision": plan.revision,
        "base": plan.base,
        "steps": [_step(step) for step in plan.steps],
        "networks": [{"name": n.name, "sign": n.sign, "reason": n.reason} for n in plan.networks],
        "volumes": [{"name": v.volume.name, "reason": v.reason} for v in plan.volumes],
        "images": [{"image": i.reference, "action": i.how, "reason": i.reason} for i in plan.images],
        "unchanged": [str(done.slot) for done in plan.satisfied],
        "leftovers": [c.name for c in plan.leftovers],
        "findings": list(plan.findings),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "stack": step.slot.stack,
        "service": step.slot.service,
        "number": step.slot.number,
        "action": str(step.action),
        "reasons": list(step.reasons),
        "container": step.current.id if step.current else None,
        "fingerprint": step.spec.fingerprint if step.spec else None,
    }


def result_lines(result: Result) -> list[str]:
    """What a pass did, in a few lines."""
    lines = [f"{_headline(result)}  ({result.run}, {result.seconds:.1f} s)"]
    if result.held:
        lines.append(f"  held: {result.held}")
    if result.plan:
        lines += [f"  ! {finding}" for finding in result.plan.findings]
    if result.packages:
        from reconciler.core.packages.wording import package_lines

        lines += package_lines(result.packages)
    checkout = result.checkout
    for title, paths in (
        ("changed on the host, copied aside and put back", checkout.displaced),
        ("gone from git, moved aside", checkout.removed),
        ("gone from git, kept on disk", checkout.kept),
        ("not written, mounted by what was left alone", checkout.left),
    ):
        if paths:
            lines.append(f"  {title}: {', '.join(paths[:5])}{' ...' if len(paths) > 5 else ''}")
    if checkout.aside:
        lines.append(f"  copies: {checkout.aside}")
    if result.back and result.back.restored:
        lines.append(f"  serving again after {result.back.seconds:.1f} s: {', '.join(result.back.restored)}")
    if result.command == "rollback" and result.outcome == "succeeded":
        lines.append(f"  {result.base[:7]} is blocked; whatever is pushed next is deployed as ever")
    if result.cleared:
        lines.append(f"  not blocked any more: {', '.join(sha[:7] for sha in result.cleared)}")
    return lines


def _headline(result: Result) -> str:
    at = f" at {result.revision[:7]}" if result.revision else ""
    match result.outcome:
        case "unchanged" if result.packages and not result.packages.in_sync:
            return f"At {result.revision[:7]}: {result.reason}"
        case "unchanged":
            return f"Nothing to do{at}"
        case "succeeded" if result.command == "rollback":
            return f"Rolled back to {result.revision[:7]}: {result.reason}"
        case "succeeded":
            return f"Converged{at}: {result.reason}"
        case "paused":
            return f"P{result.reason[1:]}; nothing was done"
        case "rolled-back":
            return f"Failed{at}, and put back: {result.reason}"
        case "held":
            return f"Held: {result.reason}"
        case _:
            return f"{result.outcome.capitalize()}{at}: {result.reason}"


def result_data(result: Result) -> dict[str, Any]:
    return {
        "run": result.run,
        "outcome": result.outcome,
        "exit_code": result.exit_code,
        "reason": result.reason,
        "repeat": result.repeat,
        "revision": result.revision,
        "base": result.base,
        "held": result.held,
        "gate": gate_data(result.gate) if result.gate else None,
        "seconds": round(result.seconds, 3),
        "plan": plan_data(result.plan) if result.plan else None,
        "checkout": {
            "displaced": list(result.checkout.displaced),
            "removed": list(result.checkout.removed),
            "kept": list(result.checkout.kept),
            "left": list(result.checkout.left),
            "aside": result.checkout.aside,
        },
        "attempt": result.attempt,
        "phase": result.phase,
        "migrated": [asdict(each) for each in result.migrated],
        "back": asdict(result.back) if result.back else None,
        "cleared": list(result.cleared),
        "by_hand": list(result.by_hand),
        "packages": packages_of(result.packages),
    }


def packages_of(drift: PackageDrift | None) -> dict[str, Any] | None:
    """What the binhost lacks, for programs; None where the host has no package set."""
    if drift is None:
        return None
    from reconciler.core.packages.wording import package_data

    return package_data(drift)
