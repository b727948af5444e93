"""The environment of a service and its labels: those of its files, and what it says itself over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.core.compose import read
from reconciler.core.compose.envsource import EnvFiles
from reconciler.core.compose.variables import Variables
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes
from reconciler.model.desired import Pairs


def environment(
    service: Map, variables: Variables, env_files: EnvFiles, reads: dict[str, None]
) -> tuple[tuple[str, str | None], ...]:
    """Sorted pairs. A variable without a value takes that of the stack's variables, or is None.

    An env file may use what those before it say.

    Paths of env files in the repository are added to `reads`.
    """
    mistakes = Mistakes()
    given = mistakes.given({"environment": read.pairs_or_none}, service).get("environment", {})
    own = {name: variables.get(name) if value is None else value for name, value in given.items()}

    def lookup(name: str) -> str | None:
        value = variables.get(name)
        value = own.get(name) if value is None else value
        return found.get(name) if value is None else value

    found: dict[str, str | None] = {}
    with mistakes:
        for holder, key in _entries(service, "env_file"):
            found.update(mistakes.of(env_files.load, holder, key, lookup, reads) or {})
    found.update(own)
    return tuple(sorted(found.items(), key=lambda pair: pair[0]))


def labels(service: Map, variables: Variables, env_files: EnvFiles, reads: dict[str, None]) -> Pairs:
    """Sorted pairs; files of labels are written as env files are, and lie where those lie."""
    mistakes = Mistakes()
    own = mistakes.given({"labels": read.pairs}, service).get("labels", ())
    found: dict[str, str] = {}
    with mistakes:
        for holder, key in _entries(service, "label_file"):
            found.update(mistakes.of(_label_file, holder, key, variables, env_files, reads) or {})
    return tuple(sorted({**found, **dict(own)}.items()))


def _label_file(
    holder: Map | Seq, key: Any, variables: Variables, env_files: EnvFiles, reads: dict[str, None]
) -> dict[str, str]:
    read.filled(holder, key)
    return env_files.load(holder, key, variables.get, reads, "label file")


def _entries(service: Map, key: str) -> Iterator[tuple[Map | Seq, Any]]:
    """Where each file is named: one alone, or several."""
    given = service.get(key)
    if isinstance(given, Seq):
        yield from ((given, index) for index in range(len(given)))
    elif given is not None:
        yield service, key
