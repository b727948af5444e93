"""Whoever asks over HTTP may be slow, huge, broken, or many: bounded, in the form of every error, never a 500."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.web.limits import BODY, PAUSE
from reconciler.web.server import CONNECTIONS, HEAD
from tests.support.serving import Orchestrator, eventually, listing, orchestrator_at


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path_factory.mktemp("swarm")) as made:
        yield made


def raw(swarm: Orchestrator, data: bytes, seconds: float = 20) -> bytes:
    """Everything that is answered to these bytes until the connection ends, or 0.3 s are silent."""
    with socket.create_connection(("127.0.0.1", swarm.port), timeout=seconds) as connection:
        connection.sendall(data)
        answer = connection.recv(1 << 16)
        connection.settimeout(0.3)
        with suppress(TimeoutError, ConnectionError):
            while more := connection.recv(1 << 16):
                answer += more
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def memory(swarm: Orchestrator) -> int:
    """Bytes that the process holds."""
    assert swarm.process is not None
    pages = Path(f"/proc/{swarm.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


# ---- huge


def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(swarm: Orchestrator) -> None:
    head = b"POST /api/queue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"

    answer = raw(swarm, head % (BODY + 1))

    assert status(answer) == 413
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "E-HTTP-SIZE"
    assert status(raw(swarm, head % (10**30))) == 400, "no number of bytes"


def test_a_body_that_turns_out_to_be_huge_is_cut_and_costs_no_memory(swarm: Orchestrator) -> None:
    before = memory(swarm)
    piece = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", swarm.port), timeout=30) as connection:
        connection.sendall(
            b"POST /api/queue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sent = 0
        with suppress(ConnectionError):
            while sent < 200:
                connection.sendall(piece)
                sent += 1

    assert sent < 200, "it went on reading"
    assert memory(swarm) - before < 8 * BODY
    assert swarm.get("/health").status == 200


def test_a_list_of_the_largest_size_is_read_within_bounds(swarm: Orchestrator) -> None:
    lines = BODY // 60
    text = ("app-misc/" + "a" * 49 + "!\n") * lines

    began = time.monotonic()
    answer = swarm.ask("POST", "/api/queue", text, timeout=60)

    assert answer.status in (202, 422)
    assert len(answer.body) < 64 << 20
    assert time.monotonic() - began < 55


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 300_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 300_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(30_000)) + b"\r\n",
    ],
    ids=["header", "path", "headers"],
)
def test_a_huge_head_is_refused(head: bytes, swarm: Orchestrator) -> None:
    with suppress(ConnectionError):
        answer = raw(swarm, head)
        assert not answer or status(answer) in (400, 404, 431)
    assert swarm.get("/health").status == 200


# ---- slow


def test_whoever_never_ends_a_head_is_left(swarm: Orchestrator) -> None:
    """As slowloris does: a byte now and then does not help."""
    with ExitStack() as stack:
        place = ("127.0.0.1", swarm.port)
        slow = [stack.enter_context(socket.create_connection(place, timeout=HEAD + 20)) for _ in range(50)]
        began = time.monotonic()
        for connection in slow:
            connection.sendall(b"GET /api/status HTTP/1.1\r\n")
        silent = stack.enter_context(socket.create_connection(place, timeout=HEAD + 20))
        assert swarm.get("/api/status").status == 200, "others are served meanwhile"
        gone: set[int] = set()
        while len(gone) < len(slow):
            for number, connection in enumerate(slow):
                try:
                    connection.sendall(b"X")
                except OSError:
                    gone.add(number)
            assert time.monotonic() - began < HEAD + 15, "they are still there"
            time.sleep(0.5)
        assert _ended(silent), "also who says nothing at all"


def _ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_more_connections_than_there_may_be_are_answered_503_and_the_rest_recovers(tmp_path: Path) -> None:
    with orchestrator_at(tmp_path) as swarm, ExitStack() as stack:
        for _ in range(CONNECTIONS + 20):
            stack.enter_context(socket.create_connection(("127.0.0.1", swarm.port), timeout=20))
        answer = raw(swarm, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert status(answer) == 503
        eventually(
            lambda: status(raw(swarm, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")) == 200,
            "those who say nothing are left",
            HEAD + 20,
        )


def test_who_reads_no_answer_or_drips_a_body_is_cut_off(swarm: Orchestrator) -> None:
    """A package of a size that no buffer holds, and clients that take nothing of it; meanwhile a body that drips."""
    file = swarm.state / "binhost/big/app-misc/big/big-1-1.gpkg.tar"
    file.parent.mkdir(parents=True)
    with file.open("wb") as made:
        made.truncate(1 << 30)
    with ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(_stingy(swarm.port))
            connection.sendall(b"GET /binhost/big/app-misc/big/big-1-1.gpkg.tar HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        eventually(lambda: _readers(swarm, file) == 5, "they are all served")
        dripping = stack.enter_context(socket.create_connection(("127.0.0.1", swarm.port), timeout=20))
        head = (
            b"POST /api/queue HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 90000\r\n\r\n"
        )
        dripping.sendall(head)
        began = time.monotonic()
        while not select.select([dripping], [], [], 1)[0]:
            dripping.sendall(b"a")
            assert time.monotonic() - began < PAUSE + 20, "a body that never ends is waited for"
        assert status(dripping.recv(1 << 16)) == 408
        eventually(lambda: _readers(swarm, file) == 0, "and cut off", PAUSE + 30)


def _readers(swarm: Orchestrator, file: Path) -> int:
    assert swarm.process is not None
    found = 0
    for descriptor in Path(f"/proc/{swarm.process.pid}/fd").iterdir():
        with suppress(OSError):
            found += descriptor.readlink() == file
    return found


def _stingy(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    return connection


# ---- broken


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client that got the wrong port
        b"nonsense\r\n\r\n",
        b"GET /api/status\r\n\r\n",
        b"GET /api/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
        b"GET /api/status HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"POST /api/queue HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/queue HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /api/queue HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/queue HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/status HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_said_by_nobody(data: bytes, swarm: Orchestrator) -> None:
    with suppress(ConnectionError):
        answer = raw(swarm, data)
        assert answer == b"" or 400 <= status(answer) < 500, answer


def test_an_upgrade_to_what_is_not_spoken_is_passed_over(swarm: Orchestrator) -> None:
    head = (
        b"GET /api/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )

    assert status(raw(swarm, head)) in (200, 400, 426)


def test_a_pipeline_is_answered_in_its_order(swarm: Orchestrator) -> None:
    one = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /api/none HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

    answer = raw(swarm, one * 3 + last)

    assert [int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]] == [200, 200, 200, 404]


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.binary(max_size=30).map(repr),
    st.lists(st.text(max_size=20), max_size=5), st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=4),
)  # fmt: skip
FIELDS = st.sampled_from(["text", "atoms", "set", "use", "profile", "key", "actor", "more"])


@given(st.dictionaries(FIELDS, JUNK, max_size=8))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_submission_is_a_mistake_of_ours(swarm: Orchestrator, body: dict[str, Any]) -> None:
    with suppress(ValueError):  # a float that is no JSON
        answer = swarm.ask("POST", "/api/queue", json.dumps(body).encode(), {"Content-Type": "application/json"})
        assert answer.status < 500, answer.body
        assert answer.json


@given(st.binary(max_size=2000))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_a_mistake_of_ours(swarm: Orchestrator, data: bytes) -> None:
    for kind in ("text/plain", "application/json"):
        answer = swarm.ask("POST", "/api/queue", data, {"Content-Type": kind})
        assert answer.status < 500, answer.body
        assert answer.json


# ---- trouble of its own


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_and_nothing_half_is_left(tmp_path: Path, small: Path) -> None:
    with orchestrator_at(tmp_path / "swarm", serve=f'binhost = "{small}/binhost"\n') as swarm:
        drone = swarm.drone()
        told = swarm.submit(listing("app-misc/large-1"))
        offer, path = drone.take(), "app-misc/large/large-1-1.gpkg.tar"

        full = drone.put(offer, path, bytes(40 << 20))
        filling = drone.put(offer, path, bytes(10 << 20), **{"X-Reconciler-Size": str(20 << 20)})

        assert (full.status, full.code) == (507, "E-BINHOST-FULL")
        assert filling.status == 422, "it ended early"
        with socket.create_connection(("127.0.0.1", swarm.port), timeout=20) as connection:
            headers = drone.headers(offer, **{"X-Reconciler-Sha256": "0" * 64, "Content-Length": str(20 << 20)})
            told_so = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            connection.sendall(f"PUT /binhost/default/{path} HTTP/1.1\r\nHost: x\r\n{told_so}\r\n".encode())
            connection.sendall(bytes(4 << 20))
            (small / "others").write_bytes(bytes(12 << 20))
            with suppress(ConnectionError):
                connection.sendall(bytes(16 << 20))
            answer = connection.recv(1 << 16)
        assert status(answer) == 507, answer
        (small / "others").unlink()
        assert [each for each in (small / "binhost/.incoming").rglob("*") if each.is_file()] == []
        drone.build(offer)
        build = told["accepted"][0]["build"]
        eventually(lambda: swarm.get(f"/api/builds/{build}").data["build"]["state"] == "succeeded", "it is stored")
