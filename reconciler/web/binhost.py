"""GET and HEAD of binary packages as Portage asks for them, and PUT by drones.

A package: PUT /binhost/PROFILE/PATH with `Authorization: Bearer CREDENTIAL`, `X-Reconciler-Lease: BUILD:ATTEMPT`,
`X-Reconciler-Sha256: HEX` and its size as Content-Length (or, for a body in chunks, as `X-Reconciler-Size`). PATH is as
the drone's `Packages` has it. 201: it lies in the staging of the lease, whole and durable; clients see it once the
outcome of the build was accepted. The same again replaces it.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from reconciler.web.auth import CREDENTIAL, drone_of
from reconciler.web.conditional import Piece, etag_of, is_unchanged, last_modified, piece_of
from reconciler.web.errors import HttpError, bad_input, missing
from reconciler.web.leases import DESCRIBED, lease_of, lost
from reconciler.web.limits import UPLOAD
from reconciler.web.orchestrator.serving import Serving
from reconciler.web.wire import FAILURES, Answer, UploadedOut

_CHUNK = 1 << 18
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_TYPES = {"": "text/plain; charset=utf-8", ".gz": "application/gzip"}
_SIZE = {
    "name": "X-Reconciler-Size",
    "in": "header",
    "description": "Bytes of a body in chunks, instead of Content-Length",
    "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
}

Profile = Annotated[str, Path(max_length=100, description="A folder of the binhost")]
Name = Annotated[str, Path(max_length=1000, alias="path", description="As `Packages` has it")]
Sum = Annotated[
    str | None, Header(alias="X-Reconciler-Sha256", max_length=64, description="Of the whole file, 64 digits")
]


class BinhostRoutes:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["binhost"], responses=FAILURES)
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        got: dict[int | str, dict[str, Any]] = {
            200: {"content": content, "description": "The file"},
            206: {"content": content, "description": "A part of it"},
            304: {"description": "It is as it was"},
        }
        taken = {"requestBody": {"required": True, "content": content}, "parameters": [DESCRIBED, _SIZE]}
        path = "/binhost/{profile}/{path:path}"
        router.get(path, response_class=Response, responses=got)(self.get)
        router.head(path, response_class=Response, responses=got, operation_id="head")(self.get)
        who = [Depends(CREDENTIAL)]
        router.put(path, response_model=Answer[UploadedOut], status_code=201, openapi_extra=taken, dependencies=who)(
            self.put
        )
        return router

    # ---- what clients read

    def get(self, request: Request, profile: Profile, path: Name) -> Response:
        """A file of the binhost: `Packages.gz`, `Packages`, or a package that they list."""
        found = self._serving.files.served(profile, path)
        if found is None:
            raise missing("file", f"{profile}/{path}", "look into Packages, which lists what there is")
        try:
            file = found.open("rb")
        except FileNotFoundError:
            raise missing("file", f"{profile}/{path}", "it went away a moment ago; read Packages anew") from None
        return _sent(request, file, found.suffix if found.name.startswith("Packages") else None)

    # ---- what drones bring

    async def put(
        self,
        request: Request,
        profile: Profile,
        path: Name,
        sha256: Sum = None,
    ) -> Any:
        """A binary package of a live lease, into its staging."""
        drone = await run_in_threadpool(drone_of, request, self._serving.whose)
        build, attempt = lease_of(request)
        size = _size(request)
        if not sha256 or not _SHA256.fullmatch(sha256):
            raise bad_input("X-Reconciler-Sha256 is none", "it is the checksum of the whole file, 64 digits")
        await run_in_threadpool(self._insist, drone, build, attempt, profile)
        try:
            await self._receive(request, _Coming(build, attempt, path, size, sha256.lower()))
        finally:  # the staging of a lease that was lost meanwhile is gone, and that is the reason to be told
            await run_in_threadpool(self._insist, drone, build, attempt, profile)
        return {"data": {"path": path, "size": size}}

    def _insist(self, drone: str, build: str, attempt: int, profile: str) -> None:
        if not self._serving.orchestrator.holds(drone, build, attempt):
            raise lost(f"{build}:{attempt} is no live lease of {drone}")
        if self._serving.orchestrator.build(build).build.profile not in ("", profile):
            raise lost(f"it is for another profile than {profile[:100]!r}")

    async def _receive(self, request: Request, coming: _Coming) -> None:
        """However it ends, nothing is left of what did not come to its end."""
        upload = await run_in_threadpool(
            self._serving.files.receive, coming.build, coming.attempt, coming.path, coming.size, coming.sha256
        )
        try:
            got = 0
            async for data in request.stream():
                got += len(data)
                if got > coming.size:
                    raise bad_input("the body is longer than was said", f"{coming.size} bytes were said", 400)
                if data:
                    await run_in_threadpool(upload.write, data)
            await run_in_threadpool(upload.keep)
        finally:
            upload.drop()


@dataclass(frozen=True, slots=True)
class _Coming:
    build: str
    attempt: int
    path: str
    size: int
    sha256: str


def _size(request: Request) -> int:
    told = request.headers.get("x-reconciler-size") or request.headers.get("content-length") or ""
    if not re.fullmatch(r"[0-9]{1,15}", told, re.ASCII):
        why = "there is neither Content-Length nor X-Reconciler-Size"
        raise HttpError(411, "E-HTTP-LENGTH", "the size is missing", why=why, next="say it")
    if not 0 < (size := int(told)) <= UPLOAD:
        raise bad_input("no package has this size", f"{size} bytes; at most {UPLOAD} are taken")
    return size


def _sent(request: Request, file: BinaryIO, index: str | None) -> Response:
    """`index`: the suffix of Packages and Packages.gz, which change; a package never does under its name."""
    status = os.fstat(file.fileno())
    etag = etag_of(status.st_size, status.st_mtime_ns)
    headers = {
        "ETag": etag,
        "Last-Modified": last_modified(status.st_mtime_ns),
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-cache" if index is not None else "public, max-age=86400",
    }
    if is_unchanged(request.headers, etag, status.st_mtime_ns):
        file.close()
        return Response(status_code=304, headers=headers)
    piece = piece_of(request.headers, status.st_size, etag, status.st_mtime_ns)
    if piece is None:
        file.close()
        raise HttpError(
            416,
            "E-HTTP-RANGE",
            "the range is beyond the end",
            why=f"the file has {status.st_size} bytes",
            next="ask without a range",
            headers={"Content-Range": f"bytes */{status.st_size}"},
        )
    headers["Content-Length"] = str(piece.length)
    if piece.partial:
        headers["Content-Range"] = f"bytes {piece.start}-{piece.start + piece.length - 1}/{status.st_size}"
    kind = _TYPES.get(index, "application/octet-stream") if index is not None else "application/octet-stream"
    if request.method == "HEAD":
        file.close()
        return Response(status_code=200, headers=headers, media_type=kind)
    return _File(file, piece, 206 if piece.partial else 200, headers, kind)


class _File(StreamingResponse):
    """A piece of an open file, which is closed however that ends."""

    def __init__(self, file: BinaryIO, piece: Piece, status: int, headers: Mapping[str, str], kind: str) -> None:
        super().__init__(_read(file, piece), status_code=status, headers=headers, media_type=kind)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


async def _read(file: BinaryIO, piece: Piece) -> AsyncIterator[bytes]:
    """What was opened stays what it is, whatever is renamed over its name meanwhile."""
    left = piece.length
    await run_in_threadpool(file.seek, piece.start)
    while left and (data := await run_in_threadpool(file.read, min(left, _CHUNK))):
        left -= len(data)
        yield data
