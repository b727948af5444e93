"""The gate's answer as people and programs read it; the same in plan, history and notice."""

from __future__ import annotations

from typing import Any

from reconciler.model.gate import Evidence, GateAnswer


def gate_lines(answer: GateAnswer) -> list[str]:
    """`CI passed: ...`, and a line for each run or status that was looked at."""
    held = "" if answer.open else "  (not deployed)"
    state = f"{answer.state}, let pass by a person" if answer.overridden else answer.state
    return [f"CI {state}: {answer.reason}{held}", *(f"  {_evidence_line(each)}" for each in answer.evidence)]


def _evidence_line(evidence: Evidence) -> str:
    run = f"run {evidence.run}, attempt {evidence.attempt}" if evidence.run else ""
    return "  ".join(part for part in (evidence.name, evidence.state, run, evidence.link) if part)


def gate_data(answer: GateAnswer) -> dict[str, Any]:
    """The answer for programs; `again`: epoch seconds, null for any time."""
    return {
        "sha": answer.sha,
        "state": answer.state,
        "open": answer.open,
        "overridden": answer.overridden,
        "reason": answer.reason,
        "again": answer.again or None,
        "evidence": [
            {
                "name": e.name,
                "state": e.state,
                "run": e.run or None,
                "attempt": e.attempt or None,
                "link": e.link or None,
            }
            for e in answer.evidence
        ],
    }
