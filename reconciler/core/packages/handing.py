"""What of a set is handed over, under which name, and what became of what was handed over before.

The orchestrator is the only memory: its requests of a set tell what is on its way and what failed. A key holds the
digest of the set and of what lacks, so that the same wish, asked twice by whomever, is one request.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.flags import lines_of
from reconciler.core.packages.match import matches
from reconciler.core.packages.version import split_cpv
from reconciler.model.package import Atom
from reconciler.model.queue import RequestView
from reconciler.model.sets import Lack, PackageSet, SetDrift, Standing, Submission
from reconciler.model.swarm import Build, Request

TRIES = 3
"""So often what was built and is not there is asked for again, until a person or a change of the set says so."""

_OVER = ("failed", "held", "cancelled")


def origin_of(found: PackageSet) -> str:
    """How the requests of a set are marked."""
    return f"set:{found.name}"


def covering(
    found: PackageSet, lacks: Iterable[Lack], requests: Sequence[Request], synced: float = 0.0
) -> dict[Atom, Request]:
    """Atom -> the latest request that is to mend its lack. `requests`: newest first. `synced`: of the ebuilds.

    One that has ended says nothing about a set or about ebuilds that were changed since.
    """
    ours = [each for each in requests if _counts(found, each, synced)]
    asked = {each.id: _asked(each) for each in ours}
    first = ((lack.atom, next((each for each in ours if lack.atom in asked[each.id]), None)) for lack in lacks)
    return {atom: request for atom, request in first if request is not None}


def stood(
    found: PackageSet,
    drift: SetDrift,
    requests: Sequence[Request],
    views: Mapping[str, RequestView],
    paths: Collection[str],
    synced: float = 0.0,
) -> SetDrift:
    """The drift with what became of each lack. `views`: by id, of `covering`; `paths`: what the index lists."""
    by = covering(found, drift.lacks, requests, synced)
    lacks = []
    for lack in drift.lacks:
        request = by.get(lack.atom)
        view = views.get(request.id) if request else None
        tries = sum(_counts(found, each, synced) and lack.atom in _asked(each) for each in requests)
        lacks.append(_stood(lack, view, paths, tries) if view else lack)
    return replace(drift, lacks=tuple(lacks))


def submission(
    found: PackageSet, lacks: Sequence[Lack], requests: Sequence[Request], actor: str, synced: float = 0.0
) -> Submission | None:
    """What hands over these lacks; None when that was done too often.

    A name that was used up (it was built, and is gone) gets a number; other ebuilds give it another one.
    """
    what = [sorted((str(lack.atom), lack.kind) for lack in lacks), synced]
    base = f"{_prefix(found)}{_digest(what)}"
    used = sum(each.key == base or each.key.startswith(f"{base}.") for each in requests)
    key = f"{base}.{used + 1}" if used else base
    return _submission(found, [lack.atom for lack in lacks], key, actor) if used < TRIES else None


def by_hand(found: PackageSet, salt: str, actor: str) -> Submission:
    """All of a set, whatever became of it before, because a person says so."""
    return _submission(found, found.atoms, f"{_prefix(found)}by-hand.{salt}", actor)


def _submission(found: PackageSet, atoms: Iterable[Atom], key: str, actor: str) -> Submission:
    """In an order of its own: the same under the same key has to be the same, whoever wrote the set down how."""
    use = {atom: tuple(sorted(flags)) for atom, flags in sorted(lines_of(found).items())}
    return Submission(found.name, found.profile, tuple(sorted(map(str, atoms))), use, key, actor)


def _prefix(found: PackageSet) -> str:
    content = [found.profile, sorted(map(str, found.atoms)), sorted((a, sorted(f)) for a, f in found.use.items())]
    return f"{origin_of(found)}:{_digest(content)}:"


def _digest(content: object) -> str:
    return sha256(json.dumps(content).encode()).hexdigest()[:16]


def _counts(found: PackageSet, request: Request, synced: float) -> bool:
    if request.origin != origin_of(found) or request.profile != found.profile:
        return False
    return request.ended is None or (request.ended >= synced and request.key.startswith(_prefix(found)))


def _asked(request: Request) -> frozenset[Atom]:
    atoms = set()
    for text in request.atoms:
        try:
            atoms.add(read_atom(text))
        except ValueError:  # of a version that reads more
            continue
    return frozenset(atoms)


def _stood(lack: Lack, view: RequestView, paths: Collection[str], tries: int) -> Lack:
    request = view.request
    standing, why = _judged(lack, view, paths)
    if standing == "open" and tries >= TRIES:
        standing, why = "failed", f"{why}; it was handed over {tries} times"
    return replace(lack, standing=standing, why=why, request=request.id)


def _judged(lack: Lack, view: RequestView, paths: Collection[str]) -> tuple[Standing, str]:
    """How it stands with a lack under the request that is to mend it."""
    request, builds = view.request, _builds(lack.atom, view.builds)
    if request.state == "resolving":
        return "building", "a drone is asked what it takes"
    if request.state == "cancelled":
        return "failed", f"cancelled{f': {request.reason}' if request.reason else ''}"
    if over := next((build for build in builds if build.state in _OVER), None):
        return "failed", f"{over.package} {over.state}{f': {over.reason}' if over.reason else ''}"
    if live := next((build for build in builds if not build.ended), None):
        return "building", f"{live.state}{f' on {live.drone}' if live.drone else ''}"
    if refused := _refusal(lack.atom, view):
        return "failed", f"refused: {refused}"
    if request.state == "building":
        return "building", "the rest of its request is built first"
    if builds and all(build.stored in paths for build in builds):
        return "failed", f"built as {builds[0].package}, which is not what is wanted"
    return "open", _gone(lack.atom, view, builds)


def _gone(atom: Atom, view: RequestView, builds: Sequence[Build]) -> str:
    """Why it is asked for again."""
    if builds:
        return f"{builds[0].package} was built, and is gone from the binhost"
    said = next((each.reason for each in view.decisions if _concerns(each.what, atom)), "")
    return f"it was handed over, and the binhost lacks it still{f' ({said})' if said else ''}"


def _builds(atom: Atom, builds: Iterable[Build]) -> list[Build]:
    """Those that make what the atom asks for; what a build was not told about its flags is left to its drone."""
    wish = replace(atom, use=(), slot="", repository="")
    same = [build for build in builds if build.package is not None and matches(wish, build.package)]
    slot = replace(wish, slot=atom.slot)
    return [build for build in same if build.package and build.package.slot and matches(slot, build.package)] or same


def _refusal(atom: Atom, view: RequestView) -> str:
    refused = [each for each in view.decisions if each.verdict == "refused"]
    for each in refused:
        if _concerns(each.what, atom) or atom.cp in each.reason:
            return each.reason
    if view.request.state == "refused":
        return view.request.reason or (refused[0].reason if refused else "nothing of it can be built")
    return ""


def _concerns(what: str, atom: Atom) -> bool:
    parts = split_cpv(what)
    return what in (str(atom), atom.cp) or (parts is not None and f"{parts[0]}/{parts[1]}" == atom.cp)
