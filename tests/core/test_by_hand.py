"""Output that comes in pieces, and which containers are started again in which order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.adapters.docker.frames import frames
from reconciler.core.lines import Line, Piece, lines
from reconciler.core.ours import ours
from reconciler.core.restarting import in_order, to_restart
from reconciler.core.scope import UnknownTarget
from reconciler.model import labels
from reconciler.model.observed import Container, Observed


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


def test_pieces_become_lines_of_their_streams() -> None:
    pieces = [Piece("stdout", b"t1 one\nt2 tw"), Piece("stderr", b"t3 bad\r\n"), Piece("stdout", b"o\nt4 \xff")]

    assert list(lines(pieces)) == [
        Line("stdout", "t1", "one"),
        Line("stderr", "t3", "bad"),
        Line("stdout", "t2", "two"),
        Line("stdout", "t4", "\N{REPLACEMENT CHARACTER}"),
    ]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20))), st.integers(1, 9))
def test_frames_are_found_however_the_bytes_were_cut(sent: list[tuple[int, bytes]], size: int) -> None:
    raw = b"".join(frame(stream, payload) for stream, payload in sent)
    chunks = [raw[at : at + size] for at in range(0, len(raw), size)]

    assert list(frames(chunks)) == [Piece("stderr" if s == 2 else "stdout", payload) for s, payload in sent]


def container(name: str, *, depends: str = "", mode: str = "", stack: str = "app", owner: str = "me") -> Container:
    return Container(
        id=f"id-{name}" if stack == "app" else f"id-{stack}-{name}",
        name=name,
        state="running",
        owner=owner,
        stack=stack,
        service=name,
        labels={labels.DEPENDS_ON: depends},
        definition={"HostConfig": {"NetworkMode": mode}},
    )


WEB = container("web", depends="api:service_healthy:true")
API = container("api", depends="db:service_healthy:true,cache:service_started:false")
DB, CACHE = container("db"), container("cache")
VPN, CLIENT = container("vpn"), container("client", mode="container:id-vpn")
OTHER = container("db", stack="other")
ALL = (API, CACHE, CLIENT, DB, VPN, WEB)


def names(containers: Sequence[Container]) -> set[str]:
    return {each.name for each in containers}


def test_what_depends_with_restart_or_shares_a_namespace_is_taken_along() -> None:
    assert names(to_restart([DB], ALL)) == {"db", "api", "web"}
    assert names(to_restart([CACHE], ALL)) == {"cache"}
    assert names(to_restart([VPN], ALL)) == {"vpn", "client"}
    assert names(to_restart([WEB], ALL)) == {"web"}
    assert names(to_restart([OTHER], (*ALL, OTHER))) == {"db"}


def test_dependencies_and_owners_of_namespaces_go_first() -> None:
    assert [sorted(names(level)) for level in in_order(ALL)] == [["cache", "db", "vpn"], ["api", "client"], ["web"]]


def test_services_in_a_ring_go_together() -> None:
    ring = (container("a", depends="b:service_started:true"), container("b", depends="a:service_started:true"))

    assert [sorted(names(level)) for level in in_order(ring)] == [["a", "b"]]


def test_only_containers_of_this_fleet_in_service_are_ours() -> None:
    kept, foreign = container("old.kept-1"), container("alien", owner="them")
    observed = Observed("alpha", (*ALL, OTHER, kept, foreign))

    assert names(ours(observed, "me", "alpha/app")) == names(ALL)
    assert [c.stack for c in ours(observed, "me", "alpha/other/db")] == ["other"]
    for target in ("beta", "alpha/none", "alpha/app/alien", "alpha/app/old.kept-1"):
        with pytest.raises(UnknownTarget):
            ours(observed, "me", target)
    with pytest.raises(UnknownTarget):
        ours(observed, "", "alpha")
