"""Files change under a container: what `on_change` makes of it, and when the container is made anew all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.adoption import claimed, remembered, renewed
from reconciler.core.renewal import Renewal, may_stay, renewal, same_kinds
from reconciler.core.wanted import print_with
from reconciler.model.adopted import Adopted, Adoption
from reconciler.model.observed import Observed
from reconciler.model.plan import Action
from tests.support.planning import REVISION, Wish, but, wish

NEW = "b" * 40
STACK = """
services:
  web:
    image: box
    volumes: ['./conf:/conf:ro', './web.conf:/etc/web.conf:ro', './other:/other:ro']
    x-reconciler:
      on_change:
        - {paths: [conf/quiet/**], action: none}
        - {paths: [conf/*.html], action: exec, command: [reload, now]}
        - {paths: [conf/**], action: signal, signal: SIGHUP, validate: [check, it]}
        - {paths: [web.conf], action: signal, signal: SIGHUP}
        - {paths: [other/a], action: restart, validate: [check, a]}
"""
FILES = {"conf/a": "1", "conf/b.html": "1", "conf/quiet/c": "1", "web.conf": "1", "other/a": "1", "other/b": "1"}


def wanted(**changed: str) -> Wish:
    files = FILES | {path.replace("__", "/").replace("_", "."): text for path, text in changed.items()}
    return wish(STACK, {f"stacks/app/{path}": text for path, text in files.items()})


def found(*paths: str) -> Renewal | None:
    (want,) = wanted().wants.values()
    return renewal(want, [f"stacks/app/{path}" for path in paths], {"stacks/app/web.conf"}, NEW)


@pytest.mark.parametrize(
    ("paths", "action", "told"),
    [
        (["conf/quiet/c"], Action.KEEP, []),
        (["conf/b.html"], Action.EXEC, ["exec"]),
        (["conf/a"], Action.SIGNAL, ["signal"]),
        (["conf/a", "conf/b.html", "conf/quiet/c"], Action.SIGNAL, ["exec", "signal"]),
        (["web.conf"], Action.RESTART, []),  # a single file
        (["other/a", "conf/a"], Action.RESTART, []),
    ],
)
def test_the_hardest_of_what_is_asked_for_is_done(paths: list[str], action: Action, told: list[str]) -> None:
    renewal = found(*paths)
    assert renewal is not None
    assert (renewal.action, [rule.action for rule in renewal.rules]) == (action, told)


@pytest.mark.parametrize("paths", [["other/b"], ["conf/a", "other/b"], ["elsewhere"], []])
def test_what_no_rule_speaks_of_makes_the_container_anew(paths: list[str]) -> None:
    assert found(*paths) is None


def test_the_reason_says_what_changed_and_why_a_single_file_is_another_matter() -> None:
    signalled, restarted = found("conf/a"), found("web.conf")
    assert signalled and signalled.reasons == (f"conf/a changed in {NEW[:7]} (on_change: signal SIGHUP)",)
    assert restarted and "a single file, of which a running container keeps the old one" in restarted.reasons[0]


def test_a_fingerprint_with_the_files_of_before_tells_whether_anything_else_changed() -> None:
    before, after = wanted(), wanted(conf__a="2")
    (old,), (new,) = before.wants.values(), after.wants.values()
    assert old.spec.fingerprint != new.spec.fingerprint
    then = dict(before.desired.objects)
    assert print_with(after.desired, new, after.facts, then) == old.spec.fingerprint
    other = wish(
        STACK.replace("image: box", "image: box\n    user: '5'"), {f"stacks/app/{p}": t for p, t in FILES.items()}
    )
    (changed,) = other.wants.values()
    assert print_with(other.desired, changed, other.facts, then) != old.spec.fingerprint


def planned(observed: Observed, after: Wish, path: str) -> tuple[Action, bool, list[tuple[str, ...]]]:
    (want,) = after.wants.values()
    found = renewal(want, [f"stacks/app/{path}"], {"stacks/app/web.conf"}, NEW)
    renewals = {c.id: found for c in observed.containers if found and may_stay(c)}
    changes = {REVISION: (f"stacks/app/{path}",)}
    (step,) = after.plan(observed, changes=changes, renewals=renewals).steps
    return step.action, step.renews, [rule.validate for rule in step.validate]


def test_a_plan_signals_and_checks_first() -> None:
    observed = wanted().fulfilled()
    assert planned(observed, wanted(conf__a="2"), "conf/a") == (Action.SIGNAL, True, [("check", "it")])
    assert planned(observed, wanted(other__a="2"), "other/a") == (Action.RESTART, True, [("check", "a")])
    assert planned(observed, wanted(other__b="2"), "other/b") == (Action.REPLACE, False, [])
    assert planned(observed, wanted(conf__quiet__c="2"), "conf/quiet/c") == (Action.KEEP, True, [])


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ({"state": "exited"}, Action.START),
        ({"state": "paused"}, Action.REPLACE),
        ({"health": "unhealthy"}, Action.RESTART),
    ],
)
def test_what_does_not_listen_is_started_again(state: dict[str, str], action: Action) -> None:
    observed = but(wanted().fulfilled(), "web", **state)
    assert planned(observed, wanted(conf__a="2"), "conf/a")[0] is action


def test_other_drift_is_mended_with_the_signal() -> None:
    observed = wanted().fulfilled()
    (container,) = observed.containers
    host = {**container.definition["HostConfig"], "RestartPolicy": {"Name": "always"}}
    drifted = but(observed, "web", definition={**container.definition, "HostConfig": host})
    after = wanted(conf__a="2")
    (want,) = after.wants.values()
    found = renewal(want, ["stacks/app/conf/a"], (), NEW)
    assert found
    (step,) = after.plan(drifted, renewals={container.id: found}).steps
    assert step.action is Action.SIGNAL and step.settings


def test_a_new_service_is_checked_as_a_whole() -> None:
    (step,) = wanted().plan(Observed("alpha")).steps
    assert [rule.validate for rule in step.validate] == [("check", "it"), ("check", "a")]


def test_what_was_renewed_is_remembered_when_all_is_well_and_not_before() -> None:
    before, after = wanted(), wanted(conf__a="2")
    observed = before.fulfilled()
    (container,), (want,) = observed.containers, after.wants.values()
    found = renewal(want, ["stacks/app/conf/a"], (), NEW)
    assert found
    plan = after.plan(observed, renewals={container.id: found})
    adopted = replace(container, owner="", fingerprint="", revision="")
    known = Adopted({container.id: Adoption(container.fingerprint, REVISION)})

    assert remembered(Adopted(), plan, observed) == Adopted()
    kept = renewed(Adopted(), plan)
    assert kept.renewed == {container.id: Adoption(want.spec.fingerprint, REVISION)}
    (seen,) = claimed(observed, kept, container.owner).containers
    assert seen.fingerprint == want.spec.fingerprint and after.plan(replace(observed, containers=(seen,))).empty

    host = claimed(replace(observed, containers=(adopted,)), known, container.owner)
    taken_over = after.plan(host, renewals={container.id: found})
    assert remembered(known, taken_over, host).containers == known.containers
    assert renewed(known, taken_over).containers == {container.id: Adoption(want.spec.fingerprint, REVISION)}

    gone = remembered(kept, plan, Observed("alpha"))
    assert not gone


def test_a_file_that_became_a_folder_is_another_mount() -> None:
    assert same_kinds(["a"], {"a": "file:1"}, {"a": "executable:2"})
    assert same_kinds(["a"], {"a": "directory:1"}, {"a": "directory:2"})
    assert same_kinds(["a"], {}, {})
    assert not same_kinds(["a"], {"a": "file:1"}, {"a": "directory:2"})
    assert not same_kinds(["a"], {"a": "symlink:1"}, {"a": "symlink:2"})
    assert not same_kinds(["a"], {"a": "file:1"}, {})
