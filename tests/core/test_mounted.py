"""One way of writing for what is mounted, whichever way it was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.mounted import mounted

ANONYMOUS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Binds": ["/a:/b"]}, {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b"}]}),
        ({"Binds": ["/a:/b:rw"]}, {"Binds": ["/a:/b:rw,rprivate"]}),
        ({"Binds": ["/a:/b:ro"]}, {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True}]}),
        (
            {"Binds": ["/a:/b:rw,rslave"]},
            {"Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": {"Propagation": "rslave"}}]},
        ),
        (
            {"Binds": ["v:/b:nocopy"]},
            {"Mounts": [{"Type": "volume", "Source": "v", "Target": "/b", "VolumeOptions": {"NoCopy": True}}]},
        ),
        (
            {"Tmpfs": {"/t": "size=1m,mode=1777"}},
            {"Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1777}}]},
        ),
        ({"Tmpfs": {"/t": ""}}, {"Mounts": [{"Type": "tmpfs", "Target": "/t"}]}),
        ({"Binds": [f"{ANONYMOUS}:/b:rw"]}, {"Mounts": [{"Type": "volume", "Source": "", "Target": "/b"}]}),
        ({"Binds": ["/a/:/b/:rw", "/x//y:/z"]}, {"Binds": ["/a:/b", "/x/y:/z:cached"]}),
        ({}, {"Binds": None, "Mounts": None, "Tmpfs": None}),
    ],
)
def test_ways_of_asking_for_the_same_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert mounted(one) == mounted(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Binds": ["/a:/b"]}, {"Binds": ["/a:/b:ro"]}),
        ({"Binds": ["/a:/b"]}, {"Binds": ["/c:/b"]}),
        ({"Binds": ["/a:/b"]}, {"Binds": ["/a:/c"]}),
        ({"Binds": ["/a:/b:z"]}, {"Binds": ["/a:/b"]}),
        ({"Tmpfs": {"/t": "size=1m"}}, {"Tmpfs": {"/t": "size=2m"}}),
        ({"Tmpfs": {"/t": ""}}, {"Binds": ["t:/t"]}),
    ],
)
def test_what_is_not_the_same_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert mounted(one) != mounted(other)


def test_it_is_shown_as_people_write_it() -> None:
    host = {"Binds": ["/a:/b", "v:/c:ro"], "Tmpfs": {"/t": "size=1k"}}
    assert [str(m) for m in mounted(host).values()] == ["volume /a:/b:rw", "volume v:/c:ro", "tmpfs /t:size=1024"]
