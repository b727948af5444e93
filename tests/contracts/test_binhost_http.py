"""The binhost over HTTP: what Portage's clients ask for, and what drones bring."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.model.swarm import Offer
from tests.support.serving import Orchestrator, ScriptedDrone, eventually, listing, orchestrator_at

BODY = os.urandom(3 << 20)
PATH = "app-misc/foo/foo-1-1.gpkg.tar"


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path_factory.mktemp("swarm")) as made:
        yield made


@pytest.fixture(scope="module")
def stored(swarm: Orchestrator) -> str:
    """The address of a package of three MiB that clients see."""
    drone = swarm.drone("stores", profile="stored")
    told = swarm.submit(listing("app-misc/stored-1"), profile="stored")
    drone.build(drone.take(), BODY)
    build = f"/api/builds/{told['accepted'][0]['build']}"
    eventually(lambda: swarm.get(build).data["build"]["stored"], "it is stored")
    return f"/binhost/stored/{swarm.get(build).data['build']['stored']}"


@dataclass(frozen=True)
class Lease:
    drone: ScriptedDrone
    offer: Offer

    @property
    def staging(self) -> Path:
        return self.drone.orchestrator.state / "binhost/.incoming" / self.offer.build

    def staged(self) -> list[Path]:
        """The files that there are; `walk` does not mind a folder that goes away meanwhile, `rglob` does."""
        return [Path(folder, name) for folder, _, names in os.walk(self.staging) for name in names]


@pytest.fixture
def lease(swarm: Orchestrator, request: pytest.FixtureRequest) -> Iterator[Lease]:
    """A build that a drone holds."""
    name = f"d{abs(hash(request.node.name)) % 10**8}"
    drone = swarm.drone(name, profile=name)
    swarm.submit(listing(f"app-misc/{name}-1"), profile=name)
    made = Lease(drone, drone.take())
    yield made
    drone.finish(made.offer, "returned")
    swarm.ask("DELETE", f"/api/drones/{name}")


def curl(swarm: Orchestrator, path: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["curl", "-sS", *words, f"{swarm.url}{path}"], capture_output=True, timeout=60)


# ---- what clients read


def test_a_package_comes_whole_in_parts_and_resumed_as_curl_asks_for_it(
    swarm: Orchestrator, stored: str, tmp_path: Path
) -> None:
    whole = BODY + b"app-misc/stored-1"
    assert curl(swarm, stored).stdout == whole
    assert curl(swarm, stored, "-r", "100-199").stdout == whole[100:200]
    assert curl(swarm, stored, "-r", "-17").stdout == b"app-misc/stored-1"
    half = tmp_path / "half"
    half.write_bytes(whole[: 1 << 20])
    assert curl(swarm, stored, "-C", "-", "-o", str(half)).returncode == 0
    assert half.read_bytes() == whole
    heads = curl(swarm, stored, "-r", "0-0", "-D", "-", "-o", "/dev/null").stdout.decode().lower()
    assert "206 partial content" in heads
    assert f"content-range: bytes 0-0/{len(whole)}" in heads


def test_an_index_is_sent_again_only_when_it_has_changed(swarm: Orchestrator, stored: str, tmp_path: Path) -> None:
    """As Portage asks: If-Modified-Since with the second that it was told (curl -z does the same)."""
    index = "/binhost/stored/Packages.gz"
    first = swarm.get(index)
    assert first.status == 200
    assert first.headers["cache-control"] == "no-cache"
    assert "content-encoding" not in first.headers, "it is a file that is compressed, and stays so"

    known = {"If-Modified-Since": first.headers["last-modified"]}
    assert swarm.get(index, **known).status == 304
    assert swarm.get(index, **{"If-None-Match": first.headers["etag"]}).status == 304
    assert swarm.get(index, **{"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}).body == first.body
    copy = tmp_path / "Packages.gz"
    curl(swarm, index, "-R", "-o", str(copy))
    again = tmp_path / "again"
    assert curl(swarm, index, "-z", str(copy), "-o", str(again), "-w", "%{http_code}").stdout == b"304"
    unpacked = subprocess.run(["gzip", "-dc", copy], capture_output=True, check=True).stdout
    assert unpacked == swarm.get("/binhost/stored/Packages").body
    assert b"CPV: app-misc/stored-1\n" in unpacked


def test_head_says_what_get_would(swarm: Orchestrator, stored: str) -> None:
    head, get = swarm.ask("HEAD", stored), swarm.get(stored)

    same = ("etag", "last-modified", "content-length", "content-type", "accept-ranges", "cache-control")
    assert [head.headers[name] for name in same] == [get.headers[name] for name in same]
    assert (head.status, head.body) == (200, b"")
    assert get.headers["content-length"] == str(len(get.body))


def test_a_range_beyond_the_end_is_told_the_size(swarm: Orchestrator, stored: str) -> None:
    answer = swarm.get(stored, Range="bytes=99999999-")

    assert (answer.status, answer.code) == (416, "E-HTTP-RANGE")
    assert answer.headers["content-range"] == f"bytes */{len(BODY) + len('app-misc/stored-1')}"


@pytest.mark.parametrize(
    "path",
    [
        "/binhost/stored/../../swarm.db", "/binhost/stored/%2e%2e/%2e%2e/swarm.db", "/binhost/../swarm.db",
        "/binhost/stored/..%2f..%2fswarm.db", "/binhost/stored//etc/passwd", "/binhost/stored/%2fetc%2fpasswd",
        "/binhost/.incoming/x", "/binhost/.notes/stored/shelf", "/binhost/stored/.lock", "/binhost/.lock/",
        "/binhost/stored/app-misc", "/binhost/stored/app-misc/", "/binhost/stored/", "/binhost/stored/Packages/",
        "/binhost/stored/Packages%00", "/binhost/stored/Packages%ff", "/binhost/none/Packages",
        "/binhost/stored/" + "a/" * 400, "/binhost/" + "p" * 90 + "/Packages",
    ],
)  # fmt: skip
def test_nothing_else_of_the_machine_is_served(path: str, swarm: Orchestrator, stored: str) -> None:
    for method in ("GET", "HEAD"):
        answer = swarm.ask(method, path)
        assert answer.status == 404, (method, answer.body[:200])


def test_a_link_is_not_followed(swarm: Orchestrator, stored: str) -> None:
    folder = swarm.state / "binhost/stored/app-misc"
    (folder / "link").mkdir()
    (folder / "link/link-1-1.gpkg.tar").symlink_to("/etc/hostname")

    assert swarm.get("/binhost/stored/app-misc/link/link-1-1.gpkg.tar").status == 404


def test_a_file_that_is_replaced_amid_a_download_comes_to_its_end_as_it_was(swarm: Orchestrator, stored: str) -> None:
    file = swarm.state / "binhost" / stored.removeprefix("/binhost/")
    connection = http.client.HTTPConnection("127.0.0.1", swarm.port, timeout=30)
    connection.request("GET", stored)
    with connection.getresponse() as answer:
        begun = answer.read(1000)
        other = file.with_name("other")
        other.write_bytes(b"another")
        keep = file.with_name("keep")
        os.link(file, keep)
        os.replace(other, file)
        whole = begun + answer.read()
    os.replace(keep, file)
    connection.close()

    assert whole == BODY + b"app-misc/stored-1"


# ---- what drones bring


def test_an_upload_is_nobody_elses_business_until_its_build_is_accepted(lease: Lease) -> None:
    swarm, path = lease.drone.orchestrator, PATH

    assert lease.drone.put(lease.offer, path, BODY).data == {"path": path, "size": len(BODY)}
    assert swarm.get(f"/binhost/{lease.drone.profile}/{path}").status == 404
    assert [file.stat().st_size for file in lease.staged()] == [len(BODY)]
    assert lease.drone.put(lease.offer, path, BODY).status == 201, "the same again replaces it"
    assert len(lease.staged()) == 1


def test_an_upload_that_is_not_what_it_says_is_not_kept(lease: Lease) -> None:
    def refused(data: bytes, **headers: str) -> tuple[int, str]:
        answer = lease.drone.put(lease.offer, PATH, data, **headers)
        return answer.status, answer.code

    wrong = hashlib.sha256(b"else").hexdigest()
    assert refused(b"data", **{"X-Reconciler-Sha256": wrong}) == (422, "E-BINHOST-SUM")
    assert refused(b"data", **{"X-Reconciler-Sha256": "x"}) == (422, "E-HTTP-INPUT")
    assert refused(b"data", **{"X-Reconciler-Sha256": ""}) == (422, "E-HTTP-INPUT")
    assert refused(b"data", **{"X-Reconciler-Size": "9"}) == (422, "E-BINHOST-SUM")
    assert refused(b"data", **{"X-Reconciler-Size": "2"}) == (400, "E-HTTP-INPUT")
    assert refused(b"data", **{"X-Reconciler-Size": "9" * 40}) == (411, "E-HTTP-LENGTH")
    assert refused(b"data", **{"X-Reconciler-Size": "-1"}) == (411, "E-HTTP-LENGTH")
    assert refused(b"") == (422, "E-HTTP-INPUT")
    assert lease.staged() == []


@pytest.mark.parametrize(
    "path",
    ["Packages", "Packages.gz", "../x/y-1-1.gpkg.tar", "%2e%2e/%2e%2e/y-1-1.gpkg.tar", "app-misc/.x/y-1-1.gpkg.tar",
     "/etc/cron.d/y-1-1.gpkg.tar", "app-misc/foo/foo-1-1.sh", "app-misc/foo/%00-1-1.gpkg.tar", "a" * 900 + ".gpkg.tar"],
)  # fmt: skip
def test_an_upload_has_the_path_of_a_package(path: str, lease: Lease) -> None:
    answer = lease.drone.put(lease.offer, path, b"data")

    assert answer.status in (404, 422), answer.body
    assert lease.staged() == []


def test_an_upload_of_no_live_lease_is_refused(lease: Lease, swarm: Orchestrator) -> None:
    other = swarm.drone("another", profile="another")
    build = lease.offer.build

    def code(**headers: str) -> tuple[int, str]:
        answer = lease.drone.put(lease.offer, PATH, b"data", **headers)
        return answer.status, answer.code

    assert code(Authorization="") == (401, "E-HTTP-TOKEN")
    assert code(Authorization="Bearer nonsense") == (401, "E-HTTP-TOKEN")
    assert code(Authorization=f"Bearer {other.credential}") == (409, "E-SWARM-LEASE")
    assert code(**{"X-Reconciler-Lease": f"{build}:7"}) == (409, "E-SWARM-LEASE")
    assert code(**{"X-Reconciler-Lease": "none:1"}) == (409, "E-SWARM-LEASE")
    assert code(**{"X-Reconciler-Lease": "../..:1"}) == (422, "E-HTTP-INPUT")
    assert code(**{"X-Reconciler-Lease": ""}) == (422, "E-HTTP-INPUT")
    elsewhere = swarm.ask("PUT", f"/binhost/elsewhere/{PATH}", b"data", lease.drone.headers(
        lease.offer, **{"X-Reconciler-Sha256": hashlib.sha256(b"data").hexdigest()}))  # fmt: skip
    assert (elsewhere.status, elsewhere.code) == (409, "E-SWARM-LEASE")
    assert lease.staged() == []


def test_a_lease_that_is_lost_amid_an_upload_is_told_so(lease: Lease, swarm: Orchestrator) -> None:
    connection = begun(lease, len(BODY))
    connection.send(BODY[: 1 << 20])
    eventually(lease.staged, "it begins to come in")
    swarm.ask("DELETE", f"/api/queue/{lease.offer.build}")

    connection.send(BODY[1 << 20 :])
    answer = connection.getresponse()

    assert answer.status == 409
    assert b"E-SWARM-LEASE" in answer.read()
    connection.close()


def test_a_connection_that_is_cut_leaves_nothing(lease: Lease) -> None:
    connection = begun(lease, len(BODY))
    connection.send(BODY[: 2 << 20])
    eventually(lease.staged, "it begins to come in")

    assert connection.sock is not None
    connection.sock.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
    )  # a reset, as of a dead machine
    connection.close()

    eventually(lambda: not lease.staged(), "nothing is left of it")
    assert lease.drone.put(lease.offer, PATH, b"whole").status == 201


def test_an_upload_in_chunks_says_its_size_itself(lease: Lease) -> None:
    connection = begun(lease, None, **{"X-Reconciler-Size": str(len(BODY)), "Transfer-Encoding": "chunked"})
    for start in range(0, len(BODY), 1 << 19):
        piece = BODY[start : start + (1 << 19)]
        connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    connection.send(b"0\r\n\r\n")

    assert connection.getresponse().status == 201
    connection.close()
    without = begun(lease, None, **{"Transfer-Encoding": "chunked"})
    assert without.getresponse().status == 411
    without.close()


def begun(lease: Lease, size: int | None, **headers: str) -> http.client.HTTPConnection:
    """An upload of BODY whose body is still to come."""
    connection = http.client.HTTPConnection("127.0.0.1", lease.drone.orchestrator.port, timeout=30)
    connection.putrequest("PUT", f"/binhost/{lease.drone.profile}/{PATH}")
    told = {"X-Reconciler-Sha256": hashlib.sha256(BODY).hexdigest(), **headers}
    told |= {"Content-Length": str(size)} if size is not None else {}
    for name, value in lease.drone.headers(lease.offer, **told).items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection
