"""Whether what the branch says can be run on this host: the manifests, and the folder that they are checked out to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.core.counting import count
from reconciler.core.diagnosis.commands import SettingPlace, add_value, set_value, shell
from reconciler.core.diagnosis.remote import nearest
from reconciler.errors import ReconcilerError
from reconciler.model.diagnosis import Finding

_MOST = 10


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """`revision`: the newest that was fetched, "" when none was. `hosts`: those of the fleet; `stacks`: this host's."""

    revision: str = ""
    host: str = ""
    hosts: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    problems: tuple[ReconcilerError, ...] = ()


def manifests(facts: ManifestFacts, host_place: SettingPlace) -> Iterator[Finding]:
    """`host_place`: where `host` is set."""
    if not facts.revision:
        yield Finding(
            "manifests",
            "warn",
            "not looked at: nothing was fetched yet",
            why="they are read from the clone, and doctor fetches nothing",
            mend=shell("reconciler", "plan"),
        )
        return
    if facts.hosts and facts.host not in facts.hosts:
        yield _unknown_host(facts, host_place)
        return
    for problem in facts.problems[:_MOST]:
        yield Finding("manifests", "fail", f"{problem}", why=problem.why, next=f"{problem.next}; then commit and push")
    if len(facts.problems) > _MOST:
        yield Finding(
            "manifests", "fail", count(len(facts.problems) - _MOST, "more problem"), next="reconciler validate"
        )
    if not facts.problems:
        stacks = ", ".join(facts.stacks) or "no stack"
        yield Finding("manifests", "ok", f"{stacks} for {facts.host}, as of {facts.revision[:7]}")


def _unknown_host(facts: ManifestFacts, place: SettingPlace) -> Finding:
    meant = nearest(facts.host, facts.hosts)
    return Finding(
        "manifests",
        "fail",
        f"the fleet has no host {facts.host!r}",
        why=f"fleet.yaml at {facts.revision[:7]} has: {', '.join(facts.hosts)}",
        next="add it to fleet.yaml" + (f", or call this one {meant}" if meant else ", or mend `host`"),
        mend=set_value(place, meant) if meant else "",
    )


@dataclass(frozen=True, slots=True)
class CheckoutFacts:
    """`refusal`: what the guard says of the folder; `outside`: what trust.allow_host_mounts would have to name for it
    to be allowed, "" when nothing helps.

    `writing`: why no file could be written there, "" when one could or the folder can be made.
    """

    path: str
    refusal: ReconcilerError | None = None
    outside: str = ""
    allowed: Sequence[str] = ()
    writing: str = ""
    read_only: bool = False
    mount: str = ""


def checkout(facts: CheckoutFacts, place: SettingPlace) -> Iterator[Finding]:
    """`place`: where trust.allow_host_mounts is set."""
    if facts.refusal:
        yield Finding(
            "checkout",
            "fail",
            facts.refusal.what,
            why=facts.refusal.why,
            next=facts.refusal.next,
            mend=add_value(place, facts.allowed, facts.outside) if facts.outside else "",
        )
    elif facts.writing:
        yield Finding(
            "checkout",
            "fail",
            f"nothing can be written in {facts.path}",
            why=facts.writing,
            next="run as root, or give the folder to this user; look for chattr +i (lsattr -d)",
            mend=shell("mount", "-o", "remount,rw", facts.mount) if facts.read_only else "",
        )
    else:
        yield Finding("checkout", "ok", f"{facts.path} is allowed and can be written")
