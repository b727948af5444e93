"""The bodies of HTTP: the envelope of every answer, and what is taken is checked here."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from reconciler.core import swarm_names as names
from reconciler.model.schema import SCHEMA

Data = TypeVar("Data")

_NAME, _KEY, _LINE = f"^{names.PATTERN}$", r"^[!-~]{1,200}$", r"^[^\x00-\x1f\x7f]{1,4096}$"
Name = Annotated[str, StringConstraints(pattern=_NAME)]
Key = Annotated[str, StringConstraints(pattern=_KEY)]
Line = Annotated[str, StringConstraints(pattern=_LINE)]
IN_WORDS = {
    _NAME: f"it is no name: {names.MAY_BE}",
    _KEY: "it is no key: letters, digits and signs of ASCII are good for it, without a blank, 200 at most",
    _LINE: "it is no line of text: 4096 characters at most, at least one, and none that controls",
}
"""What a pattern asks for."""


class Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class Error(Wire):
    code: str
    what: str
    why: str
    next: str


class Failure(Wire):
    """Every answer that is none of 2xx or 3xx."""

    schema_: Annotated[str, Field(alias="schema")] = SCHEMA
    ok: Literal[False] = False
    data: None = None
    error: Error


class Answer(Wire, Generic[Data]):
    """Every answer that is one."""

    schema_: Annotated[str, Field(alias="schema")] = SCHEMA
    ok: Literal[True] = True
    data: Data
    error: None = None


FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Failure, "description": "Not so, and why"},
    "5XX": {"model": Failure, "description": "Not now, and why"},
}
"""For the OpenAPI of every route."""


# ---- what is taken


class Submission(Wire):
    """What is wanted: `atoms`, one each, or `text`: a list of them, or what emerge printed. One of the two."""

    atoms: Annotated[list[Line], Field(max_length=10_000)] = []
    text: Annotated[str, Field(max_length=8 << 20, description="Atoms, one a line, or the output of emerge")] = ""
    set: Annotated[Name | None, Field(description="The name of the package set that the atoms are")] = None
    use: Annotated[
        dict[Line, list[Line]],
        Field(max_length=10_000, description="Atom -> flags, those that are off with a hyphen: lines of package.use"),
    ] = {}
    profile: Annotated[Name, Field(description="For which drones, and into which folder of the binhost")] = "default"
    key: Annotated[Key | None, Field(description="Idempotency key; the header Idempotency-Key does as well")] = None
    actor: Annotated[Line, Field(max_length=200, description="Who asks")] = "http"


class UploadedOut(Wire):
    """It lies in the staging of its lease."""

    path: str
    size: int
