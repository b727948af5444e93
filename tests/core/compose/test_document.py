"""YAML text to positioned values, and every way in which it is refused."""

from __future__ import annotations

import math
import tracemalloc

import pytest

from reconciler.core.document import Limits, Map, Seq, Tagged, parse
from reconciler.core.scalars import spell
from reconciler.errors import BadConfiguration, Position


def refused(text: bytes, limits: Limits | None = None) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        parse(text, "f.yaml", limits or Limits())
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("Off", "Off"), ("y", "y"),
        ("true", True), ("True", True), ("FALSE", False), ("tRue", "tRue"),
        ("22:22", "22:22"), ("1:30:00", "1:30:00"), ("2001-12-14", "2001-12-14"),
        ("0644", 420), ("0o644", 420), ("0x1F", 31), ("0b101", 5), ("-017", -15), ("089", 89.0),
        ("1_000", 1000), ("+5", 5), ("-5", -5), ("18446744073709551615", 2**64 - 1), ("99999999999999999999", 1e20),
        ("1.10", 1.1), (".5", 0.5), ("1e3", 1000.0), ("1.2.3", "1.2.3"), ("1e999", "1e999"),
        (".inf", math.inf), ("-.INF", -math.inf), ("~", None), ("null", None), ("Null", None), ("nULL", "nULL"),
        ('"true"', "true"), ("'0644'", "0644"), ("!!str 12", "12"), ("!!int '12'", 12), ("!!float 3", 3.0),
        ("! 12", "12"),
    ],
)  # fmt: skip
def test_a_plain_scalar_means_what_it_means_to_compose(text: str, value: object) -> None:
    found = parse(f"k: {text}".encode(), "f.yaml")["k"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (None, ""), (1.1, "1.1"), (1000.0, "1000"), (1e20, "100000000000000000000"), (1e21, "1e+21"),
        (1e-5, "1e-05"), (0.0001, "0.0001"), (1.5e300, "1.5e+300"), (math.inf, "+Inf"), (-math.inf, "-Inf"),
        (math.nan, "NaN"), (0.0, "0"), (-0.0, "-0"), (420, "420"),
    ],
)  # fmt: skip
def test_a_scalar_is_spelled_as_go_spells_it(value: str | float | bool | None, text: str) -> None:
    assert spell(value) == text


def test_values_keys_and_items_know_where_they_stand() -> None:
    document = parse(b"a:\n  b: [x, y]\n  'c': 1\n", "f.yaml")
    inner = document["a"]
    assert inner.position == Position("f.yaml", 2, 3)
    assert document.key_at("a") == Position("f.yaml", 1, 1)
    assert inner.key_at("c") == Position("f.yaml", 3, 3)
    assert inner.at("c") == Position("f.yaml", 3, 8)
    assert inner["b"].at(1) == Position("f.yaml", 2, 10)
    assert inner.at("absent") == inner.position


def test_copies_keep_positions() -> None:
    document = parse(b"a: [1, 2]\nb: 3\n", "f.yaml")
    twin = document.copy()
    twin.drop("b")
    assert document["b"] == 3
    assert twin.at("a") == document.at("a")
    assert document["a"].copy().at(1) == Position("f.yaml", 1, 8)


def test_a_merge_key_fills_in_and_explicit_keys_win() -> None:
    document = parse(b"base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nall: {y: 9, <<: [*b, *m]}\n", "f.yaml")
    assert document["all"] == {"y": 9, "x": 1, "z": 4}
    assert document["all"].at("x") == Position("f.yaml", 1, 14)


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert parse(b'a: {"<<": 1}', "f.yaml") == {"a": {"<<": 1}}


def test_compose_tags_are_kept_for_merging() -> None:
    document = parse(b"ports: !reset []\ncommand: !override [a]\nuser: !reset null", "f.yaml")
    assert isinstance(document["ports"], Tagged)
    assert (document["ports"].tag, document["ports"].value) == ("reset", Seq())
    assert (document["command"].tag, document["command"].value) == ("override", ["a"])
    assert document["user"].value is None


def test_a_byte_order_mark_is_accepted() -> None:
    assert parse(b"\xef\xbb\xbfa: 1", "f.yaml") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "says"),
    [
        (b"a: [b\nc: d\n", "E-YAML-SYNTAX", 2, 2, "not YAML"),
        (b"a:\n\tb: 1\n", "E-YAML-SYNTAX", 2, 1, "cannot start any token"),
        (b"", "E-YAML-SYNTAX", 1, 1, "empty"),
        (b"# only a comment\n", "E-YAML-SYNTAX", 1, 1, "empty"),
        (b"---\na: 1\n---\nb: 2\n", "E-YAML-SYNTAX", 3, 1, "more than one document"),
        (b"a: b\x00c", "E-YAML-SYNTAX", 1, 5, "control character"),
        (b"a: 1\nb: 2\na: 3\n", "E-YAML-DUPLICATE", 3, 1, "twice"),
        (b"a: {<<: {b: 1}, <<: {c: 1}}", "E-YAML-DUPLICATE", 1, 17, "twice"),
        (b"a: 1\nb: \xe9\n", "E-YAML-ENCODING", 2, 4, "UTF-8"),
        (b"\xff\xfea\x00", "E-YAML-ENCODING", 1, 1, "UTF-8"),
        (b"a: !!python/object/apply:os.system [id]", "E-YAML-TAG", 1, 4, "python/object"),
        (b"a: !!binary aGk=", "E-YAML-TAG", 1, 4, "binary"),
        (b"a: !custom {x: 1}", "E-YAML-TAG", 1, 4, "!custom"),
        (b"%TAG ! tag:yaml.org,2002:\n---\na: !python/name:os.system x", "E-YAML-TAG", 3, 4, "python/name"),
        (b"a: !!int x", "E-YAML-TAG", 1, 4, "!!int"),
        (b"a: &a [*a]", "E-YAML-ALIASES", 1, 8, "*a"),
        (b"a: *nowhere", "E-YAML-ALIASES", 1, 4, "*nowhere"),
        (b"8080: x", "E-YAML-SYNTAX", 1, 1, "key must be text"),
        (b"[a]: x", "E-YAML-SYNTAX", 1, 1, "key must be text"),
        (b"<<: 1", "E-YAML-SYNTAX", 1, 5, "mappings only"),
    ],
)  # fmt: skip
def test_bad_yaml_is_refused_with_its_line_and_column(
    text: bytes, code: str, line: int, column: int, says: str
) -> None:
    error = refused(text)
    assert error.code == code
    assert error.at == Position("f.yaml", line, column)
    assert says in error.what


def test_a_tab_is_named_as_the_reason() -> None:
    assert "never with tabs" in refused(b"a:\n\tb: 1\n").why


def bomb(levels: int) -> bytes:
    rows = [b"a0: &a0 [x]"]
    rows += [b"a%d: &a%d [%s]" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, levels)]
    return b"\n".join(rows)


def test_an_alias_bomb_is_refused_before_it_is_walked() -> None:
    tracemalloc.start()
    error = refused(bomb(40))  # walking its 9^40 values would never end
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.code == "E-YAML-ALIASES"
    assert peak < 16 * 1024 * 1024


def test_a_merge_bomb_is_counted_too() -> None:
    rows = [b"m0: &m0 {%s}" % b", ".join(b"k%d: v" % i for i in range(500))]
    rows += [b"m%d: {<<: *m0}" % i for i in range(1, 300)]
    assert refused(b"\n".join(rows)).code == "E-YAML-ALIASES"


def test_aliases_do_not_get_around_the_limit_of_depth() -> None:
    deep = b"a0: &a0 " + b"[" * 40 + b"]" * 40 + b"\na1: &a1 " + b"[" * 40 + b"*a0" + b"]" * 40
    assert refused(deep).code == "E-YAML-DEPTH"


@pytest.mark.parametrize("opening", [b"[", b"{", b"- ", b"? ", b"{a: ", b"[a, "])
def test_deep_nesting_is_refused_within_bounds(opening: bytes) -> None:
    assert refused(opening * (900_000 // len(opening))).code == "E-YAML-DEPTH"


def test_a_huge_file_is_refused_by_size() -> None:
    error = refused(b"a: " + b"x" * (1024 * 1024))
    assert error.code == "E-YAML-SIZE"
    assert "1048576" in error.what


def test_too_many_values_are_refused_by_number() -> None:
    assert refused(b"- x\n" * 100_000).code == "E-YAML-SIZE"
    assert len(parse(b"- x\n" * 99_999, "f.yaml")) == 99_999


def test_the_limits_can_be_set() -> None:
    assert refused(b"[[[1]]]", Limits(depth=2)).code == "E-YAML-DEPTH"
    assert parse(b"[[1]]", "f.yaml", Limits(depth=2)) == [[1]]


def test_an_ordinary_document_is_a_map() -> None:
    assert isinstance(parse(b"a: {b: []}", "f.yaml"), Map)
