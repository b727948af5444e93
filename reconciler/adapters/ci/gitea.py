"""Gitea and Forgejo: the statuses of a commit, and the runs of its workflows where the server tells them.

Statuses are there in every version, and other systems (Woodpecker, Drone) leave theirs too. /actions/runs came with
Gitea 1.25 and Forgejo 12; an older one answers 404.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin

from reconciler.adapters.ci.http import DEADLINE, CiHttp, link, number, text
from reconciler.model.gate import CiPage, CiRules, CiRun
from reconciler.ports import Clock, ContinuousIntegration, Unanswered

_GOING_ON = ("pending", "waiting", "running", "blocked", "queued", "in_progress")
_JOB = re.compile(r".* / .* \((\w+)\)")


class Gitea(ContinuousIntegration):
    """`token`: its value, "" for none."""

    def __init__(self, rules: CiRules, token: str, clock: Clock, deadline: float = DEADLINE) -> None:
        headers = {"Accept": "application/json"} | ({"Authorization": f"token {token}"} if token else {})
        self._base = f"{rules.url.removesuffix('/api/v1')}/api/v1/repos/{quote(rules.repository)}"
        self._http = CiHttp(rules.provider.capitalize(), headers, clock, rules.token, deadline)

    @property
    def source(self) -> str:
        return self._base

    def ask(self, sha: str, known: Mapping[str, CiPage]) -> Mapping[str, CiPage]:
        statuses = f"{self._base}/commits/{sha}/statuses?limit=50"
        found = self._http.pages(statuses, sha, known, lambda page: tuple(_statuses(page, sha, self._base)))
        runs = f"{self._base}/actions/runs?head_sha={sha}&event=push&limit=50"
        try:
            return found | self._http.pages(runs, sha, known, lambda page: tuple(_runs(page, sha)))
        except Unanswered as error:
            if error.status == 404:
                return found
            raise


def _statuses(page: Any, sha: str, base: str) -> list[CiRun]:
    """Of pushes, and of systems that do not say what they ran for."""
    found = (_status(each, sha, base) for each in page)
    return [each for each in found if (job := _JOB.fullmatch(each.name)) is None or job[1] == "push"]


def _status(status: Any, sha: str, base: str) -> CiRun:
    """`warning` is between success and failure; the forge's own links begin at its root."""
    at = re.search(r"/statuses/([0-9a-f]{40})$", status.get("url") or "")
    if at and at[1] != sha:
        raise ValueError(f"a status of {at[1]} was told for {sha}")
    return CiRun(
        sha=sha,
        workflow="",
        name=text(status["context"]),
        number=number(status["id"]),
        conclusion=_conclusion(text(status.get("status") or status["state"])),
        id=str(status["id"]),
        link=link(urljoin(base, text(status.get("target_url") or ""))),
    )


def _runs(page: Any, sha: str) -> list[CiRun]:
    """Forgejo has other names for the same. A server that does not know `head_sha` tells of every commit."""
    rows = page["workflow_runs"] or ()
    return [_run(run, sha) for run in rows if run["event"] == "push" and _sha(run) == sha]


def _sha(run: Any) -> str:
    return text(run.get("head_sha") or run["commit_sha"])


def _run(run: Any, sha: str) -> CiRun:
    path = text(run.get("path") or run["workflow_id"]).partition("@")[0]
    state = text(run.get("conclusion") or run["status"])
    return CiRun(
        sha=sha,
        workflow=path,
        name=path,
        number=number(run.get("run_number") or run["index_in_repo"]),
        attempt=number(run.get("run_attempt") or 1),
        conclusion=_conclusion(state),
        id=str(number(run["id"])),
        link=link(run.get("html_url")),
    )


def _conclusion(state: str) -> str:
    return "" if state in _GOING_ON else "unknown" if state == "completed" else state
