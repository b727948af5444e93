"""A real registry on loopback, and one that misbehaves as the public ones do."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
log: {{level: error}}
"""


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Debian's docker-registry over an empty folder; yields its address, `127.0.0.1:port`."""
    port = _free_port()
    config = folder / "registry.yml"
    config.write_text(CONFIG.format(root=folder / "registry", port=port))
    log = (folder / "registry.log").open("wb")
    with log, subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log) as server:
        try:
            _until_it_answers(port, server)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)


@contextlib.contextmanager
def overloaded_registry() -> Iterator[str]:
    """Answers everything that costs something with 429 toomanyrequests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"{}"
            status = 200
            if self.path != "/v2/":
                status = 429
                body = json.dumps(
                    {"errors": [{"code": "TOOMANYREQUESTS", "message": "toomanyrequests: slow down"}]}
                ).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _until_it_answers(port: int, server: subprocess.Popen[bytes]) -> None:
    while True:
        assert server.poll() is None, "docker-registry ended at once"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/v2/")
            if connection.getresponse().status == 200:
                return
        except ConnectionError:
            continue
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
