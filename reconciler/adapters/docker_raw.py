"""A Docker engine asked by bare HTTP: reading only, and loading nothing that costs time.

https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any
from urllib.parse import quote

NEWEST_API = (1, 51)  # from 1.52 on the API leaves out fields that we read
DEFAULT = "unix:///var/run/docker.sock"
_TLS = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_CHUNK = 1 << 18


def api_version(server: str) -> str:
    """The version of the API to speak with a server whose newest is `server`, such as `1.41`."""
    return ".".join(map(str, min(NEWEST_API, tuple(int(part) for part in server.split(".")))))


class RawEngine:
    """`url` as for `DockerEngine`; `deadline`: seconds without a word. ValueError for an engine behind TLS or ssh."""

    def __init__(self, url: str, deadline: float) -> None:
        if not url and any(os.environ.get(name) for name in _TLS):
            raise ValueError("an engine behind TLS")
        self._scheme, _, self._place = (url or os.environ.get("DOCKER_HOST") or DEFAULT).partition("://")
        if self._scheme not in ("unix", "tcp"):
            raise ValueError(f"an engine behind {self._scheme}")
        self._deadline = deadline
        self._prefix = ""

    def speak(self) -> dict[str, Any]:
        """Choose the version of the API; what the engine says of itself."""
        told: dict[str, Any] = self.get("/version")
        self._prefix = f"/v{api_version(told['ApiVersion'])}"
        return told

    def get(self, path: str, **filters: str) -> Any:
        """The answer to a GET. OSError when there is none, ValueError when it is not a plain 200 with JSON."""
        if filters:
            asked = json.dumps({name: [value] for name, value in filters.items()}, separators=(",", ":"))
            path += f"{'&' if '?' in path else '?'}filters={quote(asked)}"
        # HTTP/1.0 (RFC 1945): the answer comes in one piece and ends with the connection.
        answer = self._exchange(f"GET {self._prefix}{path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            raise ValueError(head.partition(b"\r\n")[0].decode("latin-1"))
        return json.loads(body)

    def _exchange(self, request: bytes) -> bytes:
        with self._connected() as connection:
            connection.sendall(request)
            answer = bytearray()
            while chunk := connection.recv(_CHUNK):
                answer += chunk
            return bytes(answer)

    def _connected(self) -> socket.socket:
        if self._scheme == "tcp":
            host, _, port = self._place.rstrip("/").rpartition(":")
            return socket.create_connection((host.strip("[]"), int(port)), self._deadline)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self._deadline)
        try:
            connection.connect(self._place)
        except OSError:
            connection.close()
            raise
        return connection
