"""What lies between two revisions, and what of it can be seen by what runs.

Only a path that is ignored, and that nothing mounts, builds from or reads, deploys nothing. The manifests of the older
revision are asked only where they alone can tell: when manifests changed, or an ignored file went away.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from reconciler.core.fingerprint import repository_paths
from reconciler.core.globs import Globs
from reconciler.core.wanted import Want
from reconciler.model.changes import Changes
from reconciler.model.desired import Desired
from reconciler.model.observed import Slot
from reconciler.model.repository import Change


@dataclass(frozen=True)
class Side:
    """The manifests of one revision, and the containers that they want."""

    desired: Desired
    wants: Mapping[Slot, Want]

    @cached_property
    def watched(self) -> dict[str, frozenset[str]]:
        """`host/stack/service` -> what of the repository it mounts, is granted, builds from or reads."""
        first = {replace(slot, number=1): want for slot, want in self.wants.items()}
        return {f"{self.desired.host}/{slot}": frozenset(_watched(want)) for slot, want in first.items()}

    def sees(self, path: str) -> bool:
        return path in self.desired.reads or any(_within(path, places) for places in self.watched.values())

    @cached_property
    def prints(self) -> dict[str, str]:
        return {f"{self.desired.host}/{slot}": want.spec.fingerprint for slot, want in self.wants.items()}


def _watched(want: Want) -> Iterator[str]:
    yield from repository_paths(want.service, want.stack)
    yield from want.service.reads
    if build := want.service.build:
        yield build.context
        yield posixpath.normpath(posixpath.join(build.context, build.dockerfile))


def _within(path: str, places: frozenset[str]) -> bool:
    return any(not place or path == place or path.startswith(f"{place}/") for place in places)


def describe(changed: Sequence[Change], new: Side, old: Callable[[], Side | None]) -> Changes:
    """The numbers and flags; `old` is called when it is needed, and gives None when its manifests cannot be read."""
    ignore, quiet = Globs(new.desired.ignore), Globs(new.desired.quiet)
    before: list[Side | None] = []

    def older() -> Side | None:
        if not before:
            before.append(old())
        return before[0]

    def deploys(change: Change) -> bool:
        if not all(map(ignore.match, _paths(change))) or any(map(new.sees, _paths(change))):
            return True
        return bool(gone := _gone(change)) and ((then := older()) is None or then.sees(gone))

    def is_manifest(change: Change) -> bool:
        if any(path in new.desired.reads for path in _paths(change)):
            return True
        return bool(gone := _gone(change)) and ((then := older()) is None or gone in then.desired.reads)

    deploying = [change for change in changed if deploys(change)]
    manifests = any(map(is_manifest, changed))
    return Changes(
        files=len(changed),
        insertions=sum(change.insertions for change in changed),
        deletions=sum(change.deletions for change in changed),
        ignored=len(changed) - len(deploying),
        quiet=sum(all(map(quiet.match, _paths(change))) for change in deploying),
        any_deploy=bool(deploying),
        manifests=manifests,
        services=tuple(sorted(_services(deploying, new, older if manifests else lambda: new))),
    )


def _services(changed: Sequence[Change], new: Side, old: Callable[[], Side | None]) -> set[str]:
    """Those that see one of the paths; where manifests changed, those that were or are defined in another way."""
    paths = [path for change in changed for path in _paths(change)]
    seen = {name for name, places in new.watched.items() if any(_within(path, places) for path in paths)}
    then = old()
    was = then.prints if then else {}
    return seen | {
        name.partition("#")[0] for name in was.keys() | new.prints.keys() if was.get(name) != new.prints.get(name)
    }


def _gone(change: Change) -> str:
    return change.old_path or (change.path if change.status == "deleted" else "")


def _paths(change: Change) -> tuple[str, ...]:
    return (change.path, change.old_path) if change.old_path else (change.path,)
