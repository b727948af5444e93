"""What doctor makes of a fleet's gate."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.diagnosis.ci import CiFacts, ci
from reconciler.model.gate import CiRules
from reconciler.ports import Unanswered

SHA = "a" * 40


def facts(provider: Any = "github", **more: Any) -> CiFacts:
    return CiFacts(CiRules(provider, "o/n", token="t"), SHA, "/etc/r/secrets", **more)


def error(code: str) -> Unanswered:
    return Unanswered(code, "it will not", why="so", next="do this", wait=1)


@pytest.mark.parametrize(
    ("found", "level", "says", "mend"),
    [
        (facts().answered(3), "ok", "github for o/n answers: 3 runs of aaaaaaa", ""),
        (facts("none"), "ok", "no gate", ""),
        (facts().withheld_from_us(), "warn", "systemd", "systemctl start reconciler.service"),
        (facts().failed(error("E-CI-AUTH")), "fail", "[E-CI-AUTH]", "install -D -m 600 /dev/stdin /etc/r/secrets/t"),
        (facts().failed(error("E-CI-ABSENT")), "fail", "E-CI-ABSENT", "install -D -m 600 /dev/stdin /etc/r/secrets/t"),
        (facts().failed(error("E-CI-DOWN")), "fail", "E-CI-DOWN", ""),
    ],
)
def test_what_a_pass_would_meet_is_told(found: CiFacts, level: str, says: str, mend: str) -> None:
    (finding,) = ci(found)

    assert (finding.check, finding.level, says in finding.what, finding.mend) == ("ci", level, True, mend)


@pytest.mark.parametrize(
    ("provider", "name", "level"),
    [
        ("github", "tests.yml", "fail"),
        ("github", "Tests", "warn"),
        ("gitea", "tests.yml", "fail"),
        ("gitea", "ci/woodpecker", ""),
    ],
)
def test_a_required_name_that_no_workflow_has_is_told(provider: str, name: str, level: str) -> None:
    found = list(ci(facts(provider, missing=(name,), workflows=("test.yml", "deploy.yml")).answered(1)))

    assert [f.level for f in found[1:]] == ([level] if level else [])
    assert all(name in f.what and "test.yml" in f.next for f in found[1:] if level == "fail")
