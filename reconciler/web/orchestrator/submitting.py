"""The body of a submission, in the forms that people have at hand: JSON, or the text itself."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import ValidationError

from reconciler.web.errors import HttpError, bad_input
from reconciler.web.wire import IN_WORDS, Name, Submission

_SHOWN = 5
TAKES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Submission.model_json_schema()},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}
"""For the OpenAPI: the body is read by hand, after it is known who asks."""


async def submitted(
    request: Request,
    profile: Annotated[Name | None, Query(description="Of a body that is text/plain; JSON has its own")] = None,
    set: Annotated[Name | None, Query(description="Of a body that is text/plain: the set that it is")] = None,
) -> Submission:
    """The dependency of the route. `text/plain` is the text alone; ?profile= and ?set= go with it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _checked(await request.body())
    if kind == "text/plain":
        told = {"profile": profile, "set": set}
        return _alone(await request.body(), {name: value for name, value in told.items() if value is not None})
    raise HttpError(
        415,
        "E-HTTP-TYPE",
        "the body is of another type",
        why=f"Content-Type is {kind[:80] or 'missing'!r}",
        next="send application/json, or text/plain with the list itself",
    )


def _checked(body: bytes) -> Submission:
    """Read by pydantic's own reader: it is strict about UTF-8, and bounds depth and digits."""
    try:
        wanted = Submission.model_validate_json(body)
    except ValidationError as error:
        raise bad_input("the body is not as it has to be", complaints(error.errors(include_url=False))) from None
    if bool(wanted.atoms) == bool(wanted.text):
        raise bad_input("the body is not as it has to be", "it has either `atoms` or `text`")
    return wanted


def _alone(body: bytes, beside: dict[str, str]) -> Submission:
    try:
        return Submission.model_validate({"text": body.decode(), **beside})
    except UnicodeDecodeError as error:
        raise bad_input("the text is not UTF-8", f"byte {error.start} cannot be read") from None
    except ValidationError as error:
        raise bad_input("the request is not as it has to be", complaints(error.errors(include_url=False))) from None


def complaints(errors: Any) -> str:
    """What pydantic says, bounded and without what was sent; what it has as a pattern is said in words."""
    told = [f"{'.'.join(str(part)[:40] for part in each['loc'][:6]) or 'body'}: {_complaint(each)}" for each in errors]
    return "; ".join(told[:_SHOWN]) + (f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else "")


def _complaint(error: Any) -> str:
    pattern = error.get("ctx", {}).get("pattern", "")
    return IN_WORDS.get(pattern, str(error["msg"])[:200])
