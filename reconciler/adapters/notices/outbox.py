"""`Outbox` in one sealed file of the state directory: whole or as it was before, after a kill and on a full disk."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reconciler import durable
from reconciler.errors import Transient
from reconciler.model.mail import Failing, Letter, Mailbox, Memory, Stopped, Storm
from reconciler.model.notice import Detail, DiscordChannel, Link, Notice, Notifications, Secret, WebhookChannel
from reconciler.ports import Outbox

NAME = "notices"


class FileOutbox(Outbox):
    """`state`: the state directory."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME

    def load(self) -> Mailbox:
        """A file that is damaged is set aside: notices are lost with it, and nothing else."""
        try:
            return _mailbox(durable.read_sealed(self._path))
        except FileNotFoundError:
            return Mailbox()
        except (OSError, ValueError, LookupError, TypeError):
            with suppress(OSError):
                self._path.replace(self._path.with_name(f"{NAME}.broken"))
            return Mailbox()

    def save(self, box: Mailbox) -> None:
        try:
            durable.put_sealed(self._path, asdict(box))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise Transient(
                "E-NOTICE-OUTBOX",
                f"cannot keep notices in {self._path}",
                why=str(error),
                next="make room on its file system" if full else "check owner and mode of the state directory",
            ) from error


def _mailbox(raw: dict[str, Any]) -> Mailbox:
    memory = raw["memory"]
    return Mailbox(
        waiting=tuple(Letter(**{**each, "notice": _notice(each["notice"])}) for each in raw["waiting"]),
        sent={str(name): str(id) for name, id in raw["sent"].items()},
        stopped={name: Stopped(**each) for name, each in raw["stopped"].items()},
        memory=Memory(
            **{
                **memory,
                "failing": Failing(**memory["failing"]) if memory["failing"] else None,
                "storm": Storm(**memory["storm"]) if memory["storm"] else None,
                "told": tuple(memory["told"]),
            }
        ),
        wanted=_wanted(raw["wanted"]),
        revision=raw["revision"],
    )


def _notice(raw: dict[str, Any]) -> Notice:
    return Notice(
        **{
            **raw,
            "details": tuple(Detail(**each) for each in raw["details"]),
            "links": tuple(Link(**each) for each in raw["links"]),
            "facts": tuple((name, value) for name, value in raw["facts"]),
        }
    )


def _wanted(raw: dict[str, Any]) -> Notifications:
    discord, webhook = raw["discord"], raw["webhook"]
    return Notifications(
        discord=DiscordChannel(Secret(**discord["webhook"]), discord["mention"]) if discord else None,
        webhook=WebhookChannel(
            webhook["url"] if isinstance(webhook["url"], str) else Secret(**webhook["url"]),
            Secret(**webhook["sign"]) if webhook["sign"] else None,
        )
        if webhook
        else None,
        links=raw["links"],
    )
