"""Migrations as they are declared, and the container that one runs in."""

from __future__ import annotations

import pytest

from reconciler.core.document import Map, parse
from reconciler.core.manifest.stack import load_stack_extension
from reconciler.core.migrations import chosen, oneoff, refuse_untrusted, with_migrations
from reconciler.core.scope import UnknownTarget
from reconciler.errors import BadConfiguration, Position, Refused
from reconciler.model.desired import Desired, Migration, Service, Stack

AT = Position("f.yaml", 1, 1)
RAW = Map(("f.yaml", 1, 1))
STACK = Stack("app", "stacks/app", "f.yaml", (Service("db", "app", AT), Service("web", "app", AT)))
SCHEMA = Migration("schema", "db", ("sh", "/run.sh"), timeout=300.0)
FILES = Migration("files", run=("scripts/migrate.sh",))


def test_both_kinds_are_read() -> None:
    text = b"""migrations:
    - {name: schema, service: db, command: [sh, /run.sh], timeout: 5m}
    - {name: files, run: [scripts/migrate.sh]}"""

    assert load_stack_extension(parse(text, "f.yaml"), "f.yaml").migrations == (SCHEMA, FILES)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"migrations: [{name: a, timeout: soon, run: [x]}]", "E-MANIFEST-VALUE"),
        (b"migrations: [{run: [x]}]", "E-MANIFEST-VALUE"),
        (b"migrations: [{name: a, comand: [x]}]", "E-MANIFEST-KEY"),
    ],
)
def test_what_is_no_migration_is_refused_with_its_place(text: bytes, code: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load_stack_extension(parse(text, "f.yaml"), "f.yaml")

    assert caught.value.code == code
    assert caught.value.at


@pytest.mark.parametrize(
    ("migrations", "words"),
    [
        ([Migration("a")], "not clear where"),
        ([Migration("a", "db")], "not clear where"),
        ([Migration("a", "db", ("x",), ("y",))], "not clear where"),
        ([Migration("a", command=("x",))], "not clear where"),
        ([Migration("a", "cache", ("x",))], "no service 'cache'"),
        ([SCHEMA, SCHEMA], "two of that name"),
        ([Migration("a", run=("x",), timeout=0.0)], "timeout is zero"),
    ],
)
def test_a_migration_that_cannot_be_run_is_refused(migrations: list[Migration], words: str) -> None:
    with pytest.raises(BadConfiguration, match=words):
        with_migrations(STACK, migrations, RAW)


def test_a_target_chooses_among_them() -> None:
    desired = Desired("a" * 40, "alpha", "me", "/opt", (with_migrations(STACK, [SCHEMA, FILES], RAW),))

    assert chosen(desired, "alpha")[0].migrations == (SCHEMA, FILES)
    assert chosen(desired, "alpha/app/db")[0].migrations == (SCHEMA,)
    assert chosen(desired, "alpha/app/web")[0].migrations == ()
    for target in ("beta", "alpha/none", "alpha/app/none"):
        with pytest.raises(UnknownTarget):
            chosen(desired, target)


def test_only_a_trusted_stack_runs_commands_on_the_host() -> None:
    refuse_untrusted(with_migrations(STACK, [SCHEMA], RAW), [])
    refuse_untrusted(with_migrations(STACK, [FILES], RAW), ["app"])
    with pytest.raises(Refused):
        refuse_untrusted(with_migrations(STACK, [FILES], RAW), ["other"])


def test_the_container_of_a_migration_has_nothing_of_a_service_that_stands() -> None:
    definition = {
        "Image": "db:1",
        "Cmd": ["db"],
        "Env": ["COLOR=red", "RECONCILER_MODE=wrong"],
        "Hostname": "dbhost",
        "MacAddress": "02:42:ac:11:00:02",
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/scratch": {}},
        "HostConfig": {
            "Binds": ["app_data:/data:rw", "mine:/kept:rw"],
            "PortBindings": {"80/tcp": [{"HostPort": "80"}]},
            "RestartPolicy": {"Name": "always"},
            "NetworkMode": "app_default",
            "CapAdd": ["NET_ADMIN"],
        },
        "NetworkingConfig": {"EndpointsConfig": {"app_default": {"Aliases": ["db"]}}},
    }

    body = oneoff(
        definition, "sha256:1", {"/scratch": "anon", "/kept": "old"}, ["x"], {"RECONCILER_MODE": "m"}, {"a": "b"}
    )

    assert body == {
        "Image": "sha256:1",
        "Cmd": ["x"],
        "Env": ["COLOR=red", "RECONCILER_MODE=m"],
        "Labels": {"a": "b"},
        "Healthcheck": {"Test": ["NONE"]},
        "Tty": False,
        "OpenStdin": False,
        "HostConfig": {
            "Binds": ["app_data:/data:rw", "mine:/kept:rw", "anon:/scratch:rw"],
            "NetworkMode": "app_default",
            "CapAdd": ["NET_ADMIN"],
        },
    }
