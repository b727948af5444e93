"""Whether the gate of the fleet can do its work: the server answers, takes our token, and has what is required."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reconciler.core.counting import count
from reconciler.core.diagnosis.commands import shell
from reconciler.core.diagnosis.remote import nearest
from reconciler.errors import ReconcilerError
from reconciler.model.diagnosis import Finding
from reconciler.model.gate import CiRules

_TOKEN = ("E-CI-AUTH", "E-CI-TOKEN", "E-CI-ABSENT")


@dataclass(frozen=True, slots=True)
class CiFacts:
    """`runs`: how many were told of `revision`; `error`: what a pass would meet. `missing`: required names that no
    workflow of the revision has; `workflows`: the files that it has. `withheld`: systemd keeps the token for its
    service; `secrets`: the folder of the host's secrets.
    """

    rules: CiRules
    revision: str
    secrets: str = ""
    missing: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    runs: int = 0
    error: ReconcilerError | None = None
    withheld: bool = False

    def answered(self, runs: int) -> CiFacts:
        return replace(self, runs=runs)

    def failed(self, error: ReconcilerError) -> CiFacts:
        return replace(self, error=error)

    def withheld_from_us(self) -> CiFacts:
        return replace(self, withheld=True)


def ci(facts: CiFacts) -> Iterator[Finding]:
    """What is wrong with the gate, or that nothing is."""
    if facts.rules.provider == "none":
        yield Finding("ci", "ok", "the fleet wants no gate (ci.provider: none)")
    elif facts.withheld:
        yield Finding(
            "ci",
            "warn",
            "the CI server was not asked: systemd hands the token over to the service of the passes alone",
            next="the command runs a pass, which asks it; then: reconciler history",
            mend="systemctl start reconciler.service",
        )
    elif facts.error:
        yield _failed(facts, facts.error)
    else:
        told = f"{count(facts.runs, 'run')} of {facts.revision[:7]}"
        yield Finding("ci", "ok", f"{_who(facts.rules)} answers: {told}")
    for name in facts.missing:
        if facts.rules.provider == "github" or _is_file(name):  # elsewhere other systems leave statuses, too
            yield _missing(name, facts)


def _who(rules: CiRules) -> str:
    return f"{rules.provider} for {rules.repository}" if rules.repository else "the CI server"


def _failed(facts: CiFacts, error: ReconcilerError) -> Finding:
    """The token is the likeliest cause of not being allowed to see a repository."""
    name = facts.rules.token
    paste = bool(name) and error.code in _TOKEN
    write = shell("install", "-D", "-m", "600", "/dev/stdin", f"{facts.secrets}/{name}") if paste else ""
    hint = "; run the command, paste a new token, end with Enter and Ctrl-D" if paste else ""
    return Finding("ci", "fail", f"{error.what} [{error.code}]", why=error.why, next=f"{error.next}{hint}", mend=write)


def _missing(name: str, facts: CiFacts) -> Finding:
    """A file that is not there is never waited for, so a mistyped one would leave the gate open."""
    meant = nearest(name, facts.workflows)
    effect = "a gate that requires it alone is always open" if _is_file(name) else "a commit waits for it for ever"
    return Finding(
        "ci",
        "fail" if _is_file(name) else "warn",
        f"ci.require names {name}, which {facts.revision[:7]} does not have",
        why=f"{effect}; its workflows: {', '.join(facts.workflows) or 'none'}",
        next=f"mend ci.require in fleet.yaml{f': {meant}?' if meant else ''}, or push the workflow",
    )


def _is_file(name: str) -> bool:
    return name.endswith((".yml", ".yaml"))
