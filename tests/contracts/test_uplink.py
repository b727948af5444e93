"""A drone's way to its orchestrator: the real server's answers, and what a server may do that ours does not."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.adapters.swarm.uplink_http import UplinkHttp
from reconciler.errors import Terminal, Transient
from reconciler.model.swarm import Artifact, Offer
from reconciler.swarm.drone.builder import Packed
from reconciler.swarm.drone.uplink import LeaseLost, NotTaken
from tests.support.serving import Orchestrator, ScriptedDrone, eventually, listing, orchestrator_at

CONTENT = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def orchestrator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path_factory.mktemp("orchestrator")) as orchestrator:
        yield orchestrator


@pytest.fixture
def drone(orchestrator: Orchestrator, tmp_path: Path) -> ScriptedDrone:
    return orchestrator.drone(tmp_path.name[-40:].strip("_"), profile=tmp_path.name[-40:].strip("_"))


@pytest.fixture
def offer(orchestrator: Orchestrator, drone: ScriptedDrone) -> Offer:
    orchestrator.submit(listing("app-misc/gtk+-1"), profile=drone.profile)
    return drone.take()


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    file = tmp_path / "gtk+-1-1.gpkg.tar"
    file.write_bytes(CONTENT)
    path = "app-misc/gtk+/gtk+-1-1.gpkg.tar"
    return Packed(file, path, {"CPV": "app-misc/gtk+-1", "PATH": path, "SIZE": str(len(CONTENT))}, {"ARCH": "amd64"})


def artifact(packed: Packed) -> Artifact:
    return Artifact(packed.path, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), packed.entry, packed.header)


def uplink(drone: ScriptedDrone, url: str = "", credential: str = "") -> UplinkHttp:
    url = url or drone.orchestrator.url
    return UplinkHttp(url, drone.profile, f"{url}/binhost/{drone.profile}", credential or drone.credential)


def wanted() -> str:
    return ""


def test_a_package_that_was_brought_is_served_once_the_build_has_ended(
    drone: ScriptedDrone, offer: Offer, packed: Packed
) -> None:
    up = uplink(drone)
    assert not up.binhost()

    up.upload(offer, packed, artifact(packed), wanted)
    up.upload(offer, packed, artifact(packed), wanted)
    drone.finish(offer, "succeeded", artifacts=(artifact(packed),))

    served = f"/binhost/{drone.profile}/app-misc/gtk%2B/gtk%2B-1-1.gpkg.tar"
    eventually(lambda: drone.orchestrator.get(served).status == 200, "it is served")
    assert drone.orchestrator.get(served).body == CONTENT
    assert up.binhost()


def test_what_was_withdrawn_is_not_taken(drone: ScriptedDrone, offer: Offer, packed: Packed) -> None:
    drone.orchestrator.ask("DELETE", f"/api/queue/{offer.build}")

    with pytest.raises(LeaseLost, match="the lease is gone"):
        uplink(drone).upload(offer, packed, artifact(packed), wanted)
    with pytest.raises(LeaseLost):
        uplink(drone).log(offer, 0, b"words")
    with pytest.raises(LeaseLost):
        uplink(drone).upload(replace(offer, attempt=7), packed, artifact(packed), wanted)


def test_an_upload_ends_as_soon_as_the_build_is_to_end(drone: ScriptedDrone, offer: Offer, packed: Packed) -> None:
    reads = iter(["", "", "it was withdrawn"])

    with pytest.raises(LeaseLost, match="it was withdrawn"):
        uplink(drone).upload(offer, packed, artifact(packed), lambda: next(reads, "it was withdrawn"))

    assert not list((drone.orchestrator.state / "binhost/.incoming").rglob("*-*-*"))


def test_a_stranger_is_told_to_be_enrolled(drone: ScriptedDrone, offer: Offer, packed: Packed) -> None:
    with pytest.raises(Terminal) as caught:
        uplink(drone, credential="stolen").upload(offer, packed, artifact(packed), wanted)

    assert caught.value.code == "E-DRONE-CREDENTIAL"


def test_what_came_other_than_it_went_is_tried_again(drone: ScriptedDrone, offer: Offer, packed: Packed) -> None:
    """As after a fault of the network: another time it may come right."""
    with pytest.raises(Transient, match="cannot be used now"):
        uplink(drone).upload(offer, packed, replace(artifact(packed), sha256="0" * 64), wanted)


def test_what_the_binhost_never_takes_is_no_matter_of_trying_again(
    drone: ScriptedDrone, offer: Offer, packed: Packed
) -> None:
    with pytest.raises(Terminal) as caught:
        uplink(drone).upload(offer, packed, replace(artifact(packed), path="a/b/c.txt"), wanted)

    assert caught.value.code == "E-DRONE-REFUSED"


def test_a_package_that_is_gone_is_built_again(drone: ScriptedDrone, offer: Offer, packed: Packed) -> None:
    packed.file.unlink()

    with pytest.raises(Terminal) as caught:
        uplink(drone).upload(offer, packed, artifact(packed), wanted)

    assert caught.value.code == "E-DRONE-PACKAGE"


@pytest.mark.parametrize("instead", ["a folder", "a bad disk"])
def test_a_package_that_cannot_be_read_is_built_again(
    instead: str, drone: ScriptedDrone, offer: Offer, packed: Packed
) -> None:
    """Else the drone would end, and begin with it again, for ever; or try for ever to send it."""
    told = artifact(packed)
    packed.file.unlink()
    if instead == "a folder":
        packed.file.mkdir()
    else:
        packed.file.symlink_to("/proc/self/mem")  # whose first byte is none: EIO

    with pytest.raises(Terminal) as caught:
        uplink(drone).upload(offer, packed, told, wanted)

    assert caught.value.code == "E-DRONE-PACKAGE"


def test_a_log_grows_piece_by_piece_and_the_answer_says_where_it_goes_on(drone: ScriptedDrone, offer: Offer) -> None:
    up = uplink(drone)

    assert up.log(offer, 0, b"one ") == 4
    assert up.log(offer, 0, b"one ") == 4
    assert up.log(offer, 9, b"far ahead") == 4
    assert up.log(offer, 4, b"two") == 7
    assert drone.orchestrator.get(f"/api/builds/{offer.build}/log").data["text"] == "one two"


def test_an_upload_that_is_cut_at_every_tenth_byte_is_never_served(drone: ScriptedDrone, offer: Offer) -> None:
    content = CONTENT[:400]
    path = f"/binhost/{drone.profile}/app-misc/gtk%2B/gtk%2B-1-1.gpkg.tar"
    told = drone.headers(offer, **{"X-Reconciler-Sha256": hashlib.sha256(content).hexdigest(), "Host": "here"})
    head = (
        f"PUT {path} HTTP/1.1\r\nContent-Length: 400\r\n" + "".join(f"{n}: {v}\r\n" for n, v in told.items()) + "\r\n"
    )
    staging = drone.orchestrator.state / "binhost/.incoming"

    for end in range(0, 400, 10):
        with socket.create_connection(("127.0.0.1", drone.orchestrator.port)) as connection:
            connection.sendall(head.encode() + content[:end])
            if end % 20:
                connection.shutdown(socket.SHUT_WR)
        assert drone.orchestrator.get(path).status == 404

    eventually(lambda: not [file for file in staging.rglob("*") if file.is_file()], "nothing of it is left")


def test_nobody_there_is_transient(drone: ScriptedDrone, offer: Offer, packed: Packed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    up = uplink(drone, url)

    for step in (
        up.binhost,
        lambda: up.log(offer, 0, b"x"),
        lambda: up.upload(offer, packed, artifact(packed), wanted),
    ):
        with pytest.raises(Transient) as caught:
            step()
        assert caught.value.code == "E-DRONE-UPLINK"
        assert "refused" in caught.value.why


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nproxy", Transient),
        (b"HTTP/1.1 507 Full\r\nContent-Length: 0\r\n\r\n", Transient),
        (b"HTTP/1.1 429 Slowly\r\nContent-Length: 0\r\n\r\n", Transient),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n", Transient),
        (b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", NotTaken),
        (b"HTTP/1.1 404 Missing\r\nContent-Length: 0\r\n\r\n", NotTaken),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nproxy", NotTaken),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nproxy", NotTaken),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy", NotTaken),
        (b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", Terminal),
        (b"no HTTP at all\r\n\r\n", Transient),
        (b"", Transient),
    ],
)
def test_answers_of_something_else_never_count_as_taken(
    answer: bytes, error: type[Exception], drone: ScriptedDrone, offer: Offer, packed: Packed
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answering, args=(server, answer), daemon=True).start()
        up = uplink(drone, f"http://127.0.0.1:{server.getsockname()[1]}")

        with pytest.raises(error) as caught:
            up.upload(offer, packed, artifact(packed), wanted)

    assert not isinstance(caught.value, LeaseLost)


def answering(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.settimeout(1)
        try:
            while connection.recv(1 << 16):
                pass
        except TimeoutError:
            pass
        connection.sendall(answer)
