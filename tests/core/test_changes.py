"""What lies between two revisions: who sees it, and whether anything is deployed for it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.core.changes import Side, describe
from reconciler.core.trees import Content
from reconciler.model.changes import Changes
from reconciler.model.repository import Change
from tests.support.planning import FLEET, Wish, assembled

RULES = f"{FLEET}ignore: ['*.md', docs/**, 'stacks/**/*.conf', api/*.txt]\nquiet: [flows/**]\n"
STACK = """
services:
  web:
    image: box
    volumes: ['./web.conf:/etc/web.conf:ro', '../../flows:/flows:ro']
    env_file: [web.env]
    deploy: {replicas: 2}
  api: {build: ../../api}
  db: {image: box}
"""
FILES = {
    "stacks/app/web.conf": "a",
    "stacks/app/web.env": "A=1\n",
    "flows/one.json": "{}",
    "api/Dockerfile": "FROM scratch\n",
    "api/notes.txt": "n",
}


def side(stack: str = STACK, files: Mapping[str, Content] | None = None, fleet: str = RULES) -> Side:
    wanted = Wish(assembled({"app": stack}, {**FILES, **(files or {})}, fleet=fleet))
    return Side(wanted.desired, wanted.wants)


def never() -> Side | None:
    raise AssertionError("the older manifests are not needed")


def modified(*paths: str) -> list[Change]:
    return [Change(path, "modified", 2, 1) for path in paths]


@pytest.mark.parametrize(
    ("path", "services", "any_deploy"),
    [
        ("README.md", [], False),
        ("docs/a/b", [], False),
        ("stacks/app/README.md", [], False),
        ("stacks/app/other.conf", [], False),
        ("main.py", [], True),
        ("stacks/app/web.conf", ["web"], True),  # matches ignore, and is mounted
        ("api/notes.txt", ["api"], True),  # matches ignore, and is built from
        ("flows/two.json", ["web"], True),
    ],
)
def test_only_what_is_ignored_and_seen_by_nothing_deploys_nothing(
    path: str, services: list[str], any_deploy: bool
) -> None:
    found = describe(modified(path), side(), never)
    assert found.services == tuple(f"alpha/app/{name}" for name in services)
    assert (found.any_deploy, found.manifests) == (any_deploy, False)
    assert (found.files, found.insertions, found.deletions, found.ignored) == (1, 2, 1, int(not any_deploy))


def test_one_path_that_deploys_is_enough() -> None:
    found = describe(modified("README.md", "docs/x", "flows/one.json"), side(), never)
    assert (found.any_deploy, found.ignored, found.quiet, found.silent) == (True, 2, 1, True)
    loud = describe(modified("README.md", "flows/one.json", "main.py"), side(), never)
    assert loud.any_deploy and not loud.silent


def test_a_change_of_manifests_names_the_services_that_are_defined_in_another_way() -> None:
    more = STACK.replace("db: {image: box}", "db: {image: box, user: '5'}\n  new: {image: box}")
    found = describe(modified("stacks/app/compose.yaml"), side(more), side)
    assert found.services == ("alpha/app/db", "alpha/app/new") and found.manifests
    same = describe(modified("stacks/app/compose.yaml"), side(f"# a comment\n{STACK}"), side)
    assert (same.services, same.any_deploy, same.manifests) == ((), True, True)


def test_an_env_file_belongs_to_the_manifests() -> None:
    found = describe(modified("stacks/app/web.env"), side(files={"stacks/app/web.env": "A=2\n"}), side)
    assert found.services == ("alpha/app/web",) and found.manifests


def test_what_the_older_revision_mounted_deploys_when_it_goes_away() -> None:
    less = STACK.replace("'./web.conf:/etc/web.conf:ro', ", "")
    gone = [Change("stacks/app/web.conf", "deleted", 0, 1)]
    assert describe(gone, side(less), side).any_deploy
    assert not describe([Change("stacks/app/x.conf", "deleted", 0, 1)], side(less), side).any_deploy
    renamed = [Change("stacks/app/new.conf", "renamed", old_path="stacks/app/web.conf")]
    assert describe(renamed, side(less), side).any_deploy
    assert describe(gone, side(less), lambda: None).any_deploy  # nobody can say; so it does


def test_a_stack_that_goes_away_is_a_change_of_manifests() -> None:
    gone = [Change("stacks/old/compose.yaml", "deleted", 0, 9)]
    before = Wish(assembled({"app": STACK, "old": "services: {x: {image: box}}\n"}, FILES, fleet=RULES))
    found = describe(gone, side(), lambda: Side(before.desired, before.wants))
    assert found.manifests and found.services == ("alpha/old/x",)


def test_nothing_changed_is_no_deploy() -> None:
    assert describe([], side(), never) == Changes(any_deploy=False)
