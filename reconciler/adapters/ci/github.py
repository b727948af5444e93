"""GitHub: the workflow runs of a commit. https://docs.github.com/rest/actions/workflow-runs"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from reconciler.adapters.ci.http import DEADLINE, CiHttp, link, number, text
from reconciler.model.gate import CiPage, CiRules, CiRun
from reconciler.ports import Clock, ContinuousIntegration

API = "https://api.github.com"


class GitHub(ContinuousIntegration):
    """`token`: its value, "" for none."""

    def __init__(self, rules: CiRules, token: str, clock: Clock, deadline: float = DEADLINE) -> None:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self._base = f"{rules.url or API}/repos/{quote(rules.repository)}"
        self._http = CiHttp("GitHub", headers, clock, rules.token, deadline)

    @property
    def source(self) -> str:
        return self._base

    def ask(self, sha: str, known: Mapping[str, CiPage]) -> Mapping[str, CiPage]:
        """Runs of pushes only: what a pull request of a fork ran says nothing about this branch."""
        address = f"{self._base}/actions/runs?head_sha={sha}&event=push&per_page=100"
        return self._http.pages(address, sha, known, lambda page: tuple(_runs(page, sha)))


def _runs(page: Any, sha: str) -> list[CiRun]:
    return [_run(run, sha) for run in page["workflow_runs"] if run["event"] == "push"]


def _run(run: Any, sha: str) -> CiRun:
    """`conclusion` is null until the run is completed."""
    if run["head_sha"] != sha:
        raise ValueError(f"a run of {text(run['head_sha'])[:40]} was told for {sha}")
    return CiRun(
        sha=sha,
        workflow=text(run["path"]).partition("@")[0],
        name=text(run.get("name") or run["path"]),
        number=number(run["run_number"]),
        attempt=number(run.get("run_attempt") or 1),
        conclusion=text(run["conclusion"] or "unknown") if run["status"] == "completed" else "",
        id=str(number(run["id"])),
        link=link(run.get("html_url")),
    )
