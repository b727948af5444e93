"""A drone's way to its orchestrator over HTTP: packages into the binhost's staging, and the logs of builds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, BinaryIO, ClassVar
from urllib.parse import quote

from reconciler.errors import ReconcilerError, Terminal, Unreachable
from reconciler.model.swarm import Artifact, Offer
from reconciler.request import NoAnswer, send
from reconciler.swarm.drone.builder import Ending, Packed
from reconciler.swarm.drone.uplink import LeaseLost, NotTaken, Uplink

if TYPE_CHECKING:
    import requests

_CONNECT, _SILENCE = 10.0, 300.0
"""Seconds until a connection has to be there; without a sign of life: at the end of an upload a slow disk syncs it."""

_SHORT = 10.0
"""Seconds for what delays nothing when it fails."""

_TAKEN = 201
_AWAY = (408, 425, 429, 502, 503, 504, 507)
"""Not now, or not this one who passes it on; every other answer that is none of ours may stay for ever."""


class UplinkHttp(Uplink):
    """`url`: of the orchestrator; `profile`: whose packages; `binhost`: where machines get them from."""

    EFFECTS: ClassVar[tuple[str, ...]] = Uplink.EFFECTS

    def __init__(self, url: str, profile: str, binhost: str, credential: str) -> None:
        self._url, self._profile, self._binhost = url.rstrip("/"), profile, binhost.rstrip("/")
        self._headers = {"User-Agent": "reconciler", "Authorization": f"Bearer {credential}"}

    def binhost(self) -> bool:
        url = f"{self._binhost}/Packages"
        try:
            status = send("HEAD", url, None, {"User-Agent": "reconciler"}, _SHORT).status
        except NoAnswer as error:
            raise _away(self._binhost, str(error)) from error
        if status not in (200, 404):
            raise _away(self._binhost, f"it answers {status}")
        return status == 200

    def upload(self, offer: Offer, packed: Packed, artifact: Artifact, ending: Ending) -> None:
        import requests

        url = f"{self._url}/binhost/{quote(self._profile)}/{quote(artifact.path)}"
        headers = {"User-Agent": "reconciler", "X-Reconciler-Lease": offer.lease}
        headers |= {"X-Reconciler-Sha256": artifact.sha256, "Content-Type": "application/octet-stream"}
        try:
            with packed.file.open("rb") as file, requests.Session() as session:
                answer = session.put(
                    url,
                    data=_Body(file, artifact.size, ending),
                    headers=headers,
                    auth=self._signed,  # and not what a ~/.netrc has
                    timeout=(_CONNECT, _SILENCE),
                    allow_redirects=False,
                )
        except requests.RequestException as error:  # an OSError, too
            raise _away(self._url, _why(error)) from error
        except OSError as error:
            raise _unreadable(error) from error
        _insist(answer.status_code, answer.content, self._url)
        if answer.status_code != _TAKEN:
            raise _not_taken(self._url, f"it answers {answer.status_code}")

    def log(self, offer: Offer, offset: int, data: bytes) -> int:
        url = f"{self._url}/api/builds/{quote(offer.build, safe='')}/log"
        headers = {"X-Reconciler-Lease": offer.lease, "X-Reconciler-Offset": str(offset)}
        headers |= {"Content-Type": "application/octet-stream"}
        try:
            answer = send("POST", url, data, {**self._headers, **headers}, _SHORT)
        except NoAnswer as error:
            raise _away(self._url, str(error)) from error
        _insist(answer.status, answer.body, self._url)
        try:
            return int(json.loads(answer.body)["data"]["end"])
        except (ValueError, KeyError, TypeError) as error:
            raise _away(self._url, "what it answers is no answer of an orchestrator") from error

    def _signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update({"Authorization": self._headers["Authorization"]})
        return request


class _Body:
    """A file as it is sent; it stops when the build is to end. Its length goes before it."""

    def __init__(self, file: BinaryIO, size: int, ending: Ending) -> None:
        self._file, self._size, self._ending = file, size, ending

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        if not (piece := self.read(1 << 18)):
            raise StopIteration
        return piece

    def read(self, size: int = -1) -> bytes:
        if why := self._ending():
            raise LeaseLost(
                "E-DRONE-LEASE", f"the lease is gone: {why}", next="nothing: what was made is not wanted any more"
            )
        try:
            return self._file.read(size)
        except OSError as error:  # it would look like one of the connection
            raise _unreadable(error) from error


def _unreadable(error: OSError) -> Terminal:
    return Terminal(
        "E-DRONE-PACKAGE", "a package that was built is gone, or cannot be read", why=str(error), next="build it again"
    )


def _insist(status: int, body: bytes, url: str) -> None:
    """The answer is a good one, or an error that says what to do."""
    if 200 <= status < 300:
        return
    what, why = _told(status, body)
    if status == 409:
        raise LeaseLost("E-DRONE-LEASE", f"the lease is gone: {what}", why=why, next="nothing: it is another's by now")
    if status == 401 and "[E-HTTP-TOKEN]" in why:  # and none of somebody who stands before it
        raise Terminal(
            "E-DRONE-CREDENTIAL",
            f"the orchestrator at {url} does not know this drone",
            why=what,
            next="reconciler drones enroll NAME, and write what it prints into the drone's secret",
        )
    if status in (400, 411, 413, 416, 422) and "E-BINHOST-SUM" not in why:
        raise Terminal("E-DRONE-REFUSED", f"the orchestrator refuses it: {what}", why=why, next="see the drone's log")
    said = f"{what} {why}".strip()
    raise _away(url, said) if status in _AWAY or "E-BINHOST-SUM" in why else _not_taken(url, said)


def _told(status: int, body: bytes) -> tuple[str, str]:
    """What went wrong, and why with its code."""
    try:
        error = json.loads(body)["error"]
        return str(error["what"]), f"{error['why']} [{error['code']}]"
    except (ValueError, KeyError, TypeError):
        return f"it answers {status}", ""


def _why(error: requests.RequestException) -> str:
    reason: BaseException = error
    while reason.__cause__ or reason.__context__:
        reason = reason.__cause__ or reason.__context__ or reason
    return str(reason) or type(reason).__name__


def _away(url: str, why: str, kind: type[ReconcilerError] = Unreachable) -> ReconcilerError:
    return kind(
        "E-DRONE-UPLINK",
        f"the orchestrator at {url} cannot be used now",
        why=why,
        next="is it running, and is its disk full? swarm.url says where it is; the drone tries again",
    )


def _not_taken(url: str, why: str) -> ReconcilerError:
    return _away(url, why, NotTaken)
