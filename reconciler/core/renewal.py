"""How a container that stays is brought up to date with files that changed under it (`on_change`)."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.fingerprint import repository_paths
from reconciler.core.globs import Globs
from reconciler.core.wanted import Want
from reconciler.model.observed import Container
from reconciler.model.on_change import OnChange
from reconciler.model.plan import Action

_GENTLEST_FIRST = (Action.KEEP, Action.EXEC, Action.SIGNAL, Action.RESTART)
_ACTIONS = {"none": Action.KEEP, "exec": Action.EXEC, "signal": Action.SIGNAL, "restart": Action.RESTART}


@dataclass(frozen=True, slots=True)
class Renewal:
    """`rules`: the signals and commands to carry out, in the order of the manifest."""

    action: Action
    reasons: tuple[str, ...]
    rules: tuple[OnChange, ...] = ()


def renewal(want: Want, changed: Sequence[str], files: Collection[str], revision: str) -> Renewal | None:
    """What a change of nothing but mounted files asks for; None: the container is made anew.

    `changed`: paths since the container was made or renewed; `files`: which of the mounted paths are single files.
    """
    found: dict[str, OnChange] = {}
    actions: dict[str, Action] = {}
    for path in seen(want, changed):
        rule = rule_for(want, path)
        action = _ACTIONS.get(rule.action) if rule else None
        if rule is None or action is None:
            return None
        # A container holds on to the file that it mounted; git puts another in its place.
        held = path in files and action in (Action.SIGNAL, Action.EXEC)
        found[path], actions[path] = rule, Action.RESTART if held else action
    if not found:
        return None
    hardest = max(actions.values(), key=_GENTLEST_FIRST.index)
    asked = [rule for rule in want.service.on_change if rule in found.values() and rule.action in ("signal", "exec")]
    reasons = tuple(_reason(path, found[path], actions[path], want, revision) for path in found)
    return Renewal(hardest, reasons, () if hardest is Action.RESTART else tuple(asked))


def may_stay(container: Container) -> bool:
    """What stands still sees all anew when it is started; what is frozen would hear nothing."""
    return container.state in ("running", "restarting", "exited", "created")


def same_kinds(paths: Iterable[str], then: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether each path was and is there, a file or a folder as before; `then` and `now`: path -> `kind:id`."""
    kinds = {"file", "executable"}, {"directory"}
    for path in paths:
        before, after = (side.get(path, "").partition(":")[0] for side in (then, now))
        if then.get(path) != now.get(path) and not any({before, after} <= kind for kind in kinds):
            return False
    return True


def to_validate(want: Want, changed: Sequence[str] | None) -> Iterator[OnChange]:
    """The rules whose check has to succeed for these paths; None: for all that there is."""
    paths = None if changed is None else list(seen(want, changed))
    for rule in want.service.on_change:
        if rule.validate and (paths is None or any(rule_for(want, path) is rule for path in paths)):
            yield rule


def seen(want: Want, changed: Sequence[str]) -> Iterator[str]:
    """Which of the paths the service mounts or is granted."""
    watched = repository_paths(want.service, want.stack)
    yield from (path for path in changed if any(not w or path == w or path.startswith(f"{w}/") for w in watched))


def rule_for(want: Want, path: str) -> OnChange | None:
    """The first rule that fits."""
    relative = posixpath.relpath(path, want.stack.directory or ".")
    return next((rule for rule in want.service.on_change if Globs(rule.paths).match(relative)), None)


def _reason(path: str, rule: OnChange, action: Action, want: Want, revision: str) -> str:
    what: str = rule.action
    if rule.action == "signal":
        what += f" {rule.signal}"
    if rule.action == "exec":
        what += f" {rule.command[0]}"
    if action is Action.RESTART and rule.action != "restart":
        what += ", but it is mounted as a single file, of which a running container keeps the old one"
    return f"{path.removeprefix(f'{want.stack.directory}/')} changed in {revision[:7]} (on_change: {what})"
