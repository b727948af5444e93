"""The logs of builds: drones push what they write piece by piece, people follow it by its offset."""

from __future__ import annotations

import codecs
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from reconciler.model.queue import Attempt, BuildView
from reconciler.web.auth import CREDENTIAL, drone_of
from reconciler.web.errors import bad_input, missing, too_large
from reconciler.web.leases import DESCRIBED, lease_of, lost
from reconciler.web.orchestrator.answers import LogEndOut, LogOut
from reconciler.web.orchestrator.serving import Serving
from reconciler.web.wire import FAILURES, Answer

PIECE = 1 << 20
"""Bytes of one piece that a drone pushes."""
SHOWN = 256 << 10
"""Bytes of one answer."""
TAIL = 16 << 10
_LARGEST = 1 << 53
_BEGINS = "Where this piece begins in the log, in bytes"
_MEETS = 200
"""Characters by which two pieces of a log are known to meet."""
_GAP = "\n[what was written here did not come; the end of it did]\n"


def tail(serving: Serving, view: BuildView) -> str:
    """The last lines of the latest try: as they were pushed, as the outcome had them, or as the last beat did."""
    if not view.attempts:
        return ""
    latest = view.attempts[-1]
    if size := serving.logs.size(latest.build, latest.attempt):
        data, _ = serving.logs.read(latest.build, latest.attempt, max(0, size - TAIL), TAIL)
        text = data.decode(errors="replace")
        return (text + _rest(text, latest))[-TAIL:]
    if latest.ended is None:
        drones = [view.drone for view in serving.orchestrator.drones()]
        beat = next((drone.beat for drone in drones if drone.name == latest.drone), None)
        return beat.log if beat and (beat.build, beat.attempt) == (latest.build, latest.attempt) else ""
    return latest.log


def _rest(pushed: str, attempt: Attempt) -> str:
    """What a try wrote after the end of what was `pushed`, as far as its outcome tells."""
    end, before = attempt.log.rstrip(), pushed.replace("\r\n", "\n")
    if attempt.ended is None or not end or before.rstrip().endswith(end[-_MEETS:]):
        return ""
    at = attempt.log.find(before[-_MEETS:])
    return attempt.log[at + len(before[-_MEETS:]) :] if at >= 0 else _GAP + attempt.log


class Logs:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["orchestrator"], responses=FAILURES)
        router.get("/api/builds/{id}/log", response_model=Answer[LogOut])(self.read)
        body = {"content": {"application/octet-stream": {"schema": {"type": "string"}}}}
        taken = {"requestBody": body, "parameters": [DESCRIBED]}
        router.post(
            "/api/builds/{id}/log",
            response_model=Answer[LogEndOut],
            openapi_extra=taken,
            dependencies=[Depends(CREDENTIAL)],
        )(self.append)
        return router

    def read(
        self,
        id: Annotated[str, Path(max_length=200)],
        after: Annotated[int, Query(ge=0, le=_LARGEST, description="`next` of the answer before")] = 0,
        attempt: Annotated[int | None, Query(ge=1, le=_LARGEST, description="Which try; the last one")] = None,
    ) -> Any:
        """What a build has written from an offset on; at most 256 KiB at once."""
        try:
            view = self._serving.orchestrator.build(id)
        except KeyError:
            raise missing("build", id, "reconciler builds list") from None
        tried = [each for each in view.attempts if attempt in (None, each.attempt)]
        told = {"build": id, "state": view.build.state, "after": after}
        if not tried:
            if attempt is not None:
                raise missing("try", str(attempt), f"reconciler builds show {id}"[:200])
            return {"data": {**told, "attempt": 0, "next": after, "text": "", "ended": view.build.ended}}
        text, end, more = self._from(tried[-1], after)
        over = tried[-1].ended is not None and not more
        return {"data": {**told, "attempt": tried[-1].attempt, "next": end, "text": text, "ended": over}}

    async def append(
        self,
        request: Request,
        id: Annotated[str, Path(max_length=200)],
        offset: Annotated[int, Header(alias="X-Reconciler-Offset", ge=0, le=_LARGEST, description=_BEGINS)],
    ) -> Any:
        """For the drone that has the lease: the next piece, as it is. The answer says where the one after it begins."""
        drone = await run_in_threadpool(drone_of, request, self._serving.whose)
        build, attempt = lease_of(request)
        if build != id:
            raise bad_input("X-Reconciler-Lease is of another build", f"the address is of {id[:80]!r}")
        if not await run_in_threadpool(self._serving.orchestrator.holds, drone, build, attempt):
            raise lost(f"{build}:{attempt} is no live lease of {drone}")
        piece = bytearray()
        async for data in request.stream():
            piece += data
            if len(piece) > PIECE:
                raise too_large(PIECE)
        end = await run_in_threadpool(self._serving.logs.append, build, attempt, offset, bytes(piece))
        return {"data": {"end": end}}

    def _from(self, attempt: Attempt, after: int) -> tuple[str, int, bool]:
        """The text, where it ends, and whether more is there already."""
        logs = self._serving.logs
        size = logs.size(attempt.build, attempt.attempt)
        if not size:  # nothing was pushed: the last lines came with the outcome
            whole = attempt.log.encode()
            end = min(after + SHOWN, len(whole))
            return whole[after:end].decode(errors="replace"), max(after, end), len(whole) > end
        rest = b""
        if attempt.ended is not None:  # before that nothing but what is pushed is known
            pushed, _ = logs.read(attempt.build, attempt.attempt, max(0, size - TAIL), TAIL)
            rest = _rest(pushed.decode(errors="ignore"), attempt).encode()
        if after >= size:
            end = min(after + SHOWN, size + len(rest))
            return rest[after - size : end - size].decode(errors="replace"), max(after, end), False
        data, reached = logs.read(attempt.build, attempt.attempt, after, SHOWN)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(data, final=attempt.ended is not None and reached >= size)
        return text, reached - len(decoder.getstate()[0]), reached < size or bool(rest)
