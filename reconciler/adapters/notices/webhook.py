"""`Notifier` that posts JSON to an address of one's own; docs/notices.md has the shape."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from reconciler import __version__
from reconciler.core.notices import generic
from reconciler.model.notice import Delivery, Notice
from reconciler.ports import Notifier
from reconciler.request import NoAnswer, Response, send

_DAY = 86400.0


class WebhookNotifier(Notifier):
    """`url` may hold a secret; `sign`: the key that bodies are signed with, empty for none."""

    def __init__(self, url: str, sign: bytes = b"") -> None:
        self._url, self._sign = url.strip(), sign.strip()
        self._address = hashlib.sha256(self._url.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        return "webhook"

    @property
    def address(self) -> str:
        return self._address

    def post(self, notice: Notice, seconds: float) -> Delivery:
        return self._send(notice, generic.body_of(notice), seconds)

    def edit(self, message: str, notice: Notice, seconds: float) -> Delivery:
        return self._send(notice, generic.body_of(notice, again=True), seconds)

    def _send(self, notice: Notice, body: bytes, seconds: float) -> Delivery:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"reconciler/{__version__}",
            "X-Reconciler-Kind": notice.kind,
            "X-Reconciler-Key": notice.key,
        }
        if self._sign:
            headers["X-Reconciler-Signature-256"] = generic.signature(body, self._sign)
        if not self._url:
            return Delivery(
                "stopped", why="the secret with its address, or the one that it is signed with, is not there"
            )
        if urlsplit(self._url).scheme not in ("http", "https"):
            return Delivery("stopped", why="the address is neither http:// nor https://")
        try:
            return _fate(notice.key, send("POST", self._url, body, headers, seconds))
        except NoAnswer as error:
            return Delivery("later", why=str(error))


def _fate(key: str, response: Response) -> Delivery:
    """A 404 may be a workflow that is switched off for an hour, so it is tried again; 401 and 410 are meant."""
    why = f"it answered {response.status}"
    if 200 <= response.status < 300:
        return Delivery("delivered", message=key)
    if response.status in (401, 410) or 300 <= response.status < 400:
        return Delivery("stopped", why=why)
    if response.status in (403, 404, 408, 425, 429) or response.status >= 500:
        return Delivery("later", wait=_seconds(response.headers.get("retry-after", "")), why=why)
    return Delivery("refused", why=why)


def _seconds(asked: str) -> float:
    """A Retry-After in seconds, at most a day; 0 for a date or nothing (RFC 9110, 10.2.3)."""
    return min(_DAY, float(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0.0
