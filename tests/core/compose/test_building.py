"""What `build:` becomes, and what of it is refused."""

from __future__ import annotations

import pytest

from reconciler.model.desired import Build
from reconciler.model.resources import BuildOptions
from tests.support.compose import load, problem

DOCKERFILES = {"stacks/app/Dockerfile": "FROM x", "lib/docker/Prod.df": "FROM x", "lib/Dockerfile": "FROM x"}


@pytest.mark.parametrize(
    ("body", "build"),
    [
        (".", Build("stacks/app")),
        ("../../lib", Build("lib")),
        ("/opt/fleet/lib", Build("lib")),
        ("{context: ../../lib, dockerfile: docker/Prod.df, target: prod}", Build("lib",
         "docker/Prod.df", target="prod")),
        ("{context: ../../lib/docker, dockerfile: ../Dockerfile}", Build("lib/docker", "../Dockerfile")),
        ("{context: ., dockerfile: /opt/fleet/stacks/app/Dockerfile}", Build("stacks/app")),
        ("{context: ../.., dockerfile: lib/Dockerfile}", Build("", "lib/Dockerfile")),
        ("{context: ., dockerfile_inline: FROM y}", Build("stacks/app", "", "FROM y")),
        ("{context: ., args: {B: 1, A: true, C: null, V: null}, labels: [x=y]}",
         Build("stacks/app", args=(("A", "true"), ("B", "1"), ("V", "v")), labels=(("x", "y"),))),
        ("{context: ., cache_from: [a, b], network: host, no_cache: true, pull: true, platforms: [linux/amd64]}",
         Build("stacks/app", options=BuildOptions(("a", "b"), (), "host", True, "linux/amd64", True))),
        ("{context: ., shm_size: 1g, extra_hosts: ['db:192.0.2.1'], platforms: []}",
         Build("stacks/app", options=BuildOptions(extra_hosts=(("db", "192.0.2.1"),), shm_size=1 << 30))),
        ("{args: [A=1, V]}", Build("stacks/app", args=(("A", "1"), ("V", "v")))),
    ],
)  # fmt: skip
def test_the_forms_of_a_build(body: str, build: Build) -> None:
    made = load(f"services: {{web: {{build: {body}}}}}", DOCKERFILES, variables={"V": "v"}).stack.service("web")
    assert made.build == build
    assert made.image == ""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("https://github.com/x/y.git", "E-COMPOSE-UNSUPPORTED"),
        ("git@github.com:x/y", "E-COMPOSE-UNSUPPORTED"),
        ("./nowhere", "E-COMPOSE-REFERENCE"),
        ("./Dockerfile", "E-COMPOSE-REFERENCE"),
        ("{context: ., dockerfile: Missing}", "E-COMPOSE-REFERENCE"),
        ("{context: ., cache_to: [a]}", "E-COMPOSE-UNSUPPORTED"),
        ("{context: ., contxt: a}", "E-COMPOSE-KEY"),
        ("{context: ., tags: [a]}", "E-COMPOSE-UNSUPPORTED"),
        ("{context: ., platforms: [linux/amd64, linux/arm64]}", "E-COMPOSE-UNSUPPORTED"),
        ("{context: ., network: 'service:db'}", "E-COMPOSE-UNSUPPORTED"),
        ("{context: ., network: ''}", "E-COMPOSE-VALUE"),
        ("{context: ., cache_from: a}", "E-COMPOSE-VALUE"),
        ("{context: ., no_cache: 3}", "E-COMPOSE-VALUE"),
        ("{context: ., pull: often}", "E-COMPOSE-VALUE"),
        ("{context: ., shm_size: lots}", "E-COMPOSE-VALUE"),
        ("{context: ., extra_hosts: [db]}", "E-COMPOSE-VALUE"),
        ("{context: ., dockerfile: a, dockerfile_inline: b}", "E-COMPOSE-VALUE"),
        ("{context: 5}", "E-COMPOSE-VALUE"),
        ("[a]", "E-COMPOSE-VALUE"),
    ],
)
def test_a_bad_build_is_refused(body: str, code: str) -> None:
    assert problem(f"services: {{web: {{build: {body if body[0] in '{[' else repr(body)}}}}}", DOCKERFILES).code == code
