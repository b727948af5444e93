"""pause, resume, sentinels: what persons tell the passes to come."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from reconciler.cli.frame import Answer, Frame, give, global_options
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.ports import Signals
    from reconciler.settings import Settings


class UnknownSentinel(ReconcilerError):
    """There is nothing of that name (EX_USAGE of sysexits.h)."""

    exit_code = 64


@click.command()
@click.argument("target", required=False, default="")
@click.option("--reason", required=True, help="Why; everybody who looks will see it.")
@click.option("--for", "duration", default="4h", show_default=True, help="How long: 30m, 4h, 2d.")
@global_options
@click.pass_obj
def pause(frame: Frame, target: str, reason: str, duration: str) -> int:
    """Change nothing on this host (or HOST/STACK) until it is resumed or the time is over."""
    signals, host = _signals(frame)
    stack = _stack(target, host)
    made = signals.pause(stack, reason, getpass.getuser(), "", _seconds(duration))
    where = f"{host}/{stack}" if stack else host
    lines = [f"Paused {where} for {duration}: {reason}", f"  end it: reconciler resume {where}"]
    return give(frame, Answer(asdict(made), lines, [where]))


@click.command()
@click.argument("target", required=False, default="")
@global_options
@click.pass_obj
def resume(frame: Frame, target: str) -> int:
    """End a pause; the next pass changes things again."""
    signals, host = _signals(frame)
    stack = _stack(target, host)
    where = f"{host}/{stack}" if stack else host
    ended = signals.resume(stack)
    line = f"Resumed {where}" if ended else f"{where} was not paused"
    return give(frame, Answer({"target": where, "was_paused": ended}, [line], [where]))


@click.group()
@global_options
def sentinels() -> None:
    """The files that hold passes back: pauses, blocked revisions, and the stamp of the last verified one."""


@sentinels.command("list")
@global_options
@click.pass_obj
def list_all(frame: Frame) -> int:
    """All that there are."""
    settings = _settings(frame)
    host, entries = settings.host, _entries(settings.state.directory)
    lines = [f"{name}  {_words(fields)}" for name, fields in entries.items()] or ["no sentinel; passes go their way"]
    return give(frame, Answer({"host": host, "sentinels": entries}, lines, list(entries)))


@sentinels.command()
@click.argument("name")
@global_options
@click.pass_obj
def show(frame: Frame, name: str) -> int:
    """One of them, in full."""
    entries = _entries(_settings(frame).state.directory)
    if name not in entries:
        raise _unknown(name)
    lines = [name, *(f"  {key:<10} {value}" for key, value in entries[name].items())]
    return give(frame, Answer({"name": name, **entries[name]}, lines, [name]))


@sentinels.command()
@click.argument("name")
@global_options
@click.pass_obj
def clear(frame: Frame, name: str) -> int:
    """Clear a blocked revision (its SHA), or a pause (`paused`, `paused.d/STACK`)."""
    signals, _ = _signals(frame)
    kind, _, rest = name.partition("/")
    if kind == "paused":
        cleared = signals.resume("")
    elif kind == "paused.d":
        cleared = signals.resume(rest)
    else:
        cleared = signals.clear(rest or kind)
    if not cleared:
        raise _unknown(name)
    return give(frame, Answer({"cleared": name}, [f"Cleared {name}"], [name]))


def _entries(directory: str) -> dict[str, dict[str, str]]:
    """Every sentinel by its path in the folder, with what it says."""
    from sentinels import SentinelFolder

    return {
        entry.name: dict(entry.fields) | ({"problem": entry.problem} if entry.problem else {})
        for entry in SentinelFolder(f"{directory}/sentinels").entries()
    }


def _words(fields: dict[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in fields.items()) or "empty, and it counts all the same"


def _unknown(name: str) -> UnknownSentinel:
    return UnknownSentinel(
        "E-SENTINEL",
        f"there is no sentinel {name!r}",
        why="nothing of that name is set",
        next="reconciler sentinels list",
    )


def _settings(frame: Frame) -> Settings:
    from reconciler.settings import load_settings

    return load_settings(frame.config or None)


def _signals(frame: Frame) -> tuple[Signals, str]:
    from reconciler.adapters.signals import SentinelSignals

    settings = _settings(frame)
    return SentinelSignals(f"{settings.state.directory}/sentinels"), settings.host


def _stack(target: str, host: str) -> str:
    """`host` or `host/stack`; a bare stack name is not guessed at."""
    named, _, stack = target.partition("/")
    if named and named != host:
        raise click.UsageError(f"this machine is the host {host}; a target is {host} or {host}/STACK")
    return stack


def _seconds(duration: str) -> float:
    from sentinels.format import seconds_of

    seconds = seconds_of(duration)
    if not seconds:
        raise click.UsageError(f"{duration!r} is no duration; write 30m, 4h or 2d")
    return seconds
