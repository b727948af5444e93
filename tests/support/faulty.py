"""A way to a server that a test can break: it hangs, refuses, cuts answers short, or loses them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["", "hang", "drip", "500", "503", "half", "lost", "garbage"]
"""`hang`: says nothing; `drip`: a byte now and then; `half`: the answer ends in its middle; `lost`: the request
arrives, and its answer does not; `garbage`: something else is there."""


@dataclass
class Way:
    """`fault`: what happens to a request. `passed`: those that reached the server, as `METHOD /path`.

    `before`: is called before a request is handed on. `reached`: after it arrived, before its answer goes back.
    `answered`: the requests that the server answered, with its status. `canned`: status, body and headers that
    are said instead of asking anybody.
    """

    target: str
    fault: Callable[[str], Fault] = lambda _request: ""
    before: Callable[[str], None] = lambda _request: None
    reached: Callable[[str], None] = lambda _request: None
    passed: list[str] = field(default_factory=list)
    answered: list[tuple[str, int]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""
    canned: tuple[int, bytes, Mapping[str, str]] | None = None
    ending: threading.Event = field(default_factory=threading.Event)

    def breaks(self, fault: Fault, part: str = "") -> None:
        """From now on, for every request with that part in its first line; "" for all."""
        self.fault = lambda request: fault if part in request else ""

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        request = f"{handler.command} {handler.path}"
        self.asked.append((request, {name.lower(): value for name, value in handler.headers.items()}))
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        fault = self.fault(request)
        if fault == "hang":
            self.ending.wait(60)
        elif fault == "drip":
            self._drip(handler)
        elif self.canned is not None:
            status, told, headers = self.canned
            _send(handler, status, told, headers)
        elif fault in ("500", "503", "garbage"):
            _send(handler, 200 if fault == "garbage" else int(fault), b"<html>somebody else</html>")
        else:
            self.before(request)
            status, told = self._forward(handler, body)
            self.answered.append((request, status))
            self.passed.append(request)
            self.reached(request)
            if fault == "half":
                _send(handler, status, told[: len(told) // 2], {"Content-Length": str(len(told))})
            elif fault != "lost":
                _send(handler, status, told)

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        to = urlsplit(self.target)
        connection = http.client.HTTPConnection(to.hostname or "", to.port or 80, timeout=30)
        try:
            headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("host", "connection")}
            connection.request(handler.command, handler.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _drip(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not self.ending.wait(0.1):
            handler.wfile.write(b" ")


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def way_to(target: str) -> Iterator[Way]:
    """On a port of its own, for as long as the block lasts."""
    way = Way(target)

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            with suppress(OSError):  # whoever asked may be gone by now
                super().handle_one_request()

        def do_GET(self) -> None:
            way.serve(self)

        do_POST = do_GET
        do_PUT = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    way.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield way
    finally:
        way.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()
