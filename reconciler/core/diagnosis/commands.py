"""The commands that findings print: exact, quoted, and safe to run twice."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.errors import Position


@dataclass(frozen=True, slots=True)
class SettingPlace:
    """Where reconciler.toml has a setting: its own line, or that of its section's heading (0: it has neither).

    `variable`: the environment variable that sets it instead; `one_line` is False when its value goes on below, and
    then `opens` says whether it is a list that begins with a bare bracket.
    """

    file: str
    name: str
    line: int = 0
    section_line: int = 0
    variable: str = ""
    one_line: bool = True
    opens: bool = False


def shell(*words: str) -> str:
    """One command, quoted for a shell."""
    return shlex.join(words)


def also(*commands: str) -> str:
    """One after the other, as long as they succeed."""
    return " && ".join(command for command in commands if command)


def set_value(place: SettingPlace, value: str | Sequence[str]) -> str:
    """Write a setting into reconciler.toml: over its line, below its section's heading, or as a new section.

    "" when one command does not do: the environment sets it, or its value has several lines.
    """
    section, _, key = place.name.rpartition(".")
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    if place.variable or not place.one_line:
        return ""
    escaped = line.replace("\\", "\\\\")
    if place.line:
        return shell("sed", "-i", f"{place.line}c\\{escaped}", place.file)
    if place.section_line:
        return shell("sed", "-i", f"{place.section_line}a\\{escaped}", place.file)
    lines = shell("printf", r"\n%s\n%s\n", f"[{section}]", line)
    return f"{lines} >> {shlex.quote(place.file)}"


def add_value(place: SettingPlace, values: Sequence[str], value: str) -> str:
    """Write one more value into a list of reconciler.toml that has `values`; "" when one command does not do."""
    if place.opens and not place.variable:
        escaped = json.dumps(value, ensure_ascii=False).replace("\\", "\\\\")
        return shell("sed", "-i", f"{place.line}a\\    {escaped},", place.file)
    return set_value(place, [*values, value])


def at(place: SettingPlace) -> str:
    """Where a person finds the setting."""
    if place.variable:
        return f"{place.name} (environment variable {place.variable})"
    return f"{place.name} in {Position(place.file, place.line, 1)}" if place.line else f"{place.name} in {place.file}"
