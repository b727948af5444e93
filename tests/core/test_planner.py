"""Desired and Observed become a plan: tables of what differs, and properties that hold for any stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.guard import Ground, Policy, check, paths
from reconciler.core.wording import plan_data, plan_lines
from reconciler.model.observed import Observed, ObservedNetwork, ObservedVolume, kept_name, made_name
from reconciler.model.plan import Action, Plan
from tests.support.planning import OWNER, REVISION, but, container_id, wish, without

WEB = "services: {web: {image: box}}\n"
PAIR = """
services:
  db: {image: box}
  web: {image: box, depends_on: {db: {condition: service_started, restart: true}}}
"""
SHARED = "services:\n  vpn: {image: box}\n  web: {image: box, network_mode: 'service:vpn'}\n"


def steps(plan: Plan) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {str(step.slot): (str(step.action), step.reasons) for step in plan.steps}


def test_an_empty_host_gets_everything() -> None:
    wanted = wish("services: {web: {image: box, volumes: ['data:/d'], deploy: {replicas: 2}}}\nvolumes: {data: {}}\n")

    plan = wanted.plan(Observed("alpha"))

    assert steps(plan) == {"app/web": ("create", ("new",)), "app/web#2": ("create", ("new",))}
    assert [(n.sign, n.name) for n in plan.networks] == [("+", "app_default")]
    assert [v.volume.name for v in plan.volumes] == ["app_data"]
    assert [(i.reference, i.reason, i.services) for i in plan.images] == [("box", "not here", ("app/web", "app/web#2"))]


def test_a_host_that_has_everything_gets_nothing() -> None:
    wanted = wish(PAIR)

    plan = wanted.plan(wanted.fulfilled())

    assert plan.empty
    assert [str(done.slot) for done in plan.satisfied] == ["app/db", "app/web"]


@pytest.mark.parametrize(
    ("changes", "action", "reason"),
    [
        ({"state": "exited", "exit_code": 137}, "start", "stopped (exit code 137)"),
        ({"state": "created", "started_at": ""}, "start", "made, but never started"),
        ({"state": "paused"}, "start", "frozen by docker pause"),
        ({"state": "dead"}, "replace", "container is dead"),
        ({"health": "unhealthy"}, "restart", "unhealthy"),
        ({"name": "renamed"}, "replace", "name renamed -> app-web-1"),
        ({"image_id": "sha256:other"}, "replace", "image box is now box"),
        ({"fingerprint": "v1:other"}, "replace", "definition changed"),
        ({"networks": {}}, "update", "not connected to app_default"),
    ],
)
def test_what_somebody_did_to_a_container_is_undone(changes: dict[str, Any], action: str, reason: str) -> None:
    wanted = wish(WEB)

    plan = wanted.plan(but(wanted.fulfilled(), "web", **changes))

    assert steps(plan) == {"app/web": (action, (reason,))}


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("image: box:1", "image: box:2", "image box:1 -> box:2"),
        ("image: box", "image: box\n    command: [a]", "command unset -> changed"),
        (
            "image: box\n    environment: {A: '1', B: '2'}",
            "image: box\n    environment: {A: '1', B: '3'}",
            "environment B changed",
        ),
        ("image: box", "image: box\n    ports: ['8080:80']", "port 80/tcp unpublished -> :8080"),
        ("image: box", "image: box\n    volumes: ['/srv:/srv']", "volume /srv:/srv:rw added"),
        ("image: box\n    user: '1'", "image: box\n    user: '2'", "user 1 -> 2"),
        ("image: box", "image: box\n    privileged: true", "privileged None -> True"),
        ("image: box", "image: box\n    labels: {x: y}", "label x changed"),
        ("image: box", "image: box\n    cap_add: [NET_ADMIN]", "cap_add changed"),
    ],
)
def test_a_changed_definition_says_what_changed(before: str, after: str, reason: str) -> None:
    old, new = (wish(f"services:\n  web:\n    {body}\n") for body in (before, after))

    plan = new.plan(old.fulfilled())

    action, reasons = steps(plan)["app/web"]
    assert action == "replace"
    expected = "command changed" if reason.startswith("command") else reason
    assert expected in reasons


def test_only_the_service_that_changed_is_touched() -> None:
    old = wish({"a": WEB, "b": WEB})
    new = wish({"a": WEB, "b": WEB.replace("box", "box:2")})

    assert steps(new.plan(old.fulfilled())) == {"b/web": ("replace", ("image box -> box:2",))}


def test_another_commit_alone_changes_nothing() -> None:
    wanted = wish(WEB)
    later = replace(wanted.desired, revision="b" * 40)

    observed = wanted.fulfilled()
    wanted.desired = later

    assert wanted.plan(observed, REVISION).empty


def test_a_mounted_file_that_changed_is_the_reason() -> None:
    text = "services: {web: {image: box, volumes: ['./conf:/conf']}}\n"
    old = wish(text, {"stacks/app/conf/a.ini": "1"})
    new = wish(text, {"stacks/app/conf/a.ini": "2"})

    plan = new.plan(old.fulfilled(), REVISION, changes={REVISION: ("stacks/app/conf/a.ini", "README.md")})

    assert steps(plan) == {"app/web": ("replace", ("conf/a.ini changed in aaaaaaa",))}


def test_who_shares_a_namespace_follows_its_host() -> None:
    old, new = wish(SHARED), wish(SHARED.replace("vpn: {image: box}", "vpn: {image: box, user: '1'}"))

    assert {name: action for name, (action, _) in steps(new.plan(old.fulfilled())).items()} == {
        "app/vpn": "replace",
        "app/web": "replace",
    }
    stopped = old.plan(but(old.fulfilled(), "vpn", state="exited"))
    assert {name: action for name, (action, _) in steps(stopped).items()} == {"app/vpn": "start", "app/web": "restart"}


def test_depends_on_restart_restarts_and_plain_depends_on_does_not() -> None:
    for text, touched in ((PAIR, {"app/db", "app/web"}), (PAIR.replace(", restart: true", ""), {"app/db"})):
        wanted = wish(text)
        assert set(steps(wanted.plan(but(wanted.fulfilled(), "db", image_id="sha256:x")))) == touched


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("services: {other: {image: box}}\n", "service is gone from git"),
        (
            "services: {other: {image: box}, web: {image: box, deploy: {replicas: 0}}}\n",
            "replica is not wanted any more",
        ),
    ],
)
def test_what_is_not_wanted_any_more_is_removed(text: str, reason: str) -> None:
    plan = wish(text).plan(wish(WEB).fulfilled())

    assert steps(plan)["app/web"] == ("remove", (reason,))


def test_a_stack_that_is_gone_goes_with_its_network_and_keeps_its_volumes() -> None:
    old = wish({"app": WEB, "old": "services: {web: {image: box, volumes: ['d:/d']}}\nvolumes: {d: {}}\n"})

    plan = wish(WEB).plan(old.fulfilled())

    assert steps(plan) == {"old/web": ("remove", ("stack old is gone from git",))}
    assert [(n.sign, n.name) for n in plan.networks] == [("-", "old_default")]
    assert plan.volumes == ()


def test_what_an_older_revision_does_not_have_is_not_called_gone_from_git() -> None:
    new = wish({"app": "services: {web: {image: box}, db: {image: box}}\n", "new": WEB})

    plan = wish(WEB).plan(new.fulfilled(), is_head=False)

    assert steps(plan) == {
        "app/db": ("remove", (f"service is not in {REVISION[:7]}",)),
        "new/web": ("remove", (f"stack new is not in {REVISION[:7]}",)),
    }


def test_what_is_not_ours_is_never_in_a_plan() -> None:
    wanted = wish(WEB)
    observed = wanted.fulfilled()
    foreign = tuple(
        replace(c, id=f"x{c.id}", owner=owner, name=f"x-{owner}")
        for c in observed.containers
        for owner in ("", "other")
    )
    observed = replace(
        observed,
        containers=(*observed.containers, *foreign),
        networks=(*observed.networks, ObservedNetwork("n", "theirs")),
        volumes=(ObservedVolume("theirs"),),
    )

    assert wanted.plan(observed).empty


def test_kept_and_half_made_containers_are_leftovers_not_drift() -> None:
    wanted = wish(WEB)
    observed = wanted.fulfilled()
    (web,) = observed.containers
    kept = replace(web, id="k", name=kept_name(web.name, "run"), state="exited")
    made = replace(web, id="m", name=made_name(web.name, "run"), state="created")

    plan = wanted.plan(replace(observed, containers=(web, kept, made)))

    assert plan.steps == ()
    assert [c.id for c in plan.leftovers] == ["k", "m"]


def test_the_running_one_of_two_in_a_slot_stays() -> None:
    wanted = wish(WEB)
    observed = wanted.fulfilled()
    (web,) = observed.containers

    plan = wanted.plan(replace(observed, containers=(replace(web, id="old", name="old", state="exited"), web)))

    assert [(step.action, step.current and step.current.id) for step in plan.steps] == [(Action.REMOVE, "old")]


def test_a_job_that_is_done_is_not_run_again_and_one_that_failed_is() -> None:
    wanted = wish("services: {web: {image: box, x-reconciler: {job: true}}}\n")

    assert wanted.plan(wanted.fulfilled()).empty
    failed = wanted.plan(but(wanted.fulfilled(), "web", exit_code=3))
    assert steps(failed) == {"app/web": ("start", ("stopped (exit code 3)",))}


def test_a_network_that_was_made_anew_takes_its_containers_along() -> None:
    wanted = wish(WEB)
    observed = wanted.fulfilled()
    moved = replace(observed, networks=(replace(observed.networks[0], id="another"),))

    assert steps(wanted.plan(moved)) == {"app/web": ("replace", ("network app_default was removed or made anew",))}


def test_a_file_that_was_changed_on_the_host_restarts_its_readers() -> None:
    text = "services: {web: {image: box, volumes: ['./a:/a']}, other: {image: box}}\n"
    wanted = wish(text, {"stacks/app/a": "1"})

    plan = wanted.plan(wanted.fulfilled(), drifted=("stacks/app/a",))

    assert steps(plan) == {"app/web": ("restart", ("stacks/app/a was changed on the host",))}
    assert steps(wanted.plan(wanted.fulfilled(), stale=(container_id(plan.steps[0].slot),))) != {}


@pytest.mark.parametrize(
    ("policy", "present", "needs"),
    [("always", True, True), ("missing", True, False), ("missing", False, True), ("never", False, True)],
)
def test_pull_policy_says_which_images_are_needed(policy: str, present: bool, needs: bool) -> None:
    wanted = wish(f"services: {{web: {{image: box, pull_policy: {policy}}}}}\n")
    observed = wanted.fulfilled() if present else Observed("alpha")

    plan = wanted.plan(without(observed, ["web"]))

    assert bool(plan.images) == needs


def test_a_build_is_found_again_by_its_id() -> None:
    text, files = "services: {web: {build: .}}\n", {"stacks/app/Dockerfile": "FROM box\n"}
    old = wish(text, files)
    new = wish(text, {"stacks/app/Dockerfile": "FROM box\nRUN true\n"})

    assert old.plan(old.fulfilled()).empty
    changed = new.plan(old.fulfilled())
    assert [(i.reference, i.reason, i.present) for i in changed.images] == [("app-web", "its build changed", "")]
    assert steps(changed)["app/web"][0] == "replace"


# ---- properties

NAMES = st.sampled_from(["web", "db", "api", "cache"])
WORDS = st.sampled_from(["a", "b", "some thing", "x=y", "ü"])
SERVICE = st.fixed_dictionaries(
    {"image": st.sampled_from(["box", "box:1", "reg.example:5000/box:2"])},
    optional={
        "command": st.lists(WORDS, max_size=2),
        "environment": st.dictionaries(st.sampled_from(["A", "B", "SECRET"]), WORDS, max_size=3),
        "labels": st.dictionaries(st.sampled_from(["x", "y"]), WORDS, max_size=2),
        "user": st.sampled_from(["", "1000", "root"]),
        "restart": st.sampled_from(["no", "always", "unless-stopped", "on-failure:3"]),
        "read_only": st.booleans(),
        "init": st.booleans(),
        "cap_add": st.lists(st.sampled_from(["NET_ADMIN", "SYS_TIME"]), max_size=2, unique=True),
        "volumes": st.lists(
            st.sampled_from(["data:/d", "/srv/x:/x:ro", "./conf:/conf", "/anon"]), max_size=3, unique=True
        ),
        "mem_limit": st.sampled_from(["64m", "1g"]),
        "stop_grace_period": st.sampled_from(["1s", "1m30s"]),
        "healthcheck": st.just({"test": ["CMD", "true"], "interval": "5s", "retries": 2}),
        "networks": st.sampled_from([["front"], ["front", "back"]]),
        "ports": st.sampled_from([["80"], ["127.0.0.1:8080:80/udp"]]),
        "deploy": st.sampled_from([{"replicas": 0}, {"replicas": 2}]),
        "x-reconciler": st.fixed_dictionaries({"job": st.booleans()}),
    },
)


@st.composite
def compose_files(draw: st.DrawFn) -> str:
    services = draw(st.dictionaries(NAMES, SERVICE, min_size=1, max_size=4))
    names = list(services)
    for position, name in enumerate(names[1:], 1):
        if "deploy" not in services[names[0]] and draw(st.booleans()):
            services[name]["depends_on"] = {names[0]: {"condition": "service_started", "restart": draw(st.booleans())}}
        elif (
            "networks" not in services[name] and "ports" not in services[name] and draw(st.booleans()) and position == 1
        ):
            services[name]["network_mode"] = f"service:{names[0]}" if "deploy" not in services[names[0]] else "host"
    publishing = [service for service in services.values() if "ports" in service]
    for service in publishing[1:] if publishing and "deploy" not in publishing[0] else publishing:
        service["ports"] = ["80"]
    document = {"services": services, "volumes": {"data": {}}, "networks": {"front": {}, "back": {"internal": True}}}
    return str(yaml.safe_dump(document, sort_keys=False))


FILES: Mapping[str, str] = {"stacks/app/conf/a.ini": "1"}


@given(compose_files())
@settings(max_examples=150, deadline=None)
def test_applying_a_plan_leaves_nothing_to_plan(text: str) -> None:
    wanted = wish(text, FILES)

    plan = wanted.plan(wanted.fulfilled())

    assert plan.empty, plan_lines(plan)
    assert plan.images == () or all(need.reason == "pull_policy: always" for need in plan.images)


@given(compose_files(), compose_files())
@settings(max_examples=100, deadline=None)
def test_a_plan_is_deterministic_and_covers_every_difference(before: str, after: str) -> None:
    old, new = wish(before, FILES), wish(after, FILES)
    observed = old.fulfilled()

    first, second = new.plan(observed), wish(after, FILES).plan(old.fulfilled())

    assert json.dumps(plan_data(first)) == json.dumps(plan_data(second))
    slots = [step.slot for step in first.steps] + [done.slot for done in first.satisfied]
    assert len(slots) == len(set(slots)), "one word for each slot"
    assert set(slots) == set(new.wants) | {c.slot for c in observed.containers}
    assert all(step.reasons and all(step.reasons) for step in first.steps)
    unchanged = {done.slot for done in first.satisfied}
    assert all(new.wants[s].spec.fingerprint == old.wants[s].spec.fingerprint for s in unchanged)


SECRET = "hunter2-s3cret"


@pytest.mark.parametrize(
    "body",
    [
        "environment: {TOKEN: '${TOKEN}'}",
        "command: ['--key', '${TOKEN}']",
        "env_file: app.env",
        "labels: {x: '${TOKEN}'}",
    ],
)
def test_no_secret_is_in_a_fingerprint_or_a_reason(body: str) -> None:
    text = f"services:\n  web:\n    image: box\n    {body}\n"
    old = wish(text, None, {".env": f"TOKEN={SECRET}\n".encode(), "app.env": f"TOKEN={SECRET}\n".encode()})
    new = wish(text, None, {".env": f"TOKEN={SECRET}2\n".encode(), "app.env": f"TOKEN={SECRET}2\n".encode()})
    (was,), (now,) = old.wants.values(), new.wants.values()

    plan = new.plan(old.fulfilled())

    assert was.spec.fingerprint.startswith("v1k:"), "sealed: a short secret cannot be guessed from it"
    assert was.spec.fingerprint != now.spec.fingerprint
    assert SECRET not in json.dumps(plan_data(plan))
    assert SECRET not in "\n".join(plan_lines(plan))
    ours = {key: value for key, value in now.spec.body["Labels"].items() if key != "x"}
    assert SECRET not in json.dumps(ours)
    assert SECRET not in repr(now.spec)


@given(compose_files())
@settings(max_examples=50, deadline=None)
def test_the_guard_has_nothing_against_what_runs_already(text: str) -> None:
    wanted = wish(text, FILES)
    observed = wanted.fulfilled()

    real = {path: path for path in paths(wanted.desired, Policy())}  # a host without links
    check(wanted.desired, wanted.wants, observed, wanted.plan(observed), Policy(), Ground(real))


def test_everything_made_has_the_owner_on_it() -> None:
    (want,) = wish(WEB).wants.values()

    assert want.spec.body["Labels"]["reconciler.owner"] == OWNER
    assert want.spec.body["Labels"]["reconciler.revision"] == REVISION
    assert want.spec.body["Labels"]["com.docker.compose.project"] == "app"
