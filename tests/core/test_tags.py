"""Which tags a registry is asked about, when, and what has moved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.tags import due_at, moved, registry_of, tracked
from reconciler.model.images import Tag
from reconciler.model.observed import Image, Observed
from reconciler.model.plan import Plan
from tests.support.planning import Wish, wish

HOUR = 3600.0
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def service(more: str = "", image: str = "box:1") -> Wish:
    return wish(f"services: {{web: {{image: '{image}', {more}}}}}\n")


def host(wanted: Wish, *digests: str, repository: str = "box") -> Observed:
    """All runs, from an image that was pulled under these digests."""
    observed = wanted.fulfilled()
    pulled = tuple(f"{repository}@{digest}" for digest in digests)
    return replace(observed, images=tuple(replace(i, tags=(*i.tags, *pulled)) for i in observed.images))


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ("", 6 * HOUR),
        ("pull_policy: always", 6 * HOUR),
        ("pull_policy: daily", 24 * HOUR),
        ("pull_policy: weekly", 7 * 24 * HOUR),
        ("pull_policy: every_1h30m", 1.5 * HOUR),
        ("pull_policy: missing", None),
        ("pull_policy: if_not_present", None),
        ("pull_policy: never", None),
        ("x-reconciler: {image_drift: report}", 6 * HOUR),
        ("x-reconciler: {image_drift: ignore}", None),
    ],
)
def test_the_pull_policy_says_how_often_a_tag_is_looked_after(more: str, seconds: float | None) -> None:
    wanted = service(more)
    expected = {} if seconds is None else {"box:1": seconds}
    assert tracked(wanted.wants.values(), host(wanted, OLD), 6 * HOUR) == expected
    assert tracked(wanted.wants.values(), host(wanted, OLD), 0) == {}


def test_only_what_came_from_its_registry_is_asked_about() -> None:
    wanted = service()
    assert not tracked(wanted.wants.values(), host(wanted), HOUR)
    assert not tracked(wanted.wants.values(), host(wanted, OLD, repository="other/box"), HOUR)
    pinned = service(image=f"box@{OLD}")
    assert not tracked(pinned.wants.values(), host(pinned, OLD), HOUR)


@pytest.mark.parametrize(
    ("tag", "due"),
    [
        (None, 1000.0),
        (Tag(OLD, 900.0), 900.0 + 6 * HOUR),
        (Tag(OLD, 900.0, 1), 1800.0),
        (Tag(OLD, 900.0, 3), 900.0 + HOUR),
        (Tag(OLD, 900.0, 1000), 900.0 + 6 * HOUR),
        (Tag(OLD, 1001.0), 1000.0),  # the clock was set back
    ],
)
def test_trouble_is_asked_about_sooner_and_ever_later(tag: Tag | None, due: float) -> None:
    assert due_at(tag, 6 * HOUR, 1000.0) == due


def test_a_tag_has_moved_when_what_is_here_was_pulled_under_another_digest() -> None:
    wanted = service()
    observed = host(wanted, OLD)
    assert moved({"box:1": Tag(NEW, 0)}, ["box:1"], observed) == {"box:1": "b" * 64}
    assert moved({"box:1": Tag(OLD, 0)}, ["box:1"], observed) == {}
    assert moved({"box:1": Tag("", 0, 1)}, ["box:1"], observed) == {}
    assert moved({"box:1": Tag(NEW, 0)}, [], observed) == {}


@pytest.mark.parametrize(
    ("reference", "registry"),
    [("box", ""), ("me/box:1", ""), ("localhost/box", "localhost"), ("h:5000/a/b", "h:5000"), ("ghcr.io/a", "ghcr.io")],
)
def test_the_registry_of_a_reference(reference: str, registry: str) -> None:
    assert registry_of(reference) == registry


def planned(more: str = "", blocked: tuple[str, ...] = ()) -> Plan:
    wanted = service(more)
    return wanted.plan(host(wanted, OLD), moved={"box:1": "b" * 64}, blocked=blocked)


def test_a_moved_tag_is_pulled_and_followed() -> None:
    plan = planned()
    (step,), (need,) = plan.steps, plan.images
    assert step.reasons == ("image box:1 moved in its registry to bbbbbbbbbbbb",)
    assert (need.reference, need.reason, need.moved) == ("box:1", "it moved in its registry", True)


def test_a_moved_tag_is_told_or_left_where_the_manifest_says_so() -> None:
    told = planned("x-reconciler: {image_drift: report}")
    assert told.empty and "moved in its registry" in told.findings[0] and "report" in told.findings[0]
    left = planned("x-reconciler: {image_drift: ignore}")
    assert left.empty and not left.findings


def test_a_blocked_digest_is_not_followed() -> None:
    assert planned(blocked=(f"image-{'b' * 64}",)).empty


def test_a_tag_that_moved_here_is_told_or_left_as_well() -> None:
    for drift, steps, findings in (("recreate", 1, 0), ("report", 0, 1), ("ignore", 0, 0)):
        wanted = service(f"x-reconciler: {{image_drift: {drift}}}")
        observed = replace(wanted.fulfilled(), images=(Image("sha256:new", ("box:1",)),))
        plan = wanted.plan(observed)
        assert (len(plan.steps), len(plan.findings)) == (steps, findings)
