"""Any server that tells the state of a commit as a small JSON document; docs/ci.md describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.adapters.ci.http import DEADLINE, CiHttp, link, number, text
from reconciler.model.gate import CiPage, CiRules, CiRun
from reconciler.ports import Clock, ContinuousIntegration

_WORDS = {"passed": "success", "pending": "", "running": "", "failed": "failure"}


class Generic(ContinuousIntegration):
    """`token`: its value, "" for none."""

    def __init__(self, rules: CiRules, token: str, clock: Clock, deadline: float = DEADLINE) -> None:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._url = rules.url
        self._http = CiHttp("the CI server", headers, clock, rules.token, deadline)

    @property
    def source(self) -> str:
        return self._url

    def ask(self, sha: str, known: Mapping[str, CiPage]) -> Mapping[str, CiPage]:
        address = self._url.replace("{sha}", sha)
        return self._http.pages(address, sha, known, lambda page: _checks(page, sha))


def _checks(page: Any, sha: str) -> tuple[CiRun, ...]:
    """`{"sha": ..., "checks": [{"name", "state", "id"?, "attempt"?, "url"?}]}`, or one `state` for all."""
    if page["sha"] != sha:
        raise ValueError(f"it tells of {text(page['sha'])[:40]}, not of {sha}")
    return tuple(_check(check, sha) for check in page.get("checks", [{"name": "ci", **page}]))


def _check(check: Any, sha: str) -> CiRun:
    state = text(check["state"])
    return CiRun(
        sha=sha,
        workflow="",
        name=text(check["name"]),
        number=0,  # of one name the latest attempt counts, wherever it stands
        attempt=number(check.get("attempt") or 1),
        conclusion=_WORDS.get(state, state),
        id=text(str(check.get("id") or "")),
        link=link(check.get("url")),
    )
