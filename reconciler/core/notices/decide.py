"""What of a pass is news: its state, the message that tells it, and what people know afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from reconciler.errors import Transient
from reconciler.model.mail import Failing, Memory, Storm
from reconciler.model.plan import Action, Plan
from reconciler.model.report import VERIFYING
from reconciler.model.result import Result

State = Literal["failure", "full", "condensed", "suppress"]

HOURLY = 3600.0
"""Seconds between two calls for one and the same failure."""
STORM = 300.0
"""Seconds in which routine deploys share one message, and healings another."""
_REMEMBERED = 50
FAILED = ("failed", "rolled-back", "halted")


@dataclass(frozen=True, slots=True)
class Telling:
    """How one pass is told. `row`: the failures that it goes on with, or that it ends; `why`: for a test and a log."""

    state: State
    why: str
    key: str = ""
    ping: bool = False
    instead: str = ""
    row: Failing | None = None
    recovered: bool = False
    storm: Storm | None = None
    edits_progress: bool = False


def decide(result: Result, memory: Memory, now: float, unread: frozenset[str] = frozenset()) -> tuple[Telling, Memory]:
    """`unread`: keys of messages that still wait to be sent. A run that was told is not told again."""
    if result.run in memory.told:
        return Telling("suppress", "this run was told already"), memory
    telling, after = _decided(result, memory, now, unread)
    news = telling.state != "suppress" or result.outcome in (*FAILED, "succeeded")
    told = (*after.told, result.run)[-_REMEMBERED:] if news else after.told
    return telling, replace(after, told=told, deploying="" if after.deploying == result.run else after.deploying)


def _decided(result: Result, memory: Memory, now: float, unread: frozenset[str]) -> tuple[Telling, Memory]:
    if result.outcome in FAILED:
        return _failure(result, memory, now)
    if result.outcome in ("paused", "held") or (result.held and not _happened(result)):
        return _held_back(result, memory)
    if result.outcome not in VERIFYING:
        return Telling("suppress", f"a pass that was {result.outcome} has no news"), memory
    if result.held and result.revision == result.base:  # drift was healed, and the head is as bad as it was
        return _success(result, memory, now, unread)
    memory = replace(memory, remark="")
    if (row := memory.failing) and row.told:
        well = replace(memory, failing=None, storm=None)
        return Telling("full", "recovery", key=result.run, row=row, recovered=True), well
    return _success(result, replace(memory, failing=None), now, unread)


def _failure(result: Result, memory: Memory, now: float) -> tuple[Telling, Memory]:
    """The first of a kind calls people; its repeats are counted in the same message, and call once an hour at most.

    A pass that says of itself that it repeats calls nobody: its alerts have a back-off of their own.
    """
    signature, row = _signature(result), memory.failing
    key, progress = f"{result.run}/failed", memory.deploying == result.run
    if row is None and _may_pass(result):
        new = Failing(signature, "", now - result.seconds, 0.0, told=False)
        return Telling("suppress", "trouble that the next pass may find gone"), replace(memory, failing=new)
    if row is None:
        new = Failing(signature, key, now - result.seconds, now)
        why, instead = "the first failure", ""
    elif row.told and row.signature == signature and (result.repeat or now - row.pinged < HOURLY):
        new = replace(row, same=row.same + 1, total=row.total + 1)
        telling = Telling("failure", "the same again", key=row.key, row=new, edits_progress=progress)
        return telling, replace(memory, failing=new)
    else:
        again = row.signature == signature
        same, why = (row.same + 1, "the same again") if again else (1, "another failure")
        new = Failing(signature, key, row.since, now, same, row.total + 1)
        instead = row.key if again else ""
    telling = Telling("failure", why, key=key, ping=True, instead=instead, row=new, edits_progress=progress)
    return telling, replace(memory, failing=new, storm=None)


def _may_pass(result: Result) -> bool:
    """A remote or an engine that did not answer once, before anything was touched, is nobody's news yet."""
    error = result.error
    if not isinstance(error, Transient) or error.code.endswith("-FULL"):  # a full disk does not mend itself
        return False
    return result.outcome == "failed" and result.plan is None


def _signature(result: Result) -> str:
    """Equal for what a person would call the same failure: numbers (times, ids) in its words do not count."""
    code = result.error.code if result.error else ""
    return f"{code} {result.revision} {re.sub(r'[0-9]+', '#', result.reason)[:120]}"


def _held_back(result: Result, memory: Memory) -> tuple[Telling, Memory]:
    """Told once, and again when the reason is another one: a pause or a red check does not change with every tick.

    A server that cannot be reached has another excuse each time, and is no news where something is held back already.
    """
    remark, gate = result.held or result.reason, result.gate
    if result.outcome == "paused":
        waits, remark = bool(result.plan and not result.plan.empty), result.reason
    elif gate is not None and not gate.open and gate.state == "unreachable":
        waits, remark = not memory.failing and not memory.remark, "CI unreachable"
    else:
        waits = not memory.failing and (result.untrusted or (gate is not None and gate.state == "failed"))
    if not waits or remark == memory.remark:
        return Telling("suppress", "held back, and nobody waits for more words"), memory
    return Telling("condensed", "held back", key=f"{result.run}/held"), replace(memory, remark=remark)


def _success(result: Result, memory: Memory, now: float, unread: frozenset[str]) -> tuple[Telling, Memory]:
    changes = result.changes
    if changes is not None and (changes.silent or not changes.any_deploy):
        return Telling("suppress", "only ignored or quiet paths"), memory
    if result.migrated:
        return Telling("full", "migrations", key=result.run), replace(memory, storm=None)
    if not _happened(result):
        return Telling("suppress", "nothing changed"), memory
    if not result.base:
        return Telling("full", "the first deploy", key=result.run), replace(memory, storm=None)
    if result.base != result.revision and (
        (changes is not None and changes.manifests) or (result.plan and reshapes(result.plan))
    ):
        return Telling("full", "compose or fleet changed", key=result.run), replace(memory, storm=None)
    if memory.deploying == result.run:
        return Telling("condensed", "routine", key=result.run), memory
    storm, healing = memory.storm, result.heals
    if storm and storm.healing == healing and (now - storm.since < STORM or storm.key in unread):
        storm = replace(storm, count=storm.count + 1)
    else:
        storm = Storm(result.run, result.base, now, healing=healing)
    why = "drift was healed" if healing else "routine"
    return Telling("condensed", why, key=storm.key, storm=storm), replace(memory, storm=storm)


def _happened(result: Result) -> bool:
    """Whether anything that runs is another thing than before; of a pass from the history nobody knows better."""
    return result.outcome == "succeeded" and (result.plan is None or not result.plan.empty)


def reshapes(plan: Plan) -> bool:
    """Whether services come, go or get another image, or networks and volumes change."""
    return bool(
        plan.networks
        or plan.volumes
        or any(step.action in (Action.CREATE, Action.REMOVE) for step in plan.steps)
        or any(step.current and step.spec and step.current.image != step.spec.image for step in plan.steps)
    )
