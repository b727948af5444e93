"""The orchestrator over HTTP, for commands: one question, one answer, and errors that say what to do.

What it answers is handed on as it is (`data` of its envelope); docs/swarm.md and /openapi.json describe it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from reconciler.errors import ReconcilerError, Refused, Terminal, Transient, Unreachable
from reconciler.model.schema import SCHEMA
from reconciler.request import NoAnswer, Response, lines, send

LARGEST = 64 << 20
"""Bytes of an answer."""
SILENCE = 45.0
"""Seconds without a sign of life after which a stream is begun anew; the orchestrator gives one every 15."""

_UNREACHABLE = (502, 503, 504)
_STREAM = "text/event-stream"


class NotThere(ReconcilerError):
    """The orchestrator knows nothing of that name (EX_USAGE of sysexits.h)."""

    exit_code = 64


@dataclass(frozen=True, slots=True)
class Happened:
    """One event. `seq` grows by time."""

    seq: int
    kind: str
    data: Mapping[str, Any]


class OrchestratorHttp:
    """`token` "": none is sent. `deadline` in seconds, for one question."""

    def __init__(self, url: str, token: str, deadline: float, actor: str) -> None:
        self._url, self._deadline = url.rstrip("/"), deadline
        self._headers = {"User-Agent": "reconciler", "Accept": "application/json"}
        self._headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._actor = {"X-Reconciler-Actor": quote(actor, safe=" @._-")[:200]} if actor else {}

    def get(self, *path: str, **query: Any) -> Any:
        """`get("builds", id)` asks for /api/builds/ID; what of the query is None or empty is left out."""
        return self._ask("GET", path, query, None, {})

    def post(self, *path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        return self._ask("POST", path, {}, body, {**self._actor, **(headers or {})})

    def delete(self, *path: str) -> Any:
        return self._ask("DELETE", path, {}, None, self._actor)

    def events(self, after: int | None = None) -> Iterator[Happened | None]:
        """As they happen, from now on or after one that was got; None for each sign of life without one.

        A stream that breaks is begun anew. Unreachable when it cannot be begun at all, or not again for a while.
        """
        heard: float | None = None
        while True:
            query = f"?{urlencode({'after': after})}" if after is not None else ""
            try:
                for event in _events(lines(f"{self._url}/api/events{query}", self._headers, SILENCE, _STREAM)):
                    heard = time.monotonic()
                    after = event.seq if event else after
                    yield event
            except NoAnswer as error:
                if heard is None or time.monotonic() - heard > 2 * SILENCE:
                    raise self._away(str(error)) from error
            time.sleep(1)

    def _ask(
        self, method: str, path: tuple[str, ...], query: Mapping[str, Any], body: Any, headers: Mapping[str, str]
    ) -> Any:
        asked = [(name, value) for name, value in query.items() if value not in (None, "", [], ())]
        url = f"{self._url}/api/{'/'.join(quote(part, safe='') for part in path)}"
        url += f"?{urlencode(asked, doseq=True)}" if asked else ""
        sent = json.dumps(body).encode() if body is not None else b"" if method == "POST" else None
        kind = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = send(method, url, sent, {**self._headers, **kind, **headers}, self._deadline, LARGEST)
        except NoAnswer as error:
            raise self._away(str(error)) from error
        return self._data(answer)

    def _data(self, answer: Response) -> Any:
        try:
            told = json.loads(answer.body)
            if (schema := told["schema"]) != SCHEMA:
                raise self._other_version(str(schema)[:40])
            if answer.status < 300 and told["ok"] is True:
                return told["data"]
            error = told["error"]
            given = {name: str(error[name]) for name in ("code", "what", "why", "next")}
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._strange(answer) from None
        kind = _kind_of(answer.status)
        raise kind(given["code"], given["what"], why=given["why"], next=given["next"])

    def _away(self, why: str) -> Unreachable:
        return Unreachable(
            "E-ORCHESTRATOR-AWAY",
            f"the orchestrator at {self._url} does not answer",
            why=why,
            next="is it running (systemctl status reconciler-serve)? swarm.url or ORCHESTRATOR_URL says where it is",
        )

    def _other_version(self, schema: str) -> Terminal:
        return Terminal(
            "E-ORCHESTRATOR-STRANGE",
            f"the orchestrator at {self._url} is of another version",
            why=f"it answers {schema}, and {SCHEMA} is what is understood here",
            next="install the same version on both machines",
        )

    def _strange(self, answer: Response) -> Terminal:
        large = len(answer.body) >= LARGEST
        return Terminal(
            "E-ORCHESTRATOR-STRANGE",
            f"what {self._url} answers is no answer of an orchestrator",
            why=f"more than {LARGEST >> 20} MiB" if large else f"status {answer.status}, and no envelope of ours",
            next="swarm.url or ORCHESTRATOR_URL names something else",
        )


def _kind_of(status: int) -> type[ReconcilerError]:
    if status == 404:
        return NotThere
    if status == 409:
        return Refused
    return Unreachable if status in _UNREACHABLE else Transient if status in (408, 429) else Terminal


def _events(stream: Iterator[str]) -> Iterator[Happened | None]:
    """Fields are gathered until an empty line (HTML Living Standard, 9.2.6); a comment is a sign of life."""
    fields: dict[str, str] = {}
    for line in stream:
        if line.startswith(":"):
            yield None
        elif line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if {"id", "event", "data"} <= fields.keys():
                yield _event(fields)
            elif fields:
                yield None
            fields = {}


def _event(fields: Mapping[str, str]) -> Happened:
    try:
        data = json.loads(fields["data"])
        if isinstance(data, dict):
            return Happened(int(fields["id"]), fields["event"], data)
    except (ValueError, RecursionError):
        pass
    raise NoAnswer("an event that cannot be read")
