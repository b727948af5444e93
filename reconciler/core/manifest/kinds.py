"""What the type of a field wants, in our own words: for messages that never quote a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

_PLAIN = {bool: "true or false", int: "a whole number", float: "a number", type(None): "null"}
_EXAMPLES: dict[Any, str] = {bool: "true", int: "1", float: "1.5", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Says:
    """Stands beside a type, in `Annotated`, where that says too little: what is wanted, and what one could write."""

    wanted: str
    example: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A type without `Annotated` and without "or None", and what stood beside it."""

    bare: Any
    says: Says | None = None
    tag: str = ""
    bounds: tuple[tuple[str, Any], ...] = ()

    @property
    def origin(self) -> Any:
        """`list`, `dict`, `Literal`, a union; None for a plain type."""
        return get_origin(self.bare)

    @property
    def branches(self) -> tuple[Kind, ...]:
        """Those of a union; () for every other type."""
        return tuple(map(kind_of, get_args(self.bare))) if self.origin in (Union, UnionType) else ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes, of all branches; () when it takes others as well."""
        if self.branches:
            return tuple(choice for branch in self.branches for choice in branch.choices)
        return tuple(filter(None, get_args(self.bare))) if self.origin is Literal else ()

    @property
    def fields(self) -> dict[str, FieldInfo]:
        """Those of a model by their keys in the file; {} for every other type."""
        if not (isinstance(self.bare, type) and issubclass(self.bare, BaseModel)):
            return {}
        return {field.alias or name: field for name, field in self.bare.model_fields.items()}

    def below(self, part: str | int) -> Kind:
        """That of the value at a key or an index; of a key that a model does not have, the model itself."""
        if self.origin in (list, dict):
            return kind_of(get_args(self.bare)[-1])
        field = self.fields.get(str(part))
        return kind_of(Annotated[field.annotation, *field.metadata, None]) if field else self

    @property
    def key(self) -> Kind:
        """That of the keys of a mapping."""
        return kind_of(get_args(self.bare)[0])


def kind_of(annotation: Any) -> Kind:
    """Of any annotation; the outermost `Says` counts."""
    beside: list[Any] = []
    bare = annotation
    while get_origin(bare) is Annotated or _only(bare):
        if get_origin(bare) is Annotated:
            bare, *more = get_args(bare)
            beside += [each for one in more for each in (one.metadata if isinstance(one, FieldInfo) else (one,))]
        else:
            bare = _only(bare)
    return Kind(
        bare,
        next((each for each in reversed(beside) if isinstance(each, Says)), None),
        next((str(each.tag) for each in beside if isinstance(each, Tag)), ""),
        tuple(_bounds(beside)),
    )


def _only(annotation: Any) -> Any:
    """X of `X | None`; None for everything else."""
    some = [each for each in get_args(annotation) if each is not type(None)]
    return some[0] if get_origin(annotation) in (Union, UnionType) and len(some) == 1 else None


def _bounds(beside: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for name in ("ge", "gt", "le", "min_length"):
        yield from ((name, getattr(each, name)) for each in beside if getattr(each, name, None) is not None)


def wanted(kind: Kind) -> str:
    """To stand after "is not"."""
    bounds = dict(kind.bounds)
    if kind.says:
        return kind.says.wanted
    if kind.branches:
        return ", or ".join(map(wanted, kind.branches))
    if kind.choices:
        return f"one of {', '.join(kind.choices)}" if len(kind.choices) > 1 else repr(kind.choices[0])
    if kind.fields:
        return f"a mapping with {', '.join(kind.fields)}"
    if kind.origin in (list, dict):
        return "a list" if kind.origin is list else "a mapping"
    limits = f" from {bounds['ge']} to {bounds['le']}" if "ge" in bounds else ""
    limits += f" above {bounds['gt']}" if "gt" in bounds else ""
    return f"{_PLAIN.get(kind.bare, 'text')}{limits}"


def example(kind: Kind) -> str:
    """What one could write there."""
    if kind.says:
        return kind.says.example
    if kind.branches or kind.choices:
        return kind.choices[0] if kind.choices else example(kind.branches[0])
    if kind.fields:
        needed = [key for key, field in kind.fields.items() if field.is_required()] or list(kind.fields)[:1]
        return f"{{{', '.join(f'{key}: {example(kind.below(key))}' for key in needed)}}}"
    if kind.origin is list:
        return f"[{example(kind.below(0))}]"
    if kind.origin is dict:
        return f"{{{example(kind.key)}: {example(kind.below(''))}}}"
    return str(dict(kind.bounds).get("ge", _EXAMPLES.get(kind.bare, "text")))
