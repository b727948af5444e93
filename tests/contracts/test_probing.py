"""Looking at real servers and files, among them ones that mean no good: always an answer, always in time."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from reconciler.adapters.probing import HostProbing
from reconciler.model.probe import HttpAnswer
from tests.support.gitremote import half_closed, hanging, redirecting, slow, tcp

TIMEOUT = 0.5
LONGEST = 10.0  # not a measure of speed: a hang would last for ever


def get(address: str, *, insecure: bool = False, **headers: str) -> HttpAnswer:
    begun = time.monotonic()
    answer = HostProbing().http(address, headers, TIMEOUT, insecure=insecure)
    assert time.monotonic() - begun < LONGEST
    return answer


@contextmanager
def saying(raw: bytes) -> Iterator[int]:
    """Reads a request, answers with these bytes, and closes."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(raw)

    with tcp(handle) as port:
        yield port


def test_an_answer_has_its_status_and_its_body() -> None:
    with saying(b"HTTP/1.1 418 No\r\nContent-Length: 3\r\n\r\nabc") as port:
        assert get(f"http://127.0.0.1:{port}/x?y=z") == HttpAnswer(418, b"abc")


def test_the_request_names_the_host_the_path_and_the_headers_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with tcp(handle) as port:
        assert get(f"http://127.0.0.1:{port}?q", Accept="x/y").status == 200
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /?q HTTP/1.1"
    assert {f"Host: 127.0.0.1:{port}", "Accept: x/y", "User-Agent: reconciler"} <= set(lines)


def test_a_body_that_comes_in_pieces_is_put_together() -> None:
    with saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n") as port:
        assert get(f"http://127.0.0.1:{port}/").body == b"abc"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with redirecting("http://127.0.0.1:1") as web:
        assert get(f"http://127.0.0.1:{web.port}/loop").status == 302
        assert len(web.seen) == 1


def test_of_a_huge_body_only_a_part_is_kept() -> None:
    with saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (3 << 20)) as port:
        answer = get(f"http://127.0.0.1:{port}/")

    assert answer.cut and len(answer.body) == 1 << 20


@pytest.mark.parametrize("server", [hanging, slow, half_closed])
def test_a_server_that_hangs_drips_or_closes_early_costs_no_more_than_its_time(
    server: Callable[[], AbstractContextManager[int]],
) -> None:
    with server() as port:
        assert get(f"http://127.0.0.1:{port}/").trouble


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
        b"HTTP/1.1 " + b"2" * 100_000,
    ],
)
def test_what_is_no_whole_answer_is_trouble(raw: bytes) -> None:
    with saying(raw) as port:
        assert get(f"http://127.0.0.1:{port}/").trouble


def test_nobody_there_is_trouble() -> None:
    assert "refused" in get("http://127.0.0.1:1/").trouble
    assert get("http://no-such-host.invalid/").trouble
    assert get(f"http://{'x' * 70}.invalid/").trouble


@contextmanager
def tls(folder: Path) -> Iterator[int]:
    """A server whose certificate nobody has signed but itself."""
    key, certificate = folder / "key", folder / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def handle(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")

    with tcp(handle) as port:
        yield port


def test_a_certificate_that_nobody_vouches_for_is_trouble_unless_any_will_do(tmp_path: Path) -> None:
    with tls(tmp_path) as port:
        assert "CERTIFICATE_VERIFY_FAILED" in get(f"https://127.0.0.1:{port}/").trouble
        assert get(f"https://127.0.0.1:{port}/", insecure=True) == HttpAnswer(200, b"abc")


@pytest.mark.parametrize("server", [hanging, slow])
def test_a_handshake_that_never_ends_costs_no_more_than_its_time(
    server: Callable[[], AbstractContextManager[int]],
) -> None:
    with server() as port:
        assert get(f"https://127.0.0.1:{port}/").trouble


def test_whether_somebody_takes_connections() -> None:
    with hanging() as port:
        assert HostProbing().tcp("127.0.0.1", port, TIMEOUT) == ""
    assert "refused" in HostProbing().tcp("127.0.0.1", 1, TIMEOUT)


def test_only_plain_files_are_read_and_no_more_than_a_part_of_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * (2 << 20))
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    read = HostProbing().read

    assert read(str(tmp_path / "file")) == b"x" * (1 << 20)
    for other in ("link", "fifo", "", "none", "no\0name"):
        assert read(str(tmp_path / other)) is None
    assert read("/dev/zero") is None
