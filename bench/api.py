"""The Engine API over its socket with the standard library alone: one connection that is kept open."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

VERSION = "v1.41"
Touch = frozenset[tuple[str, str]]
"""The containers of one service as (id, moment of the last start): equal means untouched."""


class Refused(Exception):
    """The engine answered with an error."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Api:
    """Not to be shared between threads."""

    def __init__(self, path: str) -> None:
        self._connection = _Connection(path)

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: object) -> Any:
        """The JSON of the answer, None when there is none. Raises Refused."""
        asked = "&".join(f"{key}={quote(str(value))}" for key, value in query.items())
        text = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if text else {}
        self._connection.request(method, f"/{VERSION}{path}?{asked}", text, headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        if answer.status >= 400:
            raise Refused(f"{method} {path}: {answer.status} {raw.decode(errors='replace').strip()}")
        return json.loads(raw) if raw.strip() else None

    def containers(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/containers/json", all=1))

    def touches(self) -> dict[str, Touch]:
        """`stack/service` -> its containers."""
        seen: dict[str, Touch] = {}
        for row in self.containers():
            state = self.call("GET", f"/containers/{row['Id']}/json")["State"]
            slot = slot_of(row)
            seen[slot] = seen.get(slot, Touch()) | {(row["Id"], state["StartedAt"])}
        return seen


def slot_of(row: Mapping[str, Any]) -> str:
    labels = row["Labels"]
    return f"{labels['com.docker.compose.project']}/{labels['com.docker.compose.service']}"
