"""A tag moves in a real registry: it is followed, told or left, and what is bad is put back and stays away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.host import Host, until
from tests.support.registry import registry

pytestmark = pytest.mark.engine

ALWAYS_DUE = '[images]\nevery = "1ms"\n'
STACK = """
    services:
      web: {image: '%s', stop_grace_period: 0s, command: [sleep, '600'], %s}
    """


@dataclass
class Registry:
    """One tag of a registry, and an engine that pulls it."""

    engine: Engine
    folder: Path
    tag: str

    def moves_to(self, image: str) -> str:
        """The tag names another image in the registry, and on this host what it did before; the image's id."""
        before = self.engine.cli("image", "inspect", "-f", "{{.Id}}", self.tag, check=False)
        self.engine.cli("tag", image, self.tag)
        self.engine.cli("push", self.tag)
        if before.startswith("sha256:"):
            self.engine.cli("tag", before, self.tag)
        return self.engine.cli("image", "inspect", "-f", "{{.Id}}", image)

    def build(self, name: str, lines: str) -> str:
        self.engine.cli("build", "-q", "-t", name, "-", stdin=f"FROM test/box:1\n{lines}\n")
        return name

    def forget(self) -> None:
        """Nothing of the registry's stays on the engine."""
        name = self.tag.rpartition(":")[0]
        rows = self.engine.cli("images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}", name)
        for row in rows.splitlines():
            _, tag, digest = row.split()
            for reference in (f"{name}:{tag}", f"{name}@{digest}"):
                self.engine.cli("rmi", reference, check=False)


@pytest.fixture
def tagged(engine: Engine, images: tuple[str, str], tmp_path: Path) -> Iterator[Registry]:
    (tmp_path / "hub").mkdir()
    with registry(tmp_path / "hub") as address:
        made = Registry(engine, tmp_path / "hub", f"{address}/app:1")
        made.moves_to(images[0])
        try:
            yield made
        finally:
            engine.clean()
            made.forget()


def converged(tmp_path: Path, tagged: Registry, more: str = "", settings: str = ALWAYS_DUE) -> Host:
    host = Host(tmp_path, tagged.engine, settings)
    host.push(app=STACK % (tagged.tag, more))
    host.converge()
    host.settled()
    return host


def image_of(host: Host) -> str:
    return str(host.inspect("app-web-1")["Image"])


def test_a_moved_tag_is_followed(tmp_path: Path, tagged: Registry, images: tuple[str, str]) -> None:
    host = converged(tmp_path, tagged)
    second = tagged.moves_to(images[1])
    assert "moved in its registry to" in host.plan()["app/web"]

    with host.moves("app-web-1"):
        host.converge()

    assert image_of(host) == second
    host.settled()


@pytest.mark.parametrize("drift", ["report", "ignore"])
def test_a_moved_tag_is_told_or_left(tmp_path: Path, tagged: Registry, images: tuple[str, str], drift: str) -> None:
    host = converged(tmp_path, tagged, f"x-reconciler: {{image_drift: {drift}}}")
    tagged.moves_to(images[1])
    with host.quiet():
        findings = host.converge().data["plan"]["findings"]
    assert any("moved in its registry" in finding for finding in findings) == (drift == "report")


def test_a_bad_image_behind_a_moved_tag_is_put_back_and_not_tried_again(
    tmp_path: Path, tagged: Registry, images: tuple[str, str]
) -> None:
    host = converged(tmp_path, tagged)
    first, served = image_of(host), host.inspect("app-web-1")["Id"]
    bad = tagged.moves_to(tagged.build("test/bad:1", 'ENTRYPOINT ["false"]'))

    failed = host.converge(code=4)

    assert failed.error["code"] == "E-VERIFY"
    assert (image_of(host), host.inspect("app-web-1")["Id"]) == (first, served)
    blocked = {path.name for path in (host.state / "sentinels" / "blocked").iterdir()}
    assert f"image-{bad.removeprefix('sha256:')}" in blocked and len(blocked) == 2  # and its registry's digest
    with host.quiet():
        held = host.converge()
    assert held.data["outcome"] == "unchanged" and "failed and is blocked" in held.data["plan"]["findings"][0]

    second = tagged.moves_to(images[1])
    host.converge()
    assert image_of(host) == second
    tagged.engine.cli("rmi", "test/bad:1")


def test_a_bad_image_stays_away_when_it_was_pruned(tmp_path: Path, tagged: Registry) -> None:
    host = converged(tmp_path, tagged)
    first = image_of(host)
    tagged.moves_to(tagged.build("test/bad:1", 'ENTRYPOINT ["false"]'))
    host.converge(code=4)
    tagged.engine.cli("rmi", "-f", "test/bad:1", tagged.tag)
    tagged.engine.cli("tag", first, tagged.tag)
    with host.quiet():
        host.converge()
    assert image_of(host) == first


def test_a_revision_that_comes_with_a_bad_image_of_another_service_is_not_to_blame(
    tmp_path: Path, tagged: Registry, images: tuple[str, str]
) -> None:
    host = converged(tmp_path, tagged)
    first = image_of(host)
    bad = tagged.moves_to(tagged.build("test/bad:1", 'ENTRYPOINT ["false"]'))
    pushed = host.push(more=STACK % (images[0], ""))

    failed = host.converge(code=4)

    assert f"works under {tagged.tag}" in failed.error["next"] and image_of(host) == first
    blocked = {path.name for path in (host.state / "sentinels" / "blocked").iterdir()}
    assert f"image-{bad.removeprefix('sha256:')}" in blocked and pushed not in blocked
    host.converge()
    assert (host.stamp, image_of(host)) == (pushed, first)
    assert host.inspect("more-web-1")["State"]["Running"]
    tagged.engine.cli("rmi", "test/bad:1")


def blocked_behind_its_tag(tmp_path: Path, tagged: Registry, more: str = "") -> tuple[Host, str]:
    """A host whose tag names an image that failed, which was put back; the image that serves."""
    host = converged(tmp_path, tagged, more)
    tagged.moves_to(tagged.build("test/bad:1", 'ENTRYPOINT ["false"]'))
    first = image_of(host)
    assert host.converge(code=4).error["code"] == "E-VERIFY"
    return host, first


@pytest.mark.parametrize("more", ["", "pull_policy: always"])
def test_a_container_removed_by_hand_comes_back_from_the_image_before_the_blocked_one(
    tmp_path: Path, tagged: Registry, more: str
) -> None:
    host, first = blocked_behind_its_tag(tmp_path, tagged, more)
    tagged.engine.cli("rm", "-f", "app-web-1")

    told = host.converge()

    assert image_of(host) == first
    if not more:
        assert "failed and is blocked" in told.data["plan"]["images"][0]["reason"]
    host.settled()
    tagged.engine.cli("rmi", "test/bad:1")


def test_where_nobody_knows_the_image_before_the_blocked_one_nothing_is_made(
    tmp_path: Path, engine: Engine, images: tuple[str, str]
) -> None:
    """The tag is no registry's: what it named before has no name left."""
    tagged = Registry(engine, tmp_path, "local/app:1")
    engine.cli("tag", images[0], tagged.tag)
    host = converged(tmp_path, tagged, "pull_policy: never")
    first = image_of(host)
    engine.cli("tag", tagged.build("test/bad:1", 'ENTRYPOINT ["false"]'), tagged.tag)
    host.converge(code=4)
    engine.cli("rm", "-f", "app-web-1")

    with host.quiet():
        refused = host.converge(code=1)

    assert refused.error["code"] == "E-IMAGE-BLOCKED"
    engine.cli("tag", first, tagged.tag)
    host.converge()
    assert image_of(host) == first
    engine.clean()
    engine.cli("rmi", "test/bad:1", tagged.tag)


def test_a_registry_that_is_down_is_no_trouble(engine: Engine, images: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    with registry(tmp_path / "hub") as address:
        tagged = Registry(engine, tmp_path / "hub", f"{address}/app:1")
        tagged.moves_to(images[0])
        host = converged(tmp_path, tagged)
    os.utime(host.state / "images.json", (0, 0))
    host.settled()
    (known,) = json.loads((host.state / "images.json").read_text().partition("\n")[2]).values()
    assert known["failures"] == 1 and known["digest"]
    host.settled()
    engine.clean()
    tagged.forget()


def test_what_moved_and_cannot_be_pulled_stops_one_pass_and_not_the_next(tmp_path: Path, tagged: Registry) -> None:
    host = converged(tmp_path, tagged, settings='[images]\nevery = "1h"\n')
    id = tagged.moves_to(tagged.build("test/lost:1", "LABEL lost=1")).removeprefix("sha256:")
    name = tagged.tag.rpartition(":")[0]
    tagged.engine.cli("rmi", "test/lost:1")
    for digest in tagged.engine.cli(
        "images", "-a", "--no-trunc", "--digests", "--format", "{{.ID}} {{.Digest}}", name
    ).splitlines():
        if id in digest:
            tagged.engine.cli("rmi", f"{name}@{digest.split()[1]}")
    (tagged.folder / "registry/docker/registry/v2/blobs/sha256" / id[:2] / id / "data").unlink()

    (host.state / "images.json").unlink()  # so that it is asked now

    with host.quiet():
        assert host.converge(code=1).error["code"] == "E-PULL"
    host.settled()


def test_a_quick_look_looks_properly_when_a_registry_is_to_be_asked(tmp_path: Path, tagged: Registry) -> None:
    host = converged(tmp_path, tagged, settings='[images]\nevery = "1h"\n')

    def quick() -> bool:
        return "quick look" in host.run("converge", "--yes").stdout

    until(quick, seconds=30)
    os.utime(host.state / "images.json", (0, 0))
    assert not quick()
    os.utime(host.state / "images.json", (4e9, 4e9))
    until(quick, seconds=30)
