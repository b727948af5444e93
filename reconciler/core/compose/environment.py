"""The environment of a service: its env files, and `environment` over them."""

from __future__ import annotations

from reconciler.core.compose import read
from reconciler.core.compose.envsource import EnvFiles
from reconciler.core.compose.variables import Variables
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes


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
        if service.get("env_file") is not None:
            entries = service["env_file"]
            holder: Map | Seq = entries if isinstance(entries, Seq) else service
            for key in range(len(entries)) if isinstance(entries, Seq) else ("env_file",):
                found.update(mistakes.of(env_files.load, holder, key, lookup, reads) or {})
    found.update(own)
    return tuple(sorted(found.items(), key=lambda pair: pair[0]))
