"""What the stand-ins of forges share: a server on loopback, what it was asked, and trouble on demand."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "s3cret-t0ken-of-a-test"


@dataclass
class Asked:
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


Trouble = Callable[[BaseHTTPRequestHandler], None]
"""Writes whatever it wants in the place of an answer."""


class Forge:
    """`now`: its clock. `private`: without a token there is no repository. `trouble`: answers for us."""

    REPOSITORY = "owner/name"

    def __init__(self) -> None:
        self.private = False
        self.trouble: Trouble | None = None
        self.asked: list[Asked] = []
        self.unchanged = 0
        self.url = ""
        self.now = 1_700_000_000.0
        self.ending = threading.Event()

    def answer(self, asked: Asked) -> Answer:
        """What the real one would say."""
        raise NotImplementedError

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        asked = Asked(parts.path, query, {name.lower(): value for name, value in handler.headers.items()})
        self.asked.append(asked)
        if self.trouble:
            self.trouble(handler)
            return
        answer = self.answer(asked)
        body = json.dumps(answer.body).encode()
        headers = {"Content-Type": "application/json", **answer.headers}
        if answer.status == 200:
            headers["ETag"] = f'W/"{hashlib.sha256(body).hexdigest()}"'
            if asked.headers.get("if-none-match") == headers["ETag"]:
                self.unchanged += 1
                answer.status, body = 304, b""
        send(handler, answer.status, body, headers)

    def paged(self, rows: list[Any], asked: Asked, size: str, most: int) -> tuple[list[Any], dict[str, str]]:
        """One page of them, and the Link header that names the next."""
        wanted, page = min(int(asked.query.get(size, 30)), most), int(asked.query.get("page", 1))
        headers = {}
        if len(rows) > wanted * page:
            query = urllib.parse.urlencode(asked.query | {"page": page + 1})
            headers["Link"] = f'<{self.shown}{asked.path}?{query}>; rel="next", <{self.shown}{asked.path}>; rel="first"'
        return rows[wanted * (page - 1) : wanted * page], headers

    @property
    def shown(self) -> str:
        """The address that it knows itself by."""
        return self.url


def send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> None:
    """A whole answer, the length included; whoever asked may be gone by now."""
    with contextlib.suppress(OSError):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@contextlib.contextmanager
def serving(forge: Any) -> Iterator[Any]:
    """The forge on a port of its own, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            forge.serve(self)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(forge.now, usegmt=True)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    forge.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield forge
    finally:
        forge.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()
