"""pydantic stands at this door: one document against its model; what is wrong is told in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from reconciler.core.compose.values import DURATION
from reconciler.core.globs import PATTERN
from reconciler.core.manifest.kinds import Says
from reconciler.core.mistakes import together
from reconciler.core.positioned import Map

Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
    Says("a name (letters, digits, . _ and -, a letter or digit first)", "web-1"),
]
Glob = Annotated[
    str,
    Field(pattern=PATTERN, description="As in a .gitignore, without `!`, `#` and backslashes"),
    Says("a pattern as in a .gitignore, without !, # and backslashes", "docs/**"),
]
Duration = Annotated[
    str,
    Field(pattern=DURATION, description="Such as 500ms, 90s or 5m"),
    Says("a duration: a whole number of ms, s, m or h", "90s"),
]
Text = Annotated[str, Field(min_length=1), Says("text that is not empty", "text")]
Label = Annotated[str | int | float | bool, Says("text, a number, true or false", "text")]
Model = TypeVar("Model", bound=BaseModel)

LIST, MAPPING, TEXT = Tag("list"), Tag("mapping"), Tag("text")
"""What stands beside the branches of a union with `BY_KIND`."""


def _by_kind(value: Any) -> str:
    """Who writes a list means a list: only that branch of a union complains."""
    if isinstance(value, Mapping):
        return "mapping"
    return "list" if isinstance(value, (list, tuple)) else "text"


BY_KIND = Discriminator(_by_kind)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # a pass pays for the models that it uses


def pairs(labels: Mapping[str, str | int | float | bool]) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted((key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in labels.items())
    )


def checked(model: type[Model], raw: Map, file: str) -> Model:
    """The document as a model. BadConfiguration with everything that does not fit."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        from reconciler.core.manifest.complaints import complaints

        raise together(complaints(model, error.errors(include_url=False), raw, file)) from None
