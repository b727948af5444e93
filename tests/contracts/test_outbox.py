"""The outbox keeps everything that it is given, and nothing that is damaged."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from reconciler import durable
from reconciler.adapters.notices.outbox import NAME, FileOutbox
from reconciler.errors import Transient
from reconciler.model.mail import Failing, Letter, Mailbox, Memory, Stopped, Storm
from reconciler.model.notice import Detail, DiscordChannel, Link, Notice, Notifications, Secret, WebhookChannel

NOTICE = Notice(
    "k", "r", "full", "t", "u", "x", (Detail("a", "b", code=True),), (Link("l", "u"),), "f", (("host", "h"),), 1.5, True
)
FULL = Mailbox(
    (Letter("discord", NOTICE, 1.0, 2.0, 3, begun=True),),
    {"discord k": "77"},
    {"webhook": Stopped("digest", "410", 5.0)},
    Memory(Failing("s", "k", 1.0, 2.0), Storm("k", "b", 3.0, 4), "run", "remark", ("a", "b"), "a"),
    Notifications(
        DiscordChannel(Secret("hook"), "<@&1>"), WebhookChannel(Secret("url"), Secret("sign")), links="gitea"
    ),
    "4f2c1ab",
)


@pytest.mark.parametrize("box", [Mailbox(), FULL, Mailbox(wanted=Notifications(webhook=WebhookChannel("https://x")))])
def test_what_is_kept_is_what_was_given(tmp_path: Path, box: Mailbox) -> None:
    FileOutbox(tmp_path).save(box)

    assert FileOutbox(tmp_path).load() == box


def test_nothing_was_kept_yet(tmp_path: Path) -> None:
    assert FileOutbox(tmp_path).load() == Mailbox()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"", b"garbage", b"0" * 64 + b"\n{}", b"\xff\xfe"])
def test_a_damaged_one_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / NAME).write_bytes(damage)

    assert FileOutbox(tmp_path).load() == Mailbox()
    assert (tmp_path / f"{NAME}.broken").read_bytes() == damage
    FileOutbox(tmp_path).save(FULL)
    assert FileOutbox(tmp_path).load() == FULL


def test_one_of_a_later_version_is_set_aside_too(tmp_path: Path) -> None:
    durable.put_sealed(tmp_path / NAME, {"something": "else"})

    assert FileOutbox(tmp_path).load() == Mailbox()


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    FileOutbox(tmp_path).save(FULL)

    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FileOutbox(tmp_path).save(FULL)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Transient, match="E-NOTICE-OUTBOX"):
        FileOutbox(tmp_path).save(Mailbox())
    monkeypatch.undo()
    assert FileOutbox(tmp_path).load() == FULL
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
