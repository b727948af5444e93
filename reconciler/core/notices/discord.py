"""A notice as Discord takes it: within all of its limits, calling nobody but who was named.

Limits: Discord's API documentation, "Embed Limits" and "Execute Webhook". Lengths count code points, as its own API
does (discord-api-docs issue 1315), so Python's `len` is the measure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from reconciler.model.notice import Detail, Link, Notice

TITLE, DESCRIPTION, FIELDS, NAME, VALUE, FOOTER, TOTAL = 256, 4096, 25, 256, 1024, 2048, 6000
_COLORS = {"failure": 0xD83C3E, "deploying": 0x5865F2, "digest": 0x99AAB5}
_GREEN = 0x3BA55C
_SILENT = 1 << 12
"""SUPPRESS_NOTIFICATIONS of a message's flags."""
_MENTION = re.compile(r"<@(&|!?)(\d+)>")
_WEBHOOK = re.compile(r"/api(?:/v\d+)?/webhooks/(\d+)/([\w-]+)/?")
_NAMES = {"Failed step": True, "Attempt": True, "Revision": True, "Took": True, "By": True}
_LONGEST_URL = 400


def api_address(url: str) -> str | None:
    """The address of a webhook in the version that we speak; None when it is none, or would go over the net in clear.

    Unversioned addresses answer as an old version does, with `retry_after` in milliseconds.
    """
    try:
        parts = urlsplit(url.strip())
        here = parts.hostname in ("127.0.0.1", "::1", "localhost")
        match = _WEBHOOK.fullmatch(parts.path)
    except ValueError:
        return None
    if not match or parts.username or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        return None
    return f"{parts.scheme}://{parts.netloc}/api/v10/webhooks/{match[1]}/{match[2]}"


def body_of(notice: Notice, mention: str = "", *, edit: bool = False) -> dict[str, Any]:
    """The JSON of a message. An edit calls nobody: Discord would not ring for it anyway."""
    calls = mention if notice.ping and not edit else ""
    body: dict[str, Any] = {
        "content": calls,
        "embeds": [_embed(notice)],
        "allowed_mentions": _allowed(calls),
    }
    if notice.silent and not edit:
        body["flags"] = _SILENT
    return body


def _allowed(mention: str) -> dict[str, Any]:
    """Exactly who was named may be called, and never somebody that the text of a commit names."""
    match = _MENTION.fullmatch(mention)
    if match:
        return {"parse": [], "roles" if match[1] == "&" else "users": [match[2]]}
    return {"parse": ["everyone"] if mention in ("@everyone", "@here") else []}


def _embed(notice: Notice) -> dict[str, Any]:
    title = _cut(_plain(notice.title), TITLE) or "reconciler"
    footer = _cut(notice.footer, 200)
    left = TOTAL - len(title) - len(footer)
    text = _cut(escaped(notice.text), min(DESCRIPTION, 1500))
    embed: dict[str, Any] = {
        "title": title,
        "description": text,
        "color": _COLORS.get(notice.kind, _GREEN),
        "footer": {"text": footer},
        "fields": list(_fields(notice, left - len(text))),
    }
    if notice.url and len(notice.url) <= 2 * _LONGEST_URL:
        embed["url"] = notice.url
    if 0 < notice.at < 32503680000:  # the year 3000
        embed["timestamp"] = datetime.fromtimestamp(notice.at, UTC).isoformat()
    return {key: value for key, value in embed.items() if value not in ("", [], {"text": ""})}


def _fields(notice: Notice, left: int) -> Iterator[dict[str, Any]]:
    """The links first in what room there is, and last in the message: they are what a person clicks."""
    links = _linked(notice.links)
    left -= len("Links") + len(links) if links else 0
    room = FIELDS - bool(links)
    for detail in notice.details[:room]:
        name = _cut(_plain(detail.name), NAME) or "-"
        value = _value(detail, min(VALUE, left - len(name)))
        if not value:
            break
        left -= len(name) + len(value)
        yield {"name": name, "value": value, "inline": detail.name in _NAMES}
    if links:
        yield {"name": "Links", "value": links, "inline": False}


def _value(detail: Detail, room: int) -> str:
    if room < 20 or not detail.value.strip():
        return ""
    if not detail.code:
        return _cut(escaped(detail.value), room)
    block = _end(detail.value.replace("```", "'''"), room - 8)
    return f"```\n{block}\n```"


def _linked(links: tuple[Link, ...]) -> str:
    """`[label](url) · ...`, whole links only."""
    text = ""
    for link in links:
        if len(link.url) > _LONGEST_URL or re.search(r"[\s()<>]", link.url):
            continue
        one = f"[{_cut(escaped(link.label), 80)}]({link.url})"
        more = f"{text} · {one}" if text else one
        text = more if len(more) <= VALUE else text
    return text


def escaped(text: str) -> str:
    """As plain text: what Discord would read as markup, or as somebody's name, stands there as it is."""
    return re.sub(r"([\\*_~`|\[\]<>#@])", r"\\\1", _plain(text))


def _plain(text: str) -> str:
    """Without what no message may hold: lone surrogates and control characters."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", "?", text).strip()


def _cut(text: str, most: int) -> str:
    """At most so many characters; an escape is not torn from what it escapes."""
    if len(text) <= most:
        return text
    return text[: most - 1].rstrip().rstrip("\\") + "…" if most > 0 else ""


def _end(text: str, most: int) -> str:
    """The end of a log says what went wrong."""
    text = _plain(text)
    return text if len(text) <= most else "…" + text[len(text) - most + 1 :]
