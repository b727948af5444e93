"""pause, resume, sentinels: what persons tell the passes to come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from reconciler.cli.actor import actor
from reconciler.cli.frame import (
    Answer,
    Frame,
    Helpful,
    HelpfulGroup,
    give,
    global_options,
    settings_of,
    table,
    terminal_width,
)
from reconciler.cli.paused import paused_stacks
from reconciler.cli.sentinel_rows import HEADING, rows
from reconciler.cli.target import target_argument
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.ports import Signals


_ABBREVIATED = r"blocked/(image-)?[0-9a-z:]{4,}"


class UnknownSentinel(ReconcilerError):
    """There is nothing of that name (EX_USAGE of sysexits.h)."""

    exit_code = 64


@click.command(cls=Helpful, short_help="Change nothing here until told otherwise.")
@target_argument(required=False)
@click.option("--reason", required=True, help="Why; everybody who looks will see it.")
@click.option("--for", "duration", default="4h", show_default=True, help="How long: 30m, 4h, 2d.")
@global_options
@click.pass_obj
def pause(frame: Frame, target: str, reason: str, duration: str) -> int:
    """Change nothing on this host (or HOST/STACK) until it is resumed or the time is over."""
    signals, host = _signals(frame)
    stack = _stack(target, host)
    made = signals.pause(stack, reason, actor(), "", _seconds(duration))
    where = f"{host}/{stack}" if stack else host
    lines = [f"Paused {where} for {duration}: {reason}", f"  end it: reconciler resume {where}"]
    return give(frame, Answer({"target": where, **asdict(made)}, lines, [where]))


@click.command(cls=Helpful, short_help="End a pause.")
@target_argument(required=False)
@global_options
@click.pass_obj
def resume(frame: Frame, target: str) -> int:
    """End a pause of this host (or of HOST/STACK); the next pass changes things again."""
    signals, host = _signals(frame)
    stack = _stack(target, host)
    where = f"{host}/{stack}" if stack else host
    ended = signals.resume(stack)
    others = paused_stacks(settings_of(frame).state.directory, signals)
    lines = [f"Resumed {where}" if ended else f"{where} was not paused"]
    lines += [f"  {host}/{name} is still paused: reconciler resume {host}/{name}" for name in others]
    return give(frame, Answer({"target": where, "was_paused": ended, "paused_stacks": list(others)}, lines, [where]))


@click.group(cls=HelpfulGroup, short_help="Show or clear pauses and blocked revisions.")
@global_options
def sentinels() -> None:
    """The files that hold passes back: pauses, blocked revisions; and the stamp of the last verified one."""


@sentinels.command("list")
@global_options
@click.pass_obj
def list_all(frame: Frame) -> int:
    """List pauses, blocks and the stamp. On a terminal long names and reasons are cut; -o wide has them in full."""
    settings = settings_of(frame)
    host, entries = settings.host, _entries(settings.state.directory)
    width = 0 if frame.wide else terminal_width()
    found = list(rows(entries, _left(frame, entries), short=bool(width)))
    lines = table([HEADING, *found], width) if found else ["no sentinel; passes go their way"]
    return give(frame, Answer({"host": host, "sentinels": entries}, lines, list(entries)))


@sentinels.command()
@click.argument("name")
@global_options
@click.pass_obj
def show(frame: Frame, name: str) -> int:
    """Show one of them in full. NAME as `list` shows it, or the beginning of a blocked SHA."""
    entries = _entries(settings_of(frame).state.directory)
    found = _named(name, entries)
    lines = [found, *(f"  {key:<10} {value}" for key, value in entries[found].items())]
    return give(frame, Answer({"name": found, **entries[found]}, lines, [found]))


@sentinels.command()
@click.argument("name")
@global_options
@click.pass_obj
def clear(frame: Frame, name: str) -> int:
    """Clear a blocked revision or a pause. NAME as `list` shows it, or the beginning of a blocked SHA."""
    signals, _ = _signals(frame)
    found = _named(name, _entries(settings_of(frame).state.directory))
    kind, _, rest = found.partition("/")
    if kind in ("paused", "paused.d"):
        cleared = signals.resume(rest)
    elif kind == "blocked":
        cleared = signals.clear(rest)
    elif kind == "accepted":
        cleared = signals.withdraw()
    else:
        raise click.UsageError(f"{found} is a record, not an order; it is never cleared")
    if not cleared:
        raise _unknown(name)
    return give(frame, Answer({"cleared": found}, [f"Cleared {found}"], [found]))


def _named(name: str, entries: Mapping[str, object]) -> str:
    """The one sentinel that is meant."""
    if name in entries:
        return name
    full = name if name.startswith("blocked/") else f"blocked/{name}"
    if full in entries:
        return full
    blocked = [each for each in entries if re.fullmatch(_ABBREVIATED, full) and each.startswith(full)]
    if len(blocked) == 1:
        return blocked[0]
    why = f"{len(blocked)} sentinels begin like that" if blocked else "nothing of that name is set"
    raise _unknown(name, why)


def _entries(directory: str) -> dict[str, dict[str, str]]:
    """Every sentinel by its path in the folder, with what it says."""
    from sentinels import SentinelFolder

    return {
        entry.name: dict(entry.fields) | ({"problem": entry.problem} if entry.problem else {})
        for entry in SentinelFolder(f"{directory}/sentinels").entries()
    }


def _left(frame: Frame, entries: Mapping[str, object]) -> dict[str, float]:
    """Seconds until each pause ends, by its name; one that has ended and was not swept away yet has none."""
    signals, _ = _signals(frame)
    found = {name: signals.paused(name.partition("/")[2], alone=True) for name in entries if name.startswith("paused")}
    return {name: pause.left for name, pause in found.items() if pause}


def _unknown(name: str, why: str = "nothing of that name is set") -> UnknownSentinel:
    return UnknownSentinel(
        "E-SENTINEL", f"there is no sentinel {name!r}", why=why, next="reconciler sentinels list -o wide"
    )


def _signals(frame: Frame) -> tuple[Signals, str]:
    from reconciler.adapters.signals import SentinelSignals

    settings = settings_of(frame)
    return SentinelSignals(f"{settings.state.directory}/sentinels", person=True), settings.host


def _stack(target: str, host: str) -> str:
    """`host` or `host/stack`; a bare stack name is not guessed at."""
    named, slash, stack = target.partition("/")
    if (named or slash) and (named != host or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", stack or "all")):
        raise click.UsageError(
            f"{target!r} cannot be paused: this machine is the host {host}; name {host} or {host}/STACK"
        )
    return stack


def _seconds(duration: str) -> float:
    from sentinels.format import seconds_of

    seconds = seconds_of(duration)
    if not seconds:
        raise click.UsageError(f"{duration!r} is no duration; write 30m, 4h or 2d")
    return seconds
