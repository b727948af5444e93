"""`Notifier` for a webhook of Discord."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from reconciler import __version__
from reconciler.core.notices import discord
from reconciler.model.notice import Delivery, Notice
from reconciler.ports import Notifier
from reconciler.request import NoAnswer, Response, send

_HEADERS = {
    "Content-Type": "application/json",
    # The form that Discord asks of those who call its API; without one its front turns them away.
    "User-Agent": f"DiscordBot (https://reconciler.invalid, {__version__})",
}
_UNKNOWN_MESSAGE = 10008
"""JSON error code: the message was deleted; the webhook is there."""
_DAY = 86400.0


class DiscordNotifier(Notifier):
    """`url`: the webhook's address, itself a secret; `mention`: who is called by what is urgent."""

    def __init__(self, url: str, mention: str = "") -> None:
        self._url, self._mention = discord.api_address(url), mention
        self._address = hashlib.sha256(url.strip().encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        return "discord"

    @property
    def address(self) -> str:
        return self._address

    def post(self, notice: Notice, seconds: float) -> Delivery:
        """With `wait=true`, so that Discord says which message it is; a 204 without one counts as well."""
        return self._send("POST", "?wait=true", discord.body_of(notice, self._mention), seconds)

    def edit(self, message: str, notice: Notice, seconds: float) -> Delivery:
        body = discord.body_of(notice, self._mention, edit=True)
        return self._send("PATCH", f"/messages/{message}", body, seconds)

    def look(self, seconds: float) -> Delivery:
        """Whether the webhook is there; nobody is told anything."""
        return self._send("GET", "", None, seconds)

    def _send(self, method: str, more: str, body: Mapping[str, Any] | None, seconds: float) -> Delivery:
        if self._url is None:
            return Delivery("stopped", why="the secret holds no address of a Discord webhook")
        try:
            told = json.dumps(body).encode() if body is not None else None
            return _fate(method, send(method, f"{self._url}{more}", told, _HEADERS, seconds))
        except NoAnswer as error:
            return Delivery("later", why=str(error))


def _fate(method: str, response: Response) -> Delivery:
    told = _json(response.body)
    message, status = str(told.get("message", ""))[:120], response.status
    why = f"Discord answered {status}{f': {message}' if message else ''}"
    if 200 <= status < 300:
        spent = response.headers.get("x-ratelimit-remaining") == "0"
        wait = _seconds(response.headers.get("x-ratelimit-reset-after")) if spent else 0.0
        return Delivery("delivered", message=str(told.get("id", "")) if method != "GET" else "", wait=wait)
    if status == 429:
        return Delivery("later", wait=_seconds(told.get("retry_after", response.headers.get("retry-after"))), why=why)
    if status == 404 and told.get("code") == _UNKNOWN_MESSAGE:
        return Delivery("missing", why=why)
    if status in (401, 404) or 300 <= status < 400:
        return Delivery("stopped", why=why)
    if status == 403 or status >= 500:
        return Delivery("later", why=why)
    return Delivery("refused", why=why)


def _json(body: bytes) -> Mapping[str, Any]:
    """Nothing for a page of some proxy."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(raw: Any) -> float:
    """A wait that somebody else names: at most a day; 0 when it is none."""
    try:
        seconds = float(raw)
    except (TypeError, ValueError):
        return 0.0
    return min(_DAY, max(0.05, seconds)) if math.isfinite(seconds) else 0.0
