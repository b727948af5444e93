"""A stand-in for Discord's webhooks that rejects what the real one rejects, and fails as the real one does.

Rules: Discord's API documentation (Execute Webhook, Edit Webhook Message, Embed Limits, Rate Limits, JSON error codes).
Lengths are code points, as its maintainers say (discord-api-docs issue 1315).
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ID, TOKEN = "123456789012345678", "aB3-webhook_token_that_nobody_may_see"
TOTAL = 6000
LIMITS = {"title": 256, "description": 4096}
Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Json:
        told: Json = json.loads(self.raw)
        return told


@dataclass
class Discord:
    """`mode` says how it behaves from now on; `once` is used up first, one word for each request.

    ok, 204, 429, global, html429, 500, hang, drip, 401, 404, redirect, closed.
    """

    url: str = ""
    mode: str = "ok"
    once: list[str] = field(default_factory=list)
    retry_after: float = 0.2
    remaining: str = "4"
    asked: list[Asked] = field(default_factory=list)
    messages: dict[str, Json] = field(default_factory=dict)
    refused: list[Json] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """As a person copies it from Discord: without a version."""
        return f"{self.url}/api/webhooks/{ID}/{TOKEN}"

    @property
    def titles(self) -> list[str]:
        """Of the messages as they stand now, the oldest first."""
        return [message["embeds"][0]["title"] for message in self.messages.values()]

    @property
    def pings(self) -> list[str]:
        return [m["content"] for m in self.messages.values() if m.get("content")]

    def behaviour(self) -> str:
        return self.once.pop(0) if self.once else self.mode


def problems(body: Any) -> Json:
    """What the real one would answer under `errors`; empty when all is well."""
    if not isinstance(body, dict):
        return {"_errors": [{"code": "MODEL_TYPE_CONVERT", "message": "Only dictionaries may be used"}]}
    found: dict[str, str] = {}
    content, embeds = body.get("content") or "", body.get("embeds") or []
    if not content.strip() and not embeds:
        return {"_errors": [{"code": "50006", "message": "Cannot send an empty message"}]}
    if len(content) > 2000:
        found["content"] = "Must be 2000 or fewer in length."
    if len(embeds) > 10:
        found["embeds"] = "Must be 10 or fewer in length."
    total = 0
    for embed in embeds:
        total += sum(len(text) for text in _counted(embed))
        found |= dict(_embed(embed))
    if total > TOTAL:
        found["embeds"] = "Embed size exceeds maximum size of 6000"
    found |= dict(_mentions(body.get("allowed_mentions")))
    return {name: {"_errors": [{"code": "BASE_TYPE", "message": why}]} for name, why in found.items()}


def _counted(embed: Json) -> Iterator[str]:
    yield from (embed.get("title", ""), embed.get("description", ""))
    yield from (embed.get("footer", {}).get("text", ""), embed.get("author", {}).get("name", ""))
    for one in embed.get("fields", ()):
        yield from (one.get("name", ""), one.get("value", ""))


def _embed(embed: Json) -> Iterator[tuple[str, str]]:
    known = {"title", "description", "url", "timestamp", "color", "footer", "fields", "author", "image", "thumbnail"}
    for name in embed.keys() - known:
        yield name, "Unknown"
    for name, most in LIMITS.items():
        if name in embed and not 0 < len(embed[name].strip()) <= len(embed[name]) <= most:
            yield name, f"Must be between 1 and {most} in length."
    if not any(embed.get(name) for name in ("title", "description", "fields", "footer")):
        yield "embed", "Cannot be empty"
    color = embed.get("color", 0)
    if not isinstance(color, int) or not 0 <= color <= 0xFFFFFF:
        yield "color", "int value should be less than or equal to 16777215."
    if "url" in embed and not re.match(r"https?://[^\s]+$", embed["url"]):
        yield "url", "Not a well formed URL."
    if "timestamp" in embed and datetime.fromisoformat(embed["timestamp"]).utcoffset() is None:
        yield "timestamp", "Could not parse; no offset."
    if not 0 < len(embed.get("footer", {"text": "-"})["text"]) <= 2048:
        yield "footer", "Must be 2048 or fewer in length."
    yield from _fields(embed.get("fields", []))


def _fields(fields: list[Json]) -> Iterator[tuple[str, str]]:
    if len(fields) > 25:
        yield "fields", "Must be 25 or fewer in length."
    for one in fields:
        if not 0 < len(one["name"].strip()) <= len(one["name"]) <= 256:
            yield "name", "This field is required, and must be 256 or fewer in length."
        if not 0 < len(one["value"].strip()) <= len(one["value"]) <= 1024:
            yield "value", "This field is required, and must be 1024 or fewer in length."


def _mentions(allowed: Any) -> Iterator[tuple[str, str]]:
    """The real one takes a body without it, and then calls whoever the text names: here that is a mistake."""
    if not isinstance(allowed, dict) or not isinstance(allowed.get("parse"), list):
        yield "allowed_mentions", "missing"
        return
    for kind in ("roles", "users"):
        if kind in allowed and kind in allowed["parse"]:
            yield "allowed_mentions", f"{kind} in parse and by id exclude each other"
        if any(not re.fullmatch(r"\d+", id) for id in allowed.get(kind, ())):
            yield "allowed_mentions", "not a snowflake"


@contextmanager
def discord() -> Iterator[Discord]:
    """Running on loopback until the end of the block."""
    state = Discord()

    class Handler(_Handler):
        told = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    told: Discord

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def _answer(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(method, self.path, headers, self.rfile.read(length))
        self.told.asked.append(asked)
        with suppress(OSError):
            self._behave(asked, self.told.behaviour())

    def _behave(self, asked: Asked, how: str) -> None:
        after = self.told.retry_after
        match how:
            case "ok" | "204":
                self._take(asked, silent=how == "204")
            case "429" | "global":
                limited = {"message": "You are being rate limited.", "retry_after": after, "global": how == "global"}
                scope = {"X-RateLimit-Global": "true"} if how == "global" else {"X-RateLimit-Remaining": "0"}
                seconds = int(after) + 1 if math.isfinite(after) else 1
                self._reply(429, limited, {"Retry-After": str(seconds), **scope})
            case "html429":
                self._page(429, b"<html>banned</html>", {"Retry-After": "3600"})
            case "500":
                self._page(502, b"<html>bad gateway</html>", {})
            case "401":
                self._reply(401, {"message": "Invalid Webhook Token", "code": 50027}, {})
            case "404":
                self._reply(404, {"message": "Unknown Webhook", "code": 10015}, {})
            case "redirect":
                self._page(307, b"", {"Location": f"{self.told.url}/elsewhere"})
            case "closed":
                self.connection.close()
            case "hang":
                self.told.released.wait(60)
            case "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not self.told.released.wait(0.2):
                    self.wfile.write(b"X")
            case _:
                raise AssertionError(how)

    def _take(self, asked: Asked, *, silent: bool) -> None:
        parts = urlsplit(asked.path)
        match = re.fullmatch(rf"/api/v10/webhooks/{ID}/([\w-]+)(?:/messages/(\d+))?", parts.path)
        if not match or match[1] != TOKEN:
            return self._reply(404, {"message": "Unknown Webhook", "code": 10015}, {})
        if asked.method == "GET":
            return self._reply(200, {"type": 1, "id": ID, "name": "deploys", "token": TOKEN}, {})
        if not asked.headers.get("user-agent", "").startswith("DiscordBot ("):
            return self._page(403, b"error code: 1010", {})
        if found := problems(asked.body):
            self.told.refused.append(found)
            return self._reply(400, {"message": "Invalid Form Body", "code": 50035, "errors": found}, {})
        limits = {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": self.told.remaining}
        limits["X-RateLimit-Reset-After"] = str(self.told.retry_after)
        if asked.method == "PATCH":
            if match[2] not in self.told.messages:
                return self._reply(404, {"message": "Unknown Message", "code": 10008}, {})
            self.told.messages[match[2]] = asked.body
            return self._reply(200, {"id": match[2], **asked.body}, limits)
        id = str(1000 + len(self.told.asked))
        self.told.messages[id] = asked.body
        if silent or parse_qs(parts.query).get("wait") != ["true"]:
            return self._page(204, b"", limits)
        return self._reply(200, {"id": id, **asked.body}, limits)

    def _reply(self, status: int, body: Json, headers: dict[str, str]) -> None:
        self._page(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})

    def _page(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
