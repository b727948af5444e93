"""Pauses of single stacks, for the commands that tell of the whole host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler.cli.times import span
from reconciler.model.report import Pause

if TYPE_CHECKING:
    from reconciler.ports import Signals

_STACKS = "paused.d/"


def paused_stacks(directory: str, signals: Signals) -> dict[str, Pause]:
    """By name, also of a stack that is not there yet. `directory`: that of the state."""
    from sentinels import SentinelFolder

    entries = SentinelFolder(f"{directory}/sentinels").entries()
    names = [entry.name.removeprefix(_STACKS) for entry in entries if entry.name.startswith(_STACKS)]
    found = {name: signals.paused(name, alone=True) for name in names}
    return {name: pause for name, pause in found.items() if pause}


def pause_words(pause: Pause) -> str:
    """Why, who, and for how long."""
    left = f", {span(pause.left)} left" if pause.left else ""
    return f'"{pause.reason or "no reason given"}" {pause.holder}{left}'.strip()


def stack_words(stacks: Mapping[str, Pause]) -> str:
    return "; ".join(f"stack {name} is paused: {pause_words(pause)}" for name, pause in stacks.items())
