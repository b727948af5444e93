"""What an engine, or something in its place, may answer on its socket; and what we make of it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from reconciler.adapters.docker.engine import DockerEngine
from reconciler.adapters.docker.http import Refusal, SocketHttp, plain_address
from reconciler.errors import ReconcilerError, Terminal, Transient, Unreachable
from tests.support.gitremote import tcp

VERSION = b'HTTP/1.0 200 OK\r\n\r\n{"ApiVersion": "1.41", "Version": "20.10"}'


def request(connection: socket.socket) -> bytes:
    """The whole request: its head says how long the body is."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65536)
    head, _, body = read.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"Content-Length")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def saying(answer: bytes) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        request(connection)
        connection.sendall(answer)

    return handle


def after_its_version(answer: bytes | None) -> Callable[[socket.socket], None]:
    """It says which version it is, and then the same to everything; None: nothing, until the other side gives up."""

    def handle(connection: socket.socket) -> None:
        if b"/version HTTP" in request(connection):
            connection.sendall(VERSION)
        elif answer is None:
            connection.recv(1)
        else:
            connection.sendall(answer)

    return handle


def test_a_call_sends_its_body_and_its_query_and_reads_json() -> None:
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(request(connection))
        connection.sendall(b'HTTP/1.0 201 Created\r\nContent-Type: application/json\r\n\r\n{"Id": "1"}\n')

    with tcp(handle) as port:
        http = SocketHttp(f"tcp://127.0.0.1:{port}", 5)
        assert http.call("POST", "/containers/create", {"Image": "x"}, {"name": "a b&c"}) == {"Id": "1"}

    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /containers/create?name=a+b%26c HTTP/1.0\r\n")
    assert body == b'{"Image": "x"}'


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (b'HTTP/1.0 409 Conflict\r\n\r\n{"message": "in use"}', 409, "in use"),
        (b"HTTP/1.0 403 Forbidden\r\n\r\n<html>not you</html>", 403, "<html>not you</html>"),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", 502, "HTTP status 502"),
    ],
    ids=["in its own words", "in a proxy's words", "without words"],
)
def test_a_refusal_says_why(answer: bytes, status: int, reason: str) -> None:
    with tcp(saying(answer)) as port, pytest.raises(Refusal) as caught:
        SocketHttp(f"tcp://127.0.0.1:{port}", 5).call("GET", "/info")
    assert (caught.value.status, caught.value.reason) == (status, reason)


@pytest.mark.parametrize(
    "answer", [b"", b'HTTP/1.0 200 OK\r\n\r\n[{"Id"', b"220 smtp.example ESMTP\r\n"], ids=["none", "half", "another's"]
)
def test_an_answer_that_is_none_of_an_engine_is_an_engine_out_of_reach(answer: bytes) -> None:
    with tcp(after_its_version(answer)) as port, pytest.raises(Unreachable) as caught:
        DockerEngine(f"tcp://127.0.0.1:{port}", 5).listed()
    assert caught.value.code == "E-DOCKER-UNREACHABLE"


def test_an_engine_that_falls_silent_is_given_up_after_its_deadline() -> None:
    with tcp(after_its_version(None)) as port, pytest.raises(Transient) as caught:
        DockerEngine(f"tcp://127.0.0.1:{port}", 0.2).listed()
    assert caught.value.code == "E-DOCKER-TIMEOUT"


def test_a_command_whose_output_never_ends_is_given_up_after_its_time() -> None:
    def handle(connection: socket.socket) -> None:
        asked = request(connection)
        if b"/version HTTP" in asked:
            connection.sendall(VERSION)
        elif b"/start HTTP" in asked:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n\x01\0\0\0\0\0\0\x03so\n")
            connection.recv(1)
        else:
            connection.sendall(b'HTTP/1.0 200 OK\r\n\r\n{"Id": "1", "Running": true, "ExitCode": null}')

    with tcp(handle) as port:
        assert DockerEngine(f"tcp://127.0.0.1:{port}", 5).exec("web", ["tail", "-f"], 0.2) == (124, "so\n")


def test_an_engine_that_never_says_its_version_is_out_of_reach() -> None:
    with tcp(lambda connection: connection.recv(1 << 16) and connection.recv(1)) as port, pytest.raises(Unreachable):
        DockerEngine(f"tcp://127.0.0.1:{port}", 0.2).listed()


def test_an_older_engine_is_not_asked_for_a_platform_that_it_would_ignore() -> None:
    old = VERSION.replace(b"1.41", b"1.40")
    with tcp(saying(old)) as port, pytest.raises(Terminal) as caught:
        DockerEngine(f"tcp://127.0.0.1:{port}", 5).create("web", {}, "linux/arm64")
    assert caught.value.code == "E-DOCKER-REFUSED"


@pytest.mark.parametrize("url", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1", "tcp://127.0.0.1:1"])
def test_where_no_engine_is_there_is_an_error_that_says_so(url: str) -> None:
    with pytest.raises(ReconcilerError) as caught:
        DockerEngine(url, 1).listed()
    assert caught.value.code == "E-DOCKER-UNREACHABLE"


def test_an_engine_behind_tls_or_ssh_is_for_docker_py(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert plain_address("") == "unix:///var/run/docker.sock"
    assert plain_address("ssh://box") == ""
    monkeypatch.setenv("DOCKER_HOST", "tcp://box:2376")
    assert plain_address("") == "tcp://box:2376"
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert plain_address("") == ""
    assert plain_address("tcp://other:2375") == "tcp://other:2375"
