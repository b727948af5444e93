"""Stand-ins for Gitea, Forgejo and a server that answers in our own small JSON; they refuse what the real ones refuse.

https://docs.gitea.com/api, https://codeberg.org/api/swagger
"""

from __future__ import annotations

import re
from typing import Any

from reconciler.model.gate import CiRules
from tests.support.forge import TOKEN, Answer, Asked, Forge

STATUS = {"running": "pending", "cancelled": "failure"}


class Gitea(Forge):
    """`tells_runs`: whether it has /actions/runs (None: 404, as before 1.25); `address`: the one in its own links."""

    PROVIDER = "gitea"

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.tells_runs = True

    @property
    def shown(self) -> str:
        """Gitea writes its ROOT_URL into links, whatever address it was asked at."""
        return "https://git.example"

    def rules(self, token: str = "ci-token") -> CiRules:
        return CiRules(self.PROVIDER, self.REPOSITORY, self.url, token)  # type: ignore[arg-type]

    def says(self, sha: str, name: str, state: str = "success", **more: Any) -> None:
        """A run of `.gitea/workflows/NAME.yml` with one job, and the status of that job."""
        self.status(sha, f"{name.capitalize()} / job (push)", STATUS.get(state, state))
        self.runs.append({"sha": sha, "name": name, "state": state, "event": "push", "attempt": 1} | more)

    def status(self, sha: str, context: str, state: str) -> None:
        """A status of a commit, as any system leaves it."""
        number = len(self.statuses) + 1
        self.statuses.append(
            {
                "id": number,
                "status": state,
                "context": context,
                "target_url": f"/{self.REPOSITORY}/actions/runs/{number}",
                "url": f"{self.shown}/api/v1/repos/{self.REPOSITORY}/statuses/{sha}",
            }
        )

    def rerun(self, state: str) -> None:
        self.runs[-1] |= {"attempt": self.runs[-1]["attempt"] + 1, "state": state}
        self.status(self.runs[-1]["sha"], self.statuses[-1]["context"], STATUS.get(state, state))

    def answer(self, asked: Asked) -> Answer:
        given = asked.headers.get("authorization", "")
        if given and given != f"token {TOKEN}":
            return Answer(401, {"message": "user does not exist [uid: 0, name: ]"})
        base = f"/api/v1/repos/{self.REPOSITORY}"
        found = re.fullmatch(rf"{base}/commits/([^/]+)/statuses", asked.path)
        if (self.private and not given) or not asked.path.startswith(f"{base}/"):
            return Answer(404, {"message": "The target couldn't be found.", "errors": []})
        if found:
            rows = [each for each in self.statuses[::-1] if each["url"].endswith(f"/{found[1]}")]
            page, headers = self.paged(rows, asked, "limit", 50)
            return Answer(200, page, headers | {"X-Total-Count": str(len(rows))})
        if asked.path == f"{base}/actions/runs" and self.tells_runs:
            runs = [self.run(index, run) for index, run in enumerate(self.runs) if self._wanted(run, asked)]
            return Answer(200, {"workflow_runs": runs[::-1][:50], "total_count": len(runs)})
        return Answer(404, {"message": "Not Found"})

    def _wanted(self, run: dict[str, Any], asked: Asked) -> bool:
        sha, event = asked.query.get("head_sha", ""), asked.query.get("event", "")
        return (not sha or run["sha"] == sha) and (not event or run["event"] == event)

    def run(self, index: int, run: dict[str, Any]) -> dict[str, Any]:
        """Gitea keeps GitHub's names."""
        running = run["state"] == "running"
        return {
            "id": index + 1,
            "path": f"{run['name']}.yml@refs/heads/main",
            "event": run["event"],
            "head_sha": run["sha"],
            "run_number": index + 1,
            "run_attempt": run["attempt"],
            "status": "in_progress" if running else "completed",
            "conclusion": None if running else run["state"],
            "html_url": f"{self.shown}/{self.REPOSITORY}/actions/runs/{index + 1}",
        }


class Forgejo(Gitea):
    """The same with other names, and one word for status and conclusion."""

    PROVIDER = "forgejo"

    def run(self, index: int, run: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": index + 101,
            "workflow_id": f"{run['name']}.yml",
            "event": run["event"],
            "commit_sha": run["sha"],
            "index_in_repo": index + 1,
            "status": run["state"],
            "html_url": f"{self.shown}/{self.REPOSITORY}/actions/runs/{index + 1}",
        }


class Generic(Forge):
    """docs/ci.md has its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.checks: list[dict[str, Any]] = []

    def rules(self, token: str = "ci-token") -> CiRules:
        return CiRules("generic", url=f"{self.url}/commits/{{sha}}", token=token)

    def says(self, sha: str, name: str, state: str = "success", **more: Any) -> None:
        words = {"success": "passed", "failure": "failed"}
        self.checks.append({"of": sha, "name": name, "state": words.get(state, state)} | more)

    def rerun(self, state: str) -> None:
        self.checks[-1] |= {"attempt": self.checks[-1].get("attempt", 1) + 1, "state": state}

    def answer(self, asked: Asked) -> Answer:
        given = asked.headers.get("authorization", "")
        if (given and given != f"Bearer {TOKEN}") or (self.private and not given):
            return Answer(401, {"message": "who are you?"})
        sha = asked.path.rpartition("/")[2]
        if not asked.path.startswith("/commits/"):
            return Answer(404, {})
        checks = [{key: value for key, value in c.items() if key != "of"} for c in self.checks if c["of"] == sha]
        return Answer(200, {"sha": sha, "checks": checks})
