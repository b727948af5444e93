"""`BuildSwarm` over HTTP: the orchestrator's API, and the `Packages` of a binhost as its clients read it.

The token goes to the orchestrator that this host's own file names, and nowhere else; a binhost that the manifests name
is asked for what it shows to everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from reconciler.adapters.swarm.orchestrator_http import LARGEST, OrchestratorHttp
from reconciler.core.counting import count
from reconciler.errors import Transient, Unreachable
from reconciler.model.package import Message, Package
from reconciler.model.queue import Answer, Decision, RequestView, Stored, Verdict
from reconciler.model.sets import Submission
from reconciler.model.swarm import Build, Request
from reconciler.ports import BuildSwarm
from reconciler.request import NoAnswer, send
from reconciler.swarm.binhost.index import read_index, stored, whole

T = TypeVar("T")
_VERDICTS: tuple[Verdict, ...] = ("accepted", "deduplicated", "refused")


class HttpBuildSwarm(BuildSwarm):
    """`deadline` in seconds, for one question."""

    def __init__(self, address: str, token: str, deadline: float) -> None:
        self._address, self._deadline = address.rstrip("/"), deadline
        self._orchestrator = OrchestratorHttp(address, token, deadline, "")

    @property
    def address(self) -> str:
        return self._address

    def stored(self, binhost: str, profile: str) -> Sequence[Stored]:
        """Half an index counts for none: it would have us build what is there."""
        url = f"{binhost or f'{self._address}/binhost'}/{quote(profile, safe='')}/Packages"
        try:
            answer = send("GET", url, None, {"User-Agent": "reconciler"}, self._deadline, LARGEST)
        except NoAnswer as error:
            raise Unreachable(
                "E-BINHOST-AWAY",
                f"{url} cannot be read",
                why=str(error),
                next="is the binhost running? gateway.binhost of the fleet, or swarm.url, says where it is",
            ) from error
        if answer.status == 404:
            return ()
        if answer.status != 200:
            raise _no_index(url, f"it answered {answer.status}")
        if answer.headers.get("content-length", str(len(answer.body))) != str(len(answer.body)):
            raise _no_index(url, f"{count(len(answer.body), 'byte')} came of {answer.headers['content-length']}")
        try:
            return stored(whole(read_index(answer.body.decode())))
        except ValueError as error:
            raise _no_index(url, str(error)) from None

    def requests(self, origin: str) -> Sequence[Request]:
        told = self._orchestrator.get("requests", origin=origin)
        return self._read(lambda: tuple(_request(each) for each in told["requests"]))

    def request(self, id: str) -> RequestView:
        told = self._orchestrator.get("requests", id)
        return self._read(
            lambda: RequestView(
                _request(told["request"]), tuple(_build(each) for each in told["builds"]), _decisions(told)
            )
        )

    def synced(self, profile: str) -> float:
        drones = self._orchestrator.get("drones")
        return self._read(lambda: max((float(d["synced"]) for d in drones if d["profile"] == profile), default=0.0))

    def submit(self, wanted: Submission) -> Answer:
        body = {
            "atoms": list(wanted.atoms),
            "use": {atom: list(flags) for atom, flags in wanted.use.items()},
            "set": wanted.set,
            "profile": wanted.profile,
            "key": wanted.key,
            "actor": wanted.actor[:200],
        }
        told = self._orchestrator.post("queue", body=body)
        return self._read(
            lambda: Answer(
                _request(told["request"]),
                _decisions(told),
                tuple(Message(each["kind"], each["text"], each["line"]) for each in told["messages"]),
                bool(told["repeated"]),
            )
        )

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Transient(
                "E-ORCHESTRATOR-STRANGE",
                f"what {self._address} answers is no answer of an orchestrator",
                why=f"{type(error).__name__}: {error}"[:200],
                next="does it have this version? swarm.url or ORCHESTRATOR_URL may name something else",
            ) from None


def _no_index(url: str, why: str) -> Transient:
    next = "look at it with curl; gateway.binhost of the fleet, or swarm.url, may name something else"
    return Transient("E-BINHOST-INDEX", f"{url} is no index of packages", why=why, next=next)


def _request(told: Mapping[str, Any]) -> Request:
    return Request(
        id=str(told["id"]),
        key=str(told["key"]),
        origin=str(told["origin"]),
        actor=str(told["actor"]),
        profile=str(told["profile"]),
        at=float(told["at"]),
        atoms=tuple(map(str, told["atoms"])),
        state=told["state"],
        reason=str(told["reason"]),
        builds=tuple(map(str, told["builds"])),
        ended=None if told["ended"] is None else float(told["ended"]),
    )


def _build(told: Mapping[str, Any]) -> Build:
    return Build(
        id=str(told["id"]),
        kind=told["kind"],
        package=_package(told["package"]) if told["package"] else None,
        profile=str(told["profile"]),
        state=told["state"],
        since=float(told["since"]),
        queued=float(told["queued"]),
        attempt=int(told["attempt"]),
        drone=str(told["drone"]),
        reason=str(told["reason"]),
        stored=str(told["stored"]),
    )


def _package(told: Mapping[str, Any]) -> Package:
    return Package(
        told["category"], told["name"], told["version"], told["slot"], told["repo"], tuple(map(str, told["use"]))
    )


def _decisions(told: Mapping[str, Any]) -> tuple[Decision, ...]:
    return tuple(
        Decision(str(each["what"]), verdict, str(each["reason"]), str(each["build"]), int(each["line"]))
        for verdict in _VERDICTS
        for each in told[verdict]
    )
