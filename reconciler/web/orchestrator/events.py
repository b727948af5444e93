"""GET /api/events: what happens, as it happens, by server-sent events (HTML Living Standard, 9.2).

Nothing is kept for a client but a number: the last event that it got. What comes is read once for all of them; whoever
is behind what was read last reads from the engine at their own pace, and whoever does not read at all is cut off when a
piece waits too long (`limits`).
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from reconciler.errors import Transient
from reconciler.model.swarm import Event
from reconciler.web.errors import HttpError, bad_input
from reconciler.web.wire import FAILURES

CLIENTS = 64
EVERY = 0.5
"""Seconds between two looks at the engine while somebody listens."""
PING = 15.0
KEPT = 500
_PAGE = 100
_LARGEST = 1 << 53

Read = Callable[[int, int], Sequence[Event]]
"""Events after a number, at most so many."""


class Events:
    """Made before the loop runs, and used within it alone."""

    def __init__(self, read: Read, clients: int = CLIENTS) -> None:
        self._read, self._most = read, clients
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._newest = 0
        self._looking = asyncio.Lock()
        self._clients = 0
        self._closed = False
        self._came = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["orchestrator"], responses=FAILURES)
        stream: dict[int | str, dict[str, Any]] = {
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "No end"}
        }
        router.get("/api/events", response_class=StreamingResponse, responses={**stream, **FAILURES})(self.stream)
        return router

    async def stream(
        self,
        last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=40)] = None,
        after: Annotated[int | None, Query(ge=0, le=_LARGEST, description="The id of an event that was got")] = None,
    ) -> StreamingResponse:
        """From now on, or after the event of Last-Event-ID (`after` does as well, for who cannot send it)."""
        if last is not None:
            if not (last.isascii() and last.isdigit()) or int(last) > _LARGEST:
                raise bad_input("Last-Event-ID is no event", "it is the id of an event that was got before")
            after = int(last)
        if self._clients >= self._most:
            raise HttpError(
                503,
                "E-HTTP-STREAMS",
                "too many listen already",
                why=f"there are {self._most} streams at most",
                next="close one that nobody reads",
                headers={"Retry-After": "30"},
            )
        self._clients += 1  # here, and not when its first piece is sent: the limit is one
        try:
            await self._look()  # where "from now on" begins is known before the answer does: nothing falls in between
        except BaseException:
            self._left()
            raise
        known = after is not None and after <= self._newest  # greater: of an engine that was begun anew since
        return _Stream(self._pieces(after if after is not None and known else self._newest), self._left)

    def close(self) -> None:
        """Every stream ends at its next piece."""
        self._closed = True
        self._wake()

    # ---- one client

    async def _pieces(self, at: int) -> AsyncIterator[str]:
        yield "retry: 3000\n\n"
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        while not self._closed:
            came = self._came
            if found := await self._after(at):
                at = found[-1].seq
                yield "".join(map(_written, found))
            elif came is self._came and not await self._more():
                yield ": ping\n\n"

    async def _after(self, at: int) -> Sequence[Event]:
        if at >= self._newest:
            return ()
        if self._kept and at >= self._kept[0].seq - 1:
            return [event for event in self._kept if event.seq > at]
        try:
            return await asyncio.to_thread(self._read, at, _PAGE)
        except Transient:  # the engine is away: what is missed is read when it is back
            await asyncio.sleep(EVERY)
            return ()

    def _left(self) -> None:
        self._clients -= 1
        if not self._clients and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    # ---- one look for all

    async def _watch(self) -> None:
        while True:
            with suppress(Transient):
                await self._look()
            await asyncio.sleep(EVERY)

    async def _look(self) -> None:
        """Until nothing is new."""
        async with self._looking:
            before = self._newest
            while found := await asyncio.to_thread(self._read, self._newest, KEPT):
                self._kept.extend(found)
                self._newest = found[-1].seq
            if self._newest != before:
                self._wake()

    async def _more(self) -> bool:
        """Wait until something comes, or it is time for a ping: False."""
        try:
            async with asyncio.timeout(PING):
                await self._came.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        came, self._came = self._came, asyncio.Event()
        came.set()


class _Stream(StreamingResponse):
    """Says when its client is gone, however it went."""

    def __init__(self, pieces: AsyncIterator[str], left: Callable[[], None]) -> None:
        super().__init__(pieces, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._left()


def _written(event: Event) -> str:
    data = json.dumps({"at": event.at, **event.data}, separators=(",", ":"))
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {data}\n\n"
