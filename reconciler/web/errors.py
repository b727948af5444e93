"""What goes wrong at this door, and how any error of ours looks on the wire: {code, what, why, next}."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import BadConfiguration, Busy, ReconcilerError, Refused, Transient
from reconciler.model.schema import SCHEMA

_BY_CODE = {
    "E-BINHOST-FULL": 507,
    "E-BINHOST-PATH": 422,
    "E-BINHOST-SUM": 422,
    "E-SWARM-NAME": 422,
    "E-SWARM-PROFILE": 422,
    "E-SWARM-USE": 422,
}
"""Where the type alone does not tell."""


class HttpError(ReconcilerError):
    """An error with its status of HTTP (RFC 9110, 15); `headers` go out with it."""

    def __init__(
        self, status: int, code: str, what: str, *, why: str, next: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, what, why=why, next=next)
        self.status = status
        self.headers = dict(headers or {})


def missing(kind: str, id: str, next: str) -> HttpError:
    """There is no such thing; `id` comes from outside, and is cut."""
    return HttpError(404, "E-HTTP-MISSING", f"there is no {kind} {_cut(id)!r}", why="it is not known here", next=next)


def too_large(largest: int) -> HttpError:
    return HttpError(
        413,
        "E-HTTP-SIZE",
        "the body is too large",
        why=f"at most {largest} bytes are read here",
        next="send less at once",
        headers={"Connection": "close"},
    )


def bad_input(what: str, why: str, status: int = 422) -> HttpError:
    return HttpError(status, "E-HTTP-INPUT", what, why=why, next="mend it; /docs says what is taken")


def status_of(error: ReconcilerError) -> int:
    """The status of an error that does not say itself."""
    if isinstance(error, HttpError):
        return error.status
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if isinstance(error, Transient):
        return 503
    if isinstance(error, (Refused, Busy)):
        return 409
    return 500 if isinstance(error, BadConfiguration) else 422


def on_the_wire(error: ReconcilerError) -> dict[str, object]:
    """The whole answer, as JSON will have it."""
    told = {"code": error.code, "what": error.what, "why": error.why, "next": error.next}
    return {"schema": SCHEMA, "ok": False, "data": None, "error": told}


def headers_of(error: ReconcilerError) -> dict[str, str]:
    if isinstance(error, HttpError):
        return error.headers
    return {"Retry-After": "5"} if isinstance(error, Transient) else {}


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"
