"""What is wrong with our own manifests is said in our own words, everywhere; and what is advised is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from reconciler.core.document import Map, parse
from reconciler.core.manifest.checked import checked
from reconciler.core.manifest.fleet import FleetModel
from reconciler.core.manifest.kinds import Kind, example, kind_of, wanted
from reconciler.core.manifest.stack import ServiceModel, StackModel
from reconciler.errors import BadConfiguration

MODELS: tuple[type[BaseModel], ...] = (FleetModel, StackModel, ServiceModel)
WRONG: tuple[Any, ...] = (
    3,
    -1,
    1.5,
    True,
    None,
    "",
    "?? ?",
    "x",
    [],
    [3],
    [[]],
    [None],
    {},
    {"zz": 1},
    {"a b": {}},
    {"a": [1]},
)
FOREIGN = re.compile(
    r"\b(input|valid|validation|string|integer|boolean|dictionary|dict|required|permitted|should|instance|parse|error|"
    r"greater|less than|constrained|tag|item after)\b|Model|\^|\\",
    re.IGNORECASE,
)
"""Words of the library, of Python, and of regular expressions."""

Path = tuple[str | int, ...]


def places(kind: Kind, path: Path = ()) -> Iterator[tuple[Path, Kind]]:
    """Every place of a document: keys of models, a name of each mapping, the first item of each list."""
    if path:
        yield path, kind
    for branch in kind.branches or (kind,):
        for key in branch.fields:
            yield from places(branch.below(key), (*path, key))
        if branch.origin is list:
            yield from places(branch.below(0), (*path, 0))
        if branch.origin is dict:
            yield from places(branch.below("a"), (*path, "a"))


PLACES = [(model, path, kind) for model in MODELS for path, kind in places(kind_of(model))]


def document(path: Path, value: Any) -> Map:
    for part in reversed(path):
        value = [value] if part == 0 else {part: value}
    found = parse(json.dumps(value).encode(), "f.yaml")
    assert isinstance(found, Map)
    return found


def complaints(model: type[BaseModel], path: Path, value: Any) -> list[BadConfiguration]:
    try:
        checked(model, document(path, value), "f.yaml")
    except BadConfiguration as error:
        return [each for each in error.each if isinstance(each, BadConfiguration)]
    return []


def name(path: Path) -> str:
    return ".".join(map(str, path))


@pytest.mark.parametrize(("model", "path", "kind"), PLACES, ids=[f"{m.__name__}:{name(p)}" for m, p, _ in PLACES])
def test_every_wrong_value_is_told_in_our_own_words(model: type[BaseModel], path: Path, kind: Kind) -> None:
    refused = 0
    for value in WRONG:
        found = complaints(model, path, value)
        refused += any(each.what.startswith(name(path)) for each in found)
        for each in found:
            words = f"{each.what} {each.why} {each.next}"
            quoted = re.sub(r"known here: .*|a mapping with .*|one of .*|unknown key '.*?'", "", words)
            quoted = quoted.replace("`reconciler schema` prints", "")
            for key in {*map(str, path), *(key for _, other, _ in PLACES for key in map(str, other))}:
                quoted = re.sub(rf"(?<![\w-]){re.escape(key)}(?=[.:]| is missing)", "", quoted)
            assert not FOREIGN.search(quoted), words
            assert each.at and each.at.file == "f.yaml" and each.at.line == 1, words
            assert each.next, words
    assert refused, f"nothing is wrong at {name(path)}"


@pytest.mark.parametrize(("model", "path", "kind"), PLACES, ids=[f"{m.__name__}:{name(p)}" for m, p, _ in PLACES])
def test_what_is_proposed_is_taken(model: type[BaseModel], path: Path, kind: Kind) -> None:
    written = parse(f"x: {example(kind)}\n".encode(), "f.yaml")["x"]

    assert [f"{each}" for each in complaints(model, path, written) if each.what.startswith(name(path))] == []
    assert wanted(kind)


def test_each_kind_of_complaint_of_the_library_was_met() -> None:
    met = set()
    for model, path, _ in PLACES:
        for value in WRONG:
            try:
                model.model_validate(document(path, value))
            except ValidationError as error:
                met |= {each["type"] for each in error.errors()}

    assert met >= {
        "extra_forbidden", "missing", "string_type", "int_type", "int_parsing", "int_from_float", "bool_parsing",
        "bool_type", "float_type", "list_type", "dict_type", "model_type", "literal_error", "string_pattern_mismatch",
        "string_too_short", "too_short", "greater_than", "greater_than_equal", "union_tag_invalid",
    }, met  # fmt: skip


@pytest.mark.parametrize(
    ("text", "what", "next"),
    [
        ("image_drift: 3", "image_drift: 3 is not one of recreate, report, ignore", "image_drift: recreate"),
        ("image_drift: ignor", "image_drift: 'ignor' is not one of recreate, report, ignore", "did you mean 'ignore'?"),
        ("hosts: 3", "hosts: 3 is not a list of hosts, or a mapping of labels that they have", "hosts: [caroline]"),
        ("hosts: []", "hosts: it is empty", "hosts: [caroline]"),
        ("hosts: [a, 3]", "hosts.1: 3 is not a name", "write, for example: web-1"),
        ("hosts: {a: []}", "hosts.a: an empty list is not text, a number, true or false", "a: text"),
        ("migrations: [{run: [x]}]", "migrations.0.name is missing", "add name: web-1"),
        ("migrations: [{nam: x}]", "unknown key 'nam'", "mend or remove it"),
        ("migrations: {}", "migrations: an empty mapping is not a list", "migrations: [{name: web-1}]"),
        ("migrations: [{name: a, run: [3]}]", "migrations.0.run.0: 3 is not text", 'put it in quotes: "3"'),
        ("migrations: [{name: a, service: 3}]", "migrations.0.service: 3 is not text", 'in quotes: service: "3"'),
        ("verify: [{containers: some}]", "verify.0.containers: 'some' is not `all`, or a list of", "containers: all"),
        ("verify: [{samples: 0}]", "verify.0.samples: 0 is not a whole number from 1 to 100", "samples: 1"),
        ("verify: [{timeout: 5}]", "verify.0.timeout: 5 is not a duration: a whole number of ms, s", "timeout: 90s"),
        ("verify: [3]", "verify.0: 3 is not a mapping with name, http, status", "write, for example: {name: text}"),
    ],
)  # fmt: skip
def test_a_complaint_says_what_stands_where_and_what_to_write(text: str, what: str, next: str) -> None:
    document = parse(text.encode(), "f.yaml")
    with pytest.raises(BadConfiguration) as caught:
        checked(StackModel, document, "f.yaml")

    assert caught.value.what.startswith(what)
    assert next in caught.value.next
