"""Properties: whatever is fed in, only BadConfiguration comes out; and what must not depend on form does not."""

from __future__ import annotations

import contextlib
import random
import re
from dataclasses import replace
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.compose import keys
from reconciler.core.compose.envfile import BadEnvFile, parse_env
from reconciler.core.compose.interpolate import BadTemplate, substitute
from reconciler.core.compose.load import HostContext, LoadedStack, load_stack
from reconciler.core.compose.values import parse_duration, parse_size
from reconciler.core.document import parse
from reconciler.core.trees import MemoryTree, Symlink
from reconciler.errors import BadConfiguration, Position
from reconciler.model.desired import Service

SEED = """
name: app
x-base: &base {restart: always, logging: {driver: json-file, options: {max-size: 10m}}}
include: [more.yaml]
services:
  web:
    <<: *base
    image: "web:${TAG:-1}"
    build: {context: ., args: {A: 1}}
    command: sh -c "echo $$HOME"
    ports: ["80:80/tcp", {target: 81, published: 8081}]
    volumes: [./d:/d:ro, "v:/v", ~/x:/x]
    environment: {A: 1.10, B: null}
    env_file: [a.env, {path: b.env, required: false}]
    depends_on: {db: {condition: service_healthy}}
    networks: {n: {aliases: [x]}}
    healthcheck: {test: [CMD, a], interval: 1m30s}
    deploy: {replicas: 1, resources: {limits: {cpus: "0.5", memory: 1g}}}
  db: {image: db, extends: {file: base.yaml, service: b}, ports: !reset [], configs: [c]}
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}
volumes: {v: {external: true}}
configs: {c: {content: $X}}
"""
FILES: dict[str, Any] = {
    "s/Dockerfile": "FROM x", "s/a.env": "A=$X\nB='x'\n", "s/.env": "X=1\n", "s/base.yaml": "services: {b: {image: b}}",
    "s/more.yaml": "services: {m: {image: m}}", "s/d/link": Symlink("../a.env"),
}  # fmt: skip
SLOW = settings(deadline=None, max_examples=150, database=None, suppress_health_check=[HealthCheck.too_slow])


def load(text: bytes) -> LoadedStack | None:
    tree = MemoryTree({**FILES, "s/compose.yaml": text})
    host = HostContext("/opt/x", host_files={".env": b"PW=hush\n"}, profiles=frozenset(["*"]))
    failed: BadConfiguration | None = None
    try:
        return load_stack(tree, "s/compose.yaml", host, "app")
    except BadConfiguration as error:
        failed = error
    assert failed.code.startswith("E-")
    assert failed.at is not None
    return None


def test_the_seed_itself_loads() -> None:
    assert load(SEED.encode()) is not None


@SLOW
@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_raise_anything_else(data: bytes) -> None:
    load(data)


@SLOW
@given(st.text(alphabet="abc:-[]{}&*!|>'\"#%@`?,~< \n\t0123.$", max_size=200))
def test_arbitrary_yaml_like_text_never_raises_anything_else(text: str) -> None:
    load(text.encode())


TOKENS = ["[]", "{}", "null", "-1", "1.5", "true", '""', "*base", "!reset x", "!override [1]", "${X", "$PW", "..", "\t",
          "/", ":", "service:web", "&a", "<<: 1", "x" * 300, "٣", "1e400", "0x", "\n", "- ", "../../../..",
           "[[[["]  # fmt: skip


@SLOW
@given(
    st.lists(st.tuples(st.integers(0, len(SEED)), st.integers(0, 12), st.sampled_from(TOKENS)), min_size=1, max_size=5)
)
def test_a_damaged_file_never_raises_anything_else(edits: list[tuple[int, int, str]]) -> None:
    text = SEED
    for at, removed, token in edits:
        text = text[:at] + token + text[at + removed :]
    load(text.encode())


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TOKENS),
    lambda inner: st.lists(inner,
     max_size=3) | st.dictionaries(st.sampled_from(sorted(keys.SERVICE | keys.PORT | keys.MOUNT
        | keys.BUILD | keys.HEALTHCHECK | keys.DEPLOY | keys.RESOURCES | keys.LIMITS)), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@SLOW
@given(
    st.dictionaries(st.sampled_from(sorted(keys.SERVICE)), VALUES, max_size=6),
    st.sampled_from(sorted(keys.TOP)),
    VALUES,
)
def test_any_value_under_any_key_never_raises_anything_else(service: dict[str, Any], top: str, value: Any) -> None:
    document = {top: value, "services": {"web": {"image": "a", **service}, "o": {"image": "b", "extends": "web"}}}
    load(yaml.safe_dump(document, sort_keys=False).encode())


@SLOW
@given(st.text(max_size=50))
def test_doubled_dollars_give_the_text_back(text: str) -> None:
    assert substitute(text.replace("$", "$$"), lambda _: None, lambda _: None) == text


@SLOW
@given(st.text(alphabet="${}:-?+aX_1 ", max_size=30))
def test_a_template_never_raises_anything_else(text: str) -> None:
    with contextlib.suppress(BadTemplate):
        made = substitute(text, {"X": "x", "a": ""}.get, lambda _: None)
        assert "${X}" not in made or "$$" in text


@SLOW
@given(st.text(max_size=40).filter(lambda v: not set(v) & set("\\\0\r")))
def test_a_single_quoted_value_of_an_env_file_comes_back(value: str) -> None:
    quoted = value.replace("'", "\\'")
    assert parse_env(f"A='{quoted}'\nB=1\n".encode("utf-8", "surrogatepass"), lambda _: None) == {"A": value, "B": "1"}


@SLOW
@given(st.binary(max_size=100) | st.text(alphabet="A=:'\"\\$# \n{}x", max_size=60).map(str.encode))
def test_an_env_file_never_raises_anything_else(data: bytes) -> None:
    with contextlib.suppress(BadEnvFile):
        assert all(isinstance(value, str) for value in parse_env(data, lambda _: None).values())


@SLOW
@given(st.integers(0, 10**9), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_adds_up(hours: int, minutes: int, milliseconds: int) -> None:
    made = parse_duration(f"{hours}h{minutes}m{milliseconds}ms")
    assert made is not None
    assert abs(made - (hours * 3600 + minutes * 60 + milliseconds / 1000)) < 1e-3


@SLOW
@given(st.integers(0, 10**9), st.sampled_from(["k", "M", "gb", "TiB"]))
def test_a_size_is_the_number_times_its_unit(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * 1024 ** ("kmgt".index(unit[0].lower()) + 1)


def shuffled(node: Any, chance: random.Random) -> Any:
    if isinstance(node, dict):
        rows = list(node.items())
        chance.shuffle(rows)
        return {key: shuffled(value, chance) for key, value in rows}
    return [shuffled(item, chance) for item in node] if isinstance(node, list) else node


@SLOW
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(chance: random.Random) -> None:
    document = yaml.safe_load(SEED.replace("!reset []", "[]"))
    first, second = (
        load(yaml.safe_dump(document).encode()),
        load(yaml.safe_dump(shuffled(document, chance), sort_keys=False).encode()),
    )
    assert first is not None
    assert second is not None

    def plain(service: Service) -> Service:
        return replace(service, position=Position(""), depends_on=tuple(sorted(service.depends_on, key=str)))

    def settled(loaded: LoadedStack) -> Any:
        stack = loaded.stack
        return {s.name: plain(s) for s in stack.services}, set(stack.networks), set(stack.volumes), set(stack.files)

    assert settled(first) == settled(second)


# The dumper speaks YAML 1.1 and leaves `0E0` bare, which is a number in 1.2, as Compose reads it.
NUMBER_IN_ONE_YAML_ONLY = re.compile(r"[-+.]?[0-9][-+.0-9a-fA-FoOxX_:]*")
PRINTABLE = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=10).filter(
    lambda text: not NUMBER_IN_ONE_YAML_ONLY.fullmatch(text)
)


@SLOW
@given(
    st.recursive(
        st.integers(-(2**60), 2**60) | st.booleans() | st.none() | PRINTABLE,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_yaml_writes_is_what_is_read(value: Any) -> None:
    assert parse(yaml.safe_dump({"k": value}, allow_unicode=True).encode(), "f.yaml") == {"k": value}
