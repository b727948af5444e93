"""Pulling from a real registry, and from ones that say no: an error in the stream is never an old image."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.adapters.docker.engine import DockerEngine
from reconciler.errors import Transient
from tests.support.engine import Engine
from tests.support.registry import overloaded_registry, registry


def pull(engine: Engine, reference: str, say: Callable[[str], None] = lambda _: None) -> None:
    with closing(DockerEngine(engine.url)) as docker:
        docker.pull(reference, "", say)


def test_an_image_that_is_not_here_is_pulled(engine: Engine, images: tuple[str, str], tmp_path: Path) -> None:
    with registry(tmp_path) as address:
        reference = f"{address}/app:1"
        engine.cli("tag", images[0], reference)
        engine.cli("push", reference)
        engine.cli("rmi", reference)
        said: list[str] = []

        pull(engine, reference, said.append)

        assert engine.cli("image", "inspect", "-f", "{{.Id}}", reference) == engine.cli(
            "image", "inspect", "-f", "{{.Id}}", images[0]
        )
        assert any(reference in line for line in said)
        engine.cli("rmi", reference)


def test_a_tag_that_the_registry_does_not_have_is_an_error(engine: Engine, tmp_path: Path) -> None:
    with registry(tmp_path) as address, pytest.raises(Transient) as caught:
        pull(engine, f"{address}/nothing:1")
    assert caught.value.code == "E-PULL"
    assert "not found" in caught.value.why or "unknown" in caught.value.why


def test_a_registry_that_limits_is_an_error_even_when_an_old_image_is_here(
    engine: Engine, images: tuple[str, str]
) -> None:
    with overloaded_registry() as address:
        reference = f"{address}/app:1"
        engine.cli("tag", images[0], reference)
        with pytest.raises(Transient) as caught:
            pull(engine, reference)
        engine.cli("rmi", reference)
    assert "toomanyrequests" in caught.value.why


def test_a_registry_that_is_not_there_is_an_error(engine: Engine) -> None:
    with pytest.raises(Transient) as caught:
        pull(engine, "127.0.0.1:1/app:1")
    assert caught.value.code == "E-PULL"


@pytest.mark.parametrize("form", ["{name}@{digest}", "{name}:1@{digest}"])
def test_a_digest_is_pulled_and_found_again(engine: Engine, images: tuple[str, str], tmp_path: Path, form: str) -> None:
    with registry(tmp_path) as address:
        name = f"{address}/app"
        engine.cli("tag", images[0], f"{name}:1")
        engine.cli("push", f"{name}:1")
        pushed = engine.cli("image", "inspect", "-f", "{{index .RepoDigests 0}}", f"{name}:1")
        engine.cli("rmi", f"{name}:1")
        reference = form.format(name=name, digest=pushed.partition("@")[2])
        with closing(DockerEngine(engine.url)) as docker:
            assert docker.observe("here", "nobody").image(reference) is None

            docker.pull(reference, "", lambda _: None)

            found = docker.observe("here", "nobody").image(reference)
        assert found is not None
        assert found.id == engine.cli("image", "inspect", "-f", "{{.Id}}", images[0])
        engine.cli("rmi", pushed)


@pytest.mark.parametrize("scheme", ["", "http+"])
def test_a_registry_says_what_it_has_under_a_tag(
    engine: Engine, images: tuple[str, str], tmp_path: Path, scheme: str
) -> None:
    with closing(DockerEngine(f"{scheme}{engine.url}")) as docker:
        with registry(tmp_path) as address:
            name = f"{address}/app"
            engine.cli("tag", images[0], f"{name}:1")
            engine.cli("push", f"{name}:1")
            pushed = engine.cli("image", "inspect", "-f", "{{json .RepoDigests}}", f"{name}:1")
            assert f"{name}@{docker.digest(f'{name}:1')}" in pushed
            with pytest.raises(Transient) as unknown:
                docker.digest(f"{name}:2")
        with pytest.raises(Transient) as away:
            docker.digest(f"{name}:1")
    assert unknown.value.code == away.value.code == "E-REGISTRY"
    engine.cli("rmi", f"{name}:1")
