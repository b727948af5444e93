"""What somebody hands in becomes a request: builds at once where it tells their order, else a question to Portage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from reconciler.core.packages.atoms import exactly, read_atom
from reconciler.core.packages.flags import is_flag
from reconciler.core.plain import to_json
from reconciler.core.swarm_names import MAY_BE, is_name
from reconciler.errors import Refused
from reconciler.model.package import Atom, AtomList, Listing, Message
from reconciler.model.queue import Decision, Stored
from reconciler.model.swarm import Build, Request, Use
from reconciler.swarm.draft import Draft
from reconciler.swarm.emerge.output import read_listing
from reconciler.swarm.intake import Work, take, trouble
from reconciler.swarm.late import await_late
from reconciler.swarm.submitted import read_submitted

Wanted = str | Sequence[Atom] | Listing
"""The text of emerge, or of a list of atoms, or either of them read already."""

Stock = Callable[[str], Iterable[Stored]]
"""What the binhost of a profile has."""

_QUESTION = 1
"""How far a question is bumped by itself: it takes seconds, and tells what there is to plan."""


@dataclass(frozen=True, slots=True)
class Submission:
    """`digest`: the same for the same."""

    read: AtomList | Listing
    key: str
    actor: str
    profile: str
    origin: str
    use: Use

    @property
    def digest(self) -> str:
        what = "\n".join((self.profile, self.origin, to_json(dict(sorted(self.use.items()))), to_json(self.read)))
        return hashlib.sha256(what.encode()).hexdigest()

    @property
    def messages(self) -> tuple[Message, ...]:
        return self.read.messages if isinstance(self.read, Listing) else ()


def read(wanted: Wanted, key: str, actor: str, profile: str, origin: str, use: Use | None) -> Submission:
    """Terminal (E-PACKAGES) for a text that is neither form; Refused (E-SWARM-PROFILE) for no name of a profile.

    Refused (E-SWARM-USE), too, for what no drone could write into its package.use.
    """
    check_name(profile, "E-SWARM-PROFILE", "profile")
    _check_use(use or {})
    if isinstance(wanted, str):
        found = read_submitted(wanted)
    else:
        found = wanted if isinstance(wanted, Listing) else AtomList(tuple(wanted))
    usual = "emerge" if isinstance(found, Listing) else "atoms"
    return Submission(found, key, actor, profile, origin or usual, use or {})


def check_name(name: str, code: str, what: str) -> None:
    """Refused (`code`) for what is no name."""
    if not is_name(name):
        raise Refused(code, f"{name[:64]!r} is no name of a {what}", next=MAY_BE)


def _check_use(use: Use) -> None:
    for text, flags in use.items():
        try:
            why = "it has brackets" if read_atom(text).use else ""
        except ValueError as error:
            why = str(error)
        if not why and (wrong := [flag for flag in flags if not is_flag(flag)]):
            why = f"{wrong[0][:64]!r} is no flag"
        if why:
            raise Refused(
                "E-SWARM-USE",
                f"the flags for {text[:200]!r} cannot be had",
                why=why,
                next="give flags to one package each: category/name, and a flag that is off with a hyphen",
            )


def accept(draft: Draft, id: str, submission: Submission, stock: Stock, work: Work, asks: float) -> Request:
    """The new request, in the draft with its builds. `id`: of it; `asks`: expected seconds of a question to Portage."""
    request = Request(
        id, submission.key, submission.origin, submission.actor, submission.profile, draft.now, use=submission.use
    )
    found = submission.read
    if isinstance(found, AtomList):
        wrong = tuple(Decision(each.text, "refused", each.why, line=each.line) for each in found.problems)
        return _ask(draft, request, [str(atom) for atom in found.atoms], wrong, submission.digest, asks)
    entries = sum(entry.merges for entry in found.entries)
    if found.tree or entries < 2:
        return _take(draft, request, found, stock, work, submission.digest)
    there = take(found, stock(request.profile), (), profile=request.profile, name=str, now=draft.now, work=work)
    missing = [build for build in there.builds if build.package is not None]
    request = replace(request, use=dict(request.use) | {atom: flags for b in missing for atom, flags in b.use.items()})
    settled = tuple(decision for decision in there.decisions if decision.verdict != "accepted")
    atoms = [exactly(build.package) for build in missing if build.package is not None]
    return _ask(draft, request, atoms, settled, submission.digest, asks)


def answered(draft: Draft, question: Build, text: str, stock: Stock, work: Work) -> None:
    """The question of a request has been answered by what emerge printed: its builds follow."""
    for request in draft.board.wanted_by(question.id):
        taken_on = _take(draft, request, read_listing(text), stock, work, "")
        if question.bump > _QUESTION:  # by a person, who meant what it is about
            for build in draft.live(taken_on.builds):
                if build.state == "queued" and build.bump < question.bump:
                    draft.move(replace(build, bump=question.bump))


def _ask(
    draft: Draft, request: Request, atoms: Sequence[str], settled: Sequence[Decision], digest: str, asks: float
) -> Request:
    if not atoms:
        return _nothing(draft, request, settled, digest)
    if (question := _open_question(draft, request, tuple(atoms))) is not None:
        draft.move(question)  # as it is: should it end meanwhile, this is Stale, and it is asked anew
    else:
        question = Build(
            f"{request.id}-0", "resolve", None, request.profile, "queued", draft.now, draft.now,
            use=request.use, atoms=tuple(atoms), work=asks, bump=_QUESTION,
        )  # fmt: skip
        draft.add([question], ())
    asked = replace(request, state="resolving", atoms=tuple(atoms), builds=(question.id,), refused=_refused(settled))
    draft.put_request(asked, settled, digest)
    return asked


def _open_question(draft: Draft, request: Request, atoms: tuple[str, ...]) -> Build | None:
    """The same one, while nobody has answered it: its answer is for all who asked."""
    wanted = (request.profile, atoms, dict(request.use))
    for build in draft.all_live():
        if build.kind == "resolve" and (build.profile, build.atoms, dict(build.use)) == wanted:
            return build
    return None


def _take(draft: Draft, request: Request, listing: Listing, stock: Stock, work: Work, digest: str) -> Request:
    taken = take(
        listing,
        stock(request.profile),
        draft.all_live(),
        profile=request.profile,
        name=lambda number: f"{request.id}-{number}",
        now=draft.now,
        work=work,
    )
    decisions = (*taken.decisions, *trouble(listing.messages))
    if not taken.wanted:
        return _nothing(draft, request, decisions, digest)
    draft.add(taken.builds, taken.edges)
    taken_on = replace(
        request,
        state="building",
        builds=(*request.builds, *taken.wanted),
        refused=(*request.refused, *_refused(decisions)),
    )
    draft.put_request(taken_on, decisions, digest)
    await_late(draft, taken.late)
    return draft.request(taken_on)


def _nothing(draft: Draft, request: Request, decisions: Sequence[Decision], digest: str) -> Request:
    """All of it is there, or none of it can be."""
    refused = [decision for decision in decisions if decision.verdict == "refused"]
    if refused and len(refused) == len(decisions):
        return _refuse(draft, request, f"{refused[0].what}: {refused[0].reason}", decisions, digest)
    done = replace(request, state="building", refused=(*request.refused, *_refused(decisions)))
    draft.put_request(done, decisions, digest)  # without a build that has not ended, it ends with this draft
    return done


def _refuse(draft: Draft, request: Request, why: str, decisions: Sequence[Decision], digest: str) -> Request:
    refused = replace(
        request,
        state="refused",
        reason=why,
        refused=(*request.refused, *_refused(decisions)),
        ended=draft.now,
    )
    draft.put_request(refused, decisions, digest)
    return refused


def _refused(decisions: Sequence[Decision]) -> tuple[tuple[str, str], ...]:
    return tuple((decision.what, decision.reason) for decision in decisions if decision.verdict == "refused")
