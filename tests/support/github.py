"""A stand-in for GitHub's REST API that keeps its documented rules, and refuses what it refuses.

https://docs.github.com/rest/actions/workflow-runs, .../using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

from typing import Any

from reconciler.model.gate import CiRules
from tests.support.forge import TOKEN, Answer, Asked, Forge

HOUR = 3600.0


class GitHub(Forge):
    """`limit`: questions an hour. `renamed`: the old name leads to the number, on the same host."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[dict[str, Any]] = []
        self.limit = {True: 5000, False: 60}
        self.used = 0
        self.renamed = False

    def rules(self, token: str = "ci-token") -> CiRules:
        return CiRules("github", self.REPOSITORY, self.url, token)

    def says(self, sha: str, name: str, state: str = "success", **more: Any) -> None:
        """A run of `.github/workflows/NAME.yml`; `state`: its conclusion, or `running`."""
        running = state == "running"
        self.runs.append(
            {
                "id": 1000 + len(self.runs),
                "name": name.capitalize(),
                "path": f".github/workflows/{name}.yml",
                "event": "push",
                "head_sha": sha,
                "head_branch": "main",
                "run_number": len(self.runs) + 1,
                "run_attempt": 1,
                "status": "in_progress" if running else "completed",
                "conclusion": None if running else state,
                "html_url": f"https://github.example/{self.REPOSITORY}/actions/runs/{1000 + len(self.runs)}",
            }
            | more
        )

    def rerun(self, state: str) -> None:
        """Run the last one again: the same run, the next attempt."""
        self.runs[-1] |= {"run_attempt": self.runs[-1]["run_attempt"] + 1, "status": "completed", "conclusion": state}

    def answer(self, asked: Asked) -> Answer:
        if not asked.headers.get("user-agent"):
            return Answer(403, {"message": "Request forbidden by administrative rules"})
        given = asked.headers.get("authorization", "")
        if given and given != f"Bearer {TOKEN}":
            return Answer(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        if self.used >= self.limit[bool(given)]:
            words = {"message": "API rate limit exceeded", "documentation_url": "https://docs.github.com/rest"}
            return Answer(403, words, self._limits(given))
        answer = self._routed(asked, bool(given))
        self.used += 1
        answer.headers |= self._limits(given)
        return answer

    def _limits(self, given: str) -> dict[str, str]:
        most = self.limit[bool(given)]
        return {
            "x-ratelimit-limit": str(most),
            "x-ratelimit-remaining": str(max(0, most - self.used)),
            "x-ratelimit-reset": str(int(self.now + HOUR / 2)),
        }

    def serve(self, handler: Any) -> None:
        before = self.unchanged
        super().serve(handler)
        if self.unchanged > before and handler.headers.get("Authorization"):
            self.used -= 1  # with a token, a 304 is free

    def _routed(self, asked: Asked, known: bool) -> Answer:
        absent = Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        named, numbered = f"/repos/{self.REPOSITORY}", "/repositories/17"
        if self.private and not known:
            return absent
        if self.renamed and asked.path.startswith(named):
            query = "&".join(f"{key}={value}" for key, value in asked.query.items())
            target = f"{self.url}{numbered}{asked.path.removeprefix(named)}?{query}"
            return Answer(301, {"message": "Moved Permanently", "url": target}, {"Location": target})
        if asked.path not in (f"{named}/actions/runs", f"{numbered}/actions/runs"):
            return absent
        rows = [run for run in self.runs[::-1] if self._wanted(run, asked)]
        page, headers = self.paged(rows, asked, "per_page", 100)
        return Answer(200, {"total_count": len(rows), "workflow_runs": page}, headers)

    def _wanted(self, run: dict[str, Any], asked: Asked) -> bool:
        """An empty head_sha filters nothing, an abbreviated one fits nothing."""
        sha, event = asked.query.get("head_sha", ""), asked.query.get("event", "")
        return (not sha or run["head_sha"] == sha) and (not event or run["event"] == event)
