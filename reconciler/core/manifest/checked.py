"""pydantic stands at this door: one document against its model, and every complaint knows its line."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reconciler.core.globs import PATTERN
from reconciler.core.positioned import Map, Seq
from reconciler.errors import BadConfiguration, Position

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Glob = Annotated[str, Field(pattern=PATTERN, description="As in a .gitignore, without `!`, `#` and backslashes")]
Label = str | int | float | bool
Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # a pass pays for the models that it uses


def pairs(labels: Mapping[str, Label]) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted((key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in labels.items())
    )


def checked(model: type[Model], raw: Map, file: str) -> Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # A misspelt key is a missing one as well; its own spelling tells more.
        first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
        raise _complaint(first, raw, file, model) from None


def _complaint(error: Any, raw: Map, file: str, model: type[BaseModel]) -> BadConfiguration:
    path = [
        part for part in error["loc"] if not (isinstance(part, str) and part.startswith(("list[", "dict[", "[key]")))
    ]
    at, name = _place(raw, path, file), ".".join(map(str, path))
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, path[:-1])
        return BadConfiguration(
            "E-MANIFEST-KEY",
            f"unknown key {path[-1]!r}",
            why=f"known here: {', '.join(known)}{near(str(path[-1]), known)}",
            next="mend or remove it; `reconciler schema` prints what there is",
            at=at,
        )
    if error["type"] == "missing":
        return BadConfiguration(
            "E-MANIFEST-VALUE", f"{name} is missing", why="it has no default", next=f"add {path[-1]}:", at=at
        )
    return BadConfiguration(
        "E-MANIFEST-VALUE",
        f"{name or 'the document'}: {error['msg'][:1].lower()}{error['msg'][1:]}",
        why=f"got {_short(error.get('input'))}",
        next="`reconciler schema` prints what is allowed",
        at=at,
    )


def _place(raw: Map, path: list[Any], file: str) -> Position:
    """The key itself where the document has it, else the nearest thing around it."""
    here: Any = raw
    at = raw.position if raw else Position(file)
    for part in path:
        if isinstance(here, Map) and part in here:
            at, here = here.key_at(part), here[part]
        elif isinstance(here, Seq) and isinstance(part, int) and part < len(here):
            at, here = here.at(part), here[part]
        else:
            break
    return at


def _known_keys(model: type[BaseModel], path: list[Any]) -> list[str]:
    """The fields of the model that lies at `path`: names of a mapping (a host, a drone) are passed over."""
    fields = model.model_fields
    for part in path:
        if part in fields:
            found = _inner(fields[part].annotation)
            fields = found.model_fields if found else {}
    return [field.alias or name for name, field in fields.items()]


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if found := _inner(argument):
            return found
    return None


def near(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, (Map, Seq)) else "a mapping" if isinstance(value, Map) else "a list"
    return text if len(text) <= 60 else f"{text[:57]}..."
