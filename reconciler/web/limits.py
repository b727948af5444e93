"""What a request may cost: bytes of its body, the time it takes to come, the time its answer takes to be read."""

from __future__ import annotations

import asyncio
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconciler.web.errors import HttpError, headers_of, on_the_wire, too_large

BODY = 8 << 20
"""Bytes of a body; the whole list of a large machine's world is less than one MiB."""
UPLOAD = 16 << 30
"""Bytes of a binary package."""
PAUSE = 30.0
"""Seconds within which the next piece of a body has to come, and a piece of an answer has to be taken."""
SLOWEST = 16 << 10
"""Bytes a second that a body has to come with, beyond the first `PAUSE` seconds."""


_ALWAYS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_NO_STORE = (b"cache-control", b"no-store")


class Limits:
    """ASGI middleware, outside of everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, receive, send)
        try:
            request.check_length()
            await self._app(scope, request.receive, request.send)
        except HttpError as error:
            await request.refuse(error)
        except _Gone:
            request.abort()


class _Gone(Exception):
    """Whoever asked does not go on."""


class _Request:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._loop = asyncio.get_running_loop()
        self._began, self._got, self._ended, self._answering = self._loop.time(), 0, False, False
        upload = scope["method"] == "PUT" and scope["path"].startswith("/binhost/")
        self._largest = UPLOAD if upload else BODY
        self._headers = (*_ALWAYS, _NO_STORE) if scope["path"].startswith("/api/") else _ALWAYS

    def check_length(self) -> None:
        """A body that says that it is too large is not read at all."""
        for name, value in self._scope["headers"]:
            if name == b"content-length" and int(value) > self._largest:  # h11 lets digits through only
                raise too_large(self._largest)

    async def receive(self) -> Message:
        if self._ended:
            return await self._receive()  # waits for the end of the connection
        try:
            async with asyncio.timeout(PAUSE):
                message = await self._receive()
        except TimeoutError:
            raise _too_slow() from None
        if message["type"] != "http.request":
            self._ended = True
            return message
        self._got += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._got > self._largest:
            raise too_large(self._largest)
        if not self._ended and self._loop.time() - self._began > PAUSE + self._got / SLOWEST:
            raise _too_slow()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._answering = True
            named = {name for name, _ in message.get("headers", ())}
            extra = [(name, value) for name, value in self._headers if name not in named]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        try:
            async with asyncio.timeout(PAUSE):
                await self._send(message)
        except TimeoutError:
            raise _Gone from None

    async def refuse(self, error: HttpError) -> None:
        if self._answering:
            self.abort()
            return
        body = json.dumps(on_the_wire(error)).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers_of(error)}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        try:
            await self.send({"type": "http.response.start", "status": error.status, "headers": raw})
            await self.send({"type": "http.response.body", "body": body})
        except _Gone:
            self.abort()

    def abort(self) -> None:
        if abort := self._scope.get("state", {}).get("abort"):
            abort()


def _too_slow() -> HttpError:
    return HttpError(
        408,
        "E-HTTP-SLOW",
        "the request did not come to its end",
        why=f"nothing came for {PAUSE:.0f} s, or less than {SLOWEST} bytes a second",
        next="try again over a better line",
        headers={"Connection": "close"},
    )
