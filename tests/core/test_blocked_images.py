"""A container that has to be made anew is never made from a blocked image, whatever its tag names (I3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.core.blocked_images import block_of, sound
from reconciler.model.observed import Image, Observed
from reconciler.model.plan import ImageNeed, Plan
from tests.support.planning import but, wish, without

BAD = Image("sha256:bad", ("hub.example/box:1", "hub.example/box@sha256:badhub"))
GOOD = Image("sha256:good", ("hub.example/box@sha256:goodhub",))
OLDER = Image("sha256:older", ("hub.example/box@sha256:olderhub",))
OTHER = Image("sha256:other", ("hub.example/boxes:1",))


def planned(images: tuple[Image, ...], more: str = "", moved: Mapping[str, str] | None = None) -> Plan:
    """The container of `web` is missing, and what its tag names is blocked."""
    wanted = wish(f"services: {{web: {{image: 'hub.example/box:1'{more}}}}}\n")
    observed = replace(without(wanted.fulfilled(), ["web"]), images=images)
    return wanted.plan(observed, blocked={"image-bad"}, moved=moved or {})


def only(plan: Plan) -> ImageNeed:
    (need,) = plan.images
    return need


@pytest.mark.parametrize("more", ["", ", pull_policy: always"])
def test_a_missing_container_comes_from_the_image_before_the_blocked_one(more: str) -> None:
    need = only(planned((BAD, GOOD, OTHER), more))
    assert (need.how, need.present, need.blocked) == ("tag", "sha256:good", "")
    assert need.reason == "its tag names bad, which failed and is blocked"


@pytest.mark.parametrize("images", [(BAD,), (BAD, OTHER), (BAD, GOOD, OLDER)], ids=["none", "foreign", "two"])
def test_where_it_is_not_certain_which_image_that_was_the_plan_says_so(images: tuple[Image, ...]) -> None:
    need = only(planned(images))
    assert (need.present, need.blocked) == ("", "image-bad")


def test_an_image_that_the_tag_has_moved_on_to_is_pulled() -> None:
    assert only(planned((BAD, GOOD), moved={"hub.example/box:1": "newhub"})).how == "pull"


def test_what_another_replica_runs_is_certain() -> None:
    wanted = wish("services: {web: {image: 'hub.example/box:1', deploy: {replicas: 2}}}\n")
    full = wanted.fulfilled()
    containers = tuple(replace(c, image_id="sha256:older") for c in full.containers if c.slot.number == 2)
    observed = Observed("alpha", containers, images=(BAD, GOOD, OLDER))
    want = next(iter(wanted.wants.values()))

    assert sound(want, containers, observed, {"image-bad"}) == "sha256:older"


def test_pull_policy_always_does_not_pull_what_is_blocked() -> None:
    here = Image("sha256:good", ("hub.example/box:1", "hub.example/box@sha256:goodhub"))
    plan = planned((here,), ", pull_policy: always", {"hub.example/box:1": "bad"})
    assert plan.images == ()


@pytest.mark.parametrize(
    ("blocked", "holds"),
    [({"image-bad"}, "image-bad"), ({"image-badhub"}, "image-badhub"), ({"image-good", "bad"}, ""), (set(), "")],
)
def test_a_block_holds_by_the_id_and_by_the_digest_of_the_registry(blocked: set[str], holds: str) -> None:
    assert block_of(BAD, blocked) == holds
    assert block_of(None, blocked) == ""


def test_what_runs_stays_as_it_is_while_its_tag_names_a_blocked_image() -> None:
    wanted = wish("services: {web: {image: 'hub.example/box:1'}}\n")
    observed = replace(but(wanted.fulfilled(), "web", image_id="sha256:good"), images=(BAD, GOOD))

    plan = wanted.plan(observed, blocked={"image-bad"})

    assert plan.steps == () and plan.images == ()
    assert "failed and is blocked" in plan.findings[0]
