"""What a look at something brought -> a sample; samples -> is it good, not yet, or bad, and why.

What a failure is called (`missed`) says the same at every pass, so that it is known again; what came is in `came`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.counting import count
from reconciler.core.verdict import GOOD, State, Verdict, started
from reconciler.errors import ReconcilerError, Terminal
from reconciler.model.observed import Container, Slot
from reconciler.model.probe import ExecCheck, FileCheck, HttpAnswer, HttpCheck, Probe, Scalar

MOST_TOLD = 400
"""Characters of an answer that are told."""

_KINDS = {"HttpCheck": "HTTP", "ExecCheck": "EXEC", "TcpCheck": "TCP", "FileCheck": "FILE"}
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. `missed`: what does not hold, "" when all does; `came`: what was there instead, all of it."""

    missed: str = ""
    came: str = ""

    @property
    def good(self) -> bool:
        return not self.missed


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a probe stands: how many samples in a row were good, and the last that was not. It only moves forward."""

    row: int = 0
    verdict: Verdict = field(default=Verdict(State.WAITING))
    bad: Sample = Sample()

    def after(self, sample: Sample, probe: Probe, seconds: float, needed: int) -> Standing:
        """With one more sample, taken `seconds` after the first; `needed`: how many must be good in a row."""
        if self.verdict.state is not State.WAITING:
            return self
        row = self.row + 1 if sample.good else 0
        bad = self.bad if sample.good else sample
        if row >= needed:
            return Standing(row, GOOD, bad)
        if seconds < probe.within:
            return Standing(row, self.verdict, bad)
        reason = bad.missed or f"it answered {row} of {needed} times within {probe.within:g} s"
        return Standing(row, Verdict(State.BAD, reason), bad)


def failure(probe: Probe, slot: Slot, standing: Standing, came: str) -> ReconcilerError:
    """What is told of a probe that did not hold. `came`: what was there instead, without any secret."""
    kind = _KINDS.get(type(probe.check).__name__, "CONTAINERS")
    place = str(slot) if slot.service else slot.stack
    reason = standing.verdict.reason
    return Terminal(
        f"E-VERIFY-{kind}",
        f"{place}: {probe.name}: {reason}",
        why=shown(probe, came)
        or f"it was tried for {probe.within:g} s and did not hold {count(probe.samples, 'time')} in a row",
        next="mend it and push; if the probe is wrong or needs more time, mend it under x-reconciler.verify",
    )


def shown(probe: Probe, came: str) -> str:
    """Enough of it to see what it is, of a command its last words.

    `came` has no secret in it any more: half of one that was cut in two would not be known again (I20).
    """
    text = came.strip()
    if len(text) <= MOST_TOLD:
        return text
    return f"...{text[-MOST_TOLD:]}" if isinstance(probe.check, ExecCheck) else f"{text[:MOST_TOLD]}..."


def http(check: HttpCheck, answer: HttpAnswer) -> Sample:
    """Whether the answer has the status, the values and the text that it should."""
    if answer.trouble:
        return Sample("no answer", answer.trouble)
    told = f"it answered {answer.status}: {answer.body.decode('utf-8', 'replace')}"
    if answer.status != check.status:
        return Sample(f"status {answer.status} instead of {check.status}", told)
    if answer.cut and (check.json or check.body):
        return Sample(f"the answer is larger than {len(answer.body)} bytes")
    if check.body and check.body not in answer.body.decode("utf-8", "replace"):
        return Sample(f"the answer does not hold {check.body!r}", told)
    return _values(check, answer.body, told) if check.json else Sample()


def _values(check: HttpCheck, body: bytes, told: str) -> Sample:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return Sample("the answer is no JSON", told)
    for path, wanted in check.json:
        found = _at(document, path)
        if found is _MISSING:
            return Sample(f"the answer has no {path}", told)
        if not _same(found, wanted):
            return Sample(f"{path} is not {json.dumps(wanted)}", f"{path} is {json.dumps(found)}")
    return Sample()


def _at(document: Any, path: str) -> Any:
    """The value at keys and indexes joined by `/`; the document itself for an empty path."""
    here = document
    for part in path.split("/") if path else ():
        if isinstance(here, dict) and part in here:
            here = here[part]
        elif isinstance(here, list) and part.isdecimal() and len(part) < 9 and int(part) < len(here):
            here = here[int(part)]
        else:
            return _MISSING
    return here


def _same(found: Any, wanted: Scalar) -> bool:
    """Equal and of one kind: `true` is not 1, and "1" is no number."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def command(code: int, log: str) -> Sample:
    """Whether a command in a container ended well; 124 is that of one that took too long, as timeout(1) has it."""
    if code == 0:
        return Sample()
    return Sample("it did not end in time" if code == 124 else f"it ended with {code}", log)


def file(check: FileCheck, content: bytes | None) -> Sample:
    """Whether a file is there and holds what it should; what else it holds is nobody's business."""
    if content is None:
        return Sample("there is no such file, or it cannot be read") if check.exists else Sample()
    if not check.exists:
        return Sample("the file is there")
    return Sample() if check.contains.encode() in content else Sample(f"it does not hold {check.contains!r}")


def containers(wanted: Sequence[tuple[Slot, bool]], seen: Mapping[Slot, Container]) -> Sample:
    """Whether all are up and healthy. `wanted`: slots, and whether what fills them is a job."""
    bad = [(slot, verdict) for slot, job in wanted if (verdict := started(seen.get(slot), job=job)) != GOOD]
    if not bad:
        return Sample()
    return Sample(
        f"{', '.join(slot.service for slot, _ in bad)} not well", "; ".join(f"{s}: {v.reason}" for s, v in bad)
    )
