"""Nouns as plain values that JSON can carry, and back: dataclasses, tuples, mappings, numbers, texts, None."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any], Any]


def to_json(value: object) -> str:
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def from_json(kind: type[T], text: str) -> T:
    """A missing field has its default, an unknown one is let go. Raises ValueError for what is no JSON of that kind."""
    hint: Any = kind
    try:
        made: T = _reader(hint)(json.loads(text))
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"no {kind.__name__}: {error!r}") from error
    return made


def plain(value: object) -> Any:
    kind: Any = type(value)
    if kind in _SIMPLE:
        return value
    if names := _names(kind):
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    return value


_SIMPLE = frozenset((str, int, float, bool, NoneType))


@cache
def _names(kind: type) -> tuple[str, ...]:
    """Of the fields; nothing for what is no noun."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


@cache
def _reader(hint: Any) -> Reader:
    """What makes a value of that type out of a plain one."""
    origin, args = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _dataclass_reader(hint)
    if origin is tuple:
        return _tuple_reader(args)
    if origin is Mapping:
        each = _reader(args[1])
        return lambda value: {_text(key): each(one) for key, one in value.items()}
    if origin in (Union, UnionType):
        (some,) = [_reader(arg) for arg in args if arg is not NoneType]
        return lambda value: None if value is None else some(value)
    if origin is Literal:
        return lambda value: _one_of(args, value)
    if hint is float:
        return lambda value: float(_number(value))
    return (lambda value: value) if hint in (object, Any) else lambda value: _a(hint, value)


def _dataclass_reader(kind: type) -> Reader:
    hints = get_type_hints(kind)
    readers = {field.name: hints[field.name] for field in fields(kind)}
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]

    def read(value: Any) -> Any:
        if missing := [name for name in needed if name not in value]:
            raise KeyError(", ".join(missing))
        return kind(**{name: _reader(hint)(value[name]) for name, hint in readers.items() if name in value})

    return read


def _tuple_reader(args: tuple[Any, ...]) -> Reader:
    if len(args) == 2 and args[1] is ...:
        each = _reader(args[0])
        return lambda value: tuple(each(one) for one in _a(list, value))
    readers = [_reader(arg) for arg in args]
    return lambda value: tuple(read(one) for read, one in zip(readers, _a(list, value), strict=True))


def _one_of(choices: tuple[Any, ...], value: Any) -> Any:
    if value not in choices:
        raise ValueError(f"{value!r} is none of {choices}")
    return value


def _a(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _text(value: Any) -> str:
    return str(_a(str, value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return value
