"""Plain HTTP with an engine on a socket: one short connection for each call, and nothing loaded that costs time.

https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote, urlencode

DEADLINE = 60.0
DEFAULT = "unix:///var/run/docker.sock"
NEWEST_API = (1, 51)  # from 1.52 on the API leaves out fields that we read
_TLS = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_CHUNK = 1 << 18


def plain_address(url: str) -> str:
    """What `SocketHttp` takes for the engine at `url`, "" being the environment's; "" when it is behind TLS or ssh."""
    address = url or os.environ.get("DOCKER_HOST") or DEFAULT
    tls = not url and any(os.environ.get(name) for name in _TLS)
    return address if address.startswith(("unix://", "tcp://")) and not tls else ""


class Refusal(Exception):
    """The engine's answer to a call that it did not carry out; `status` is HTTP's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Http(Protocol):
    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        patience: float = 0,
    ) -> Any:
        """The JSON of the answer, None when there is none. `patience`: seconds that it may take besides the deadline.

        Raises Refusal; TimeoutError when there is no answer in time, OSError when there is nobody to give one.
        """

    def output(self, path: str, body: Mapping[str, Any], seconds: float) -> Iterator[bytes]:
        """What is answered to a POST, as it comes. Raises as `call`; TimeoutError after so many seconds in all."""

    def close(self) -> None: ...


class SocketHttp:
    """`url`: unix:///path or tcp://host:port, without TLS. `deadline`: seconds without a word."""

    def __init__(self, url: str, deadline: float) -> None:
        self._scheme, _, self._place = url.partition("://")
        self._deadline = deadline

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        patience: float = 0,
    ) -> Any:
        return _read(self._exchange(_request(method, path, body, query), self._deadline + patience))

    def output(self, path: str, body: Mapping[str, Any], seconds: float) -> Iterator[bytes]:
        until = time.monotonic() + seconds
        with self._connected() as connection:
            connection.sendall(_request("POST", path, body))
            chunks = iter(partial(_received, connection, until), b"")
            head = b""
            while b"\r\n\r\n" not in head and (chunk := next(chunks, b"")):
                head += chunk
            if _status(head) >= 400:
                _read(head + b"".join(chunks))
            yield head.partition(b"\r\n\r\n")[2]
            yield from chunks

    def close(self) -> None:
        """Nothing is kept open."""

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        with self._connected() as connection:
            connection.settimeout(deadline)
            connection.sendall(request)
            answer = bytearray()
            while chunk := connection.recv(_CHUNK):
                answer += chunk
            return bytes(answer)

    def _connected(self) -> socket.socket:
        try:
            return self._connect()
        except TimeoutError as error:  # nobody is there; an answer that does not come is another matter
            raise ConnectionError(str(error)) from error

    def _connect(self) -> socket.socket:
        if self._scheme == "tcp":
            host, _, port = self._place.rstrip("/").rpartition(":")
            if not port.isdecimal():
                raise ConnectionError(f"tcp://{self._place} has no port")
            return socket.create_connection((host.strip("[]"), int(port)), self._deadline)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self._deadline)
        try:
            connection.connect(self._place)
        except OSError as error:
            connection.close()
            error.filename = self._place  # whoever is told should see where nobody was
            raise
        return connection


def _request(
    method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, object] | None = None
) -> bytes:
    """HTTP/1.0 (RFC 1945): the answer comes in one piece and ends with the connection."""
    asked = f"?{urlencode(query)}" if query else ""
    text = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {quote(path, safe='/:@')}{asked} HTTP/1.0\r\nHost: docker\r\n"
    if method == "POST":
        head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    return head.encode() + b"\r\n" + text


def _received(connection: socket.socket, until: float) -> bytes:
    """The next bytes; TimeoutError when there are none by `until` on the monotonic clock."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no end of it in time")
    connection.settimeout(left)
    return connection.recv(_CHUNK)


def _status(answer: bytes) -> int:
    try:
        return int(answer.split(b" ", 2)[1])
    except (IndexError, ValueError) as error:
        raise _broken(answer) from error


def _read(answer: bytes) -> Any:
    status, body = _status(answer), answer.partition(b"\r\n\r\n")[2]
    if status >= 400:
        raise Refusal(status, _reason(status, body))
    try:
        return json.loads(body) if body.strip() else None
    except ValueError as error:
        raise _broken(answer) from error


def _broken(answer: bytes) -> ConnectionError:
    line = answer[:200].partition(b"\r\n")[0].decode(errors="replace")
    return ConnectionError(f"the answer broke off, or is none of an engine: {line!r}")


def _reason(status: int, body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):  # a proxy in between has words of its own
        return body.decode(errors="replace").strip() or f"HTTP status {status}"


def api_version(server: str) -> str:
    """The version of the API to speak with a server whose newest is `server`, such as `1.41`."""
    return ".".join(map(str, min(NEWEST_API, tuple(int(part) for part in server.split(".")))))
