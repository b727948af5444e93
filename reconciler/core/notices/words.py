"""A pass as a notice: its title, what it says, and the links that lead further."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from reconciler.core.counting import count
from reconciler.core.notices.decide import Telling
from reconciler.core.notices.deeds import done, drift, failed, several_of, some
from reconciler.core.notices.links import Forge
from reconciler.core.redact import Redactor
from reconciler.core.wording import counts
from reconciler.model.mail import Failing
from reconciler.model.notice import Detail, Link, Notice
from reconciler.model.plan import Action, Plan
from reconciler.model.result import Result

LOG_LINES = 15
_SUBJECTS = 5
_DONE = {
    Action.CREATE: "Added",
    Action.REPLACE: "Recreated",
    Action.REMOVE: "Removed",
    Action.RESTART: "Restarted",
    Action.START: "Started",
    Action.ADOPT: "Adopted",
    Action.UPDATE: "Updated",
}


def notices_of(result: Result, telling: Telling, forge: Forge, now: float, redactor: Redactor) -> tuple[Notice, ...]:
    """None for what is suppressed. No secret is in them, whatever the result carries."""
    if telling.state == "suppress":
        return ()
    result = _cleaned_log(result, redactor)
    if telling.state == "failure":
        made = _failure(result, telling, forge)
    elif telling.state == "full":
        made = _full(result, telling, forge)
    else:
        made = _condensed(result, telling, forge)
    made = replace(made, run=result.run, at=now, footer=_footer(result), facts=_facts(result), ping=telling.ping)
    notices = [replace(made, key=telling.key, instead=telling.instead)]
    if telling.edits_progress:
        short = replace(made, key=result.run, ping=False, details=made.details[:3])
        notices.insert(0, short)
    return tuple(cleaned(notice, redactor) for notice in notices)


def deploying(run: str, host: str, phase: str, now: float, redactor: Redactor, *, healing: bool = False) -> Notice:
    """That a pass is at work for a while already; its end takes this message's place."""
    title, text = f"{host}: {'healing' if healing else 'deploying'}", f"it takes longer; now: {phase}"
    return cleaned(Notice(run, run, "deploying", title, text=text, footer=f"run {run}", at=now, silent=True), redactor)


def abandoned(run: str, host: str, now: float) -> Notice:
    """The end of a message that a pass which died left behind."""
    text = "the pass ended without a word (killed, or the machine was switched off); the next one looks after it"
    return Notice(run, run, "condensed", f"{host}: a pass broke off", text=text, footer=f"run {run}", at=now)


def ended(result: Result, now: float, redactor: Redactor) -> Notice:
    """The end of a message about a pass that has no news otherwise."""
    title = f"{result.host}: {result.outcome}"
    made = Notice(result.run, result.run, "condensed", title, text=result.reason, footer=_footer(result), at=now)
    return cleaned(made, redactor)


def late(notice: Notice) -> Notice:
    """The same with a word about when it comes."""
    return replace(notice, footer=f"{notice.footer} · told late: the pass ended before it could")


def trial(run: str, host: str, now: float, *, failure: bool) -> Notice:
    """What `notify test` sends."""
    title = f"{host}: a test, nothing has failed" if failure else f"{host}: a test"
    text = "reconciler notify test: whoever reads this would have been told of a deploy"
    details = (Detail("Next", "nothing; all is well"),) if failure else ()
    return Notice(
        run, run, "failure" if failure else "test", title, "", text, details, footer=f"run {run}", at=now, ping=failure
    )


def cleaned(notice: Notice, redactor: Redactor) -> Notice:
    """Without any secret, in whatever form (I20)."""
    clean = redactor.clean
    return replace(
        notice,
        title=clean(notice.title),
        url=clean(notice.url),
        text=clean(notice.text),
        details=tuple(replace(d, name=clean(d.name), value=clean(d.value)) for d in notice.details),
        links=tuple(Link(clean(link.label), clean(link.url)) for link in notice.links),
        facts=tuple((name, clean(value)) for name, value in notice.facts),
    )


def _cleaned_log(result: Result, redactor: Redactor) -> Result:
    """Before lines are chosen: a secret of several lines must not be cut in two."""
    return replace(result, log=tuple(redactor.clean("\n".join(result.log)).splitlines()))


def _failure(result: Result, telling: Telling, forge: Forge) -> Notice:
    error, row = result.error, telling.row
    again = f" ×{row.same}" if row and row.same > 1 else ""
    title = f"{where(result)}: {failed(result)}{again}"
    first, *more = (error.why if error else "").splitlines() or [""]
    log = [line for line in result.log or more if line != first][-LOG_LINES:]
    step = " ".join(part for part in (result.phase, f"[{error.code}]" if error else "") if part)
    details = [
        Detail("Failed step", step),
        Detail("Error", first),
        Detail("Log", "\n".join(log), code=True),
        Detail("Drift", drift(result)),
        Detail("What runs now", _runs_now(result)),
        Detail("Rollback", _rollback(result)),
        Detail("Next", error.next if error else "reconciler status"),
        Detail("Attempt", _attempt(result, row)),
        Detail("Schema", _ahead(result)),
        *_by_persons(result),
        *_common(result),
    ]
    links = tuple(_links(result, forge))
    return Notice("", "", "failure", title, _first_url(links), result.reason, _said(details), links)


def _full(result: Result, telling: Telling, forge: Forge) -> Notice:
    row = telling.row if telling.recovered else None
    deed = f"{done(result) if result.outcome == 'succeeded' else 'well at'} {result.revision[:7]}"
    again = f", well again after {_failures(row, result)}" if row else ""
    details = [
        Detail("Drift", drift(result)),
        Detail("Migrations", "\n".join(f"{m.stack}/{m.name}: {m.result}, {span(m.seconds)}" for m in result.migrated)),
        *_changed(result.plan),
        Detail("Changes", _statistics(result)),
        Detail("Commits", _subjects(result)),
        Detail("Health", _health(result)),
        Detail("Unblocked", ", ".join(sha[:7] for sha in result.cleared)),
        *_by_persons(result),
        *_common(result),
    ]
    links = tuple(_links(result, forge))
    title = f"{where(result)}: {deed}{again}"
    return Notice("", "", "full", title, _first_url(links), _counted(result), _said(details), links)


def _condensed(result: Result, telling: Telling, forge: Forge) -> Notice:
    if telling.key.endswith("/held"):
        text = result.reason if result.outcome == "paused" else result.held or result.reason
        title = f"{result.host}: {'paused' if result.outcome == 'paused' else 'held back'}"
        links = tuple(_links(result, forge))
        return Notice("", "", "condensed", title, _first_url(links), text, (), links, silent=True)
    storm = telling.storm
    several = storm is not None and storm.count > 1
    base = storm.base if several and storm else result.base
    deed = several_of(storm) if several and storm else done(result)
    moved = f"{base[:7]} → " if base and base != result.revision else ""
    text = f"{moved}{result.revision[:7]}: {_counted(result)}, {span(result.seconds)}"
    text += f", by {result.actor}" if result.actor else ""
    links = tuple(_links(replace(result, base=base), forge))
    title = f"{where(result)}: {deed} {result.revision[:7]}"
    details = _said([Detail("Drift", drift(result)), *_by_persons(result)])
    return Notice("", "", "condensed", title, _first_url(links), text, details, links)


def where(result: Result) -> str:
    """`host` or `host · stack`; many stacks are counted."""
    steps = result.plan.steps if result.plan else ()
    stacks = list(dict.fromkeys([*(step.slot.stack for step in steps), *(m.stack for m in result.migrated)]))
    shown = ", ".join(stacks) if len(stacks) <= 3 else f"{len(stacks)} stacks"
    return f"{result.host} · {shown}" if shown else result.host


def span(seconds: float) -> str:
    """`0.4 s`, `14 min`, `3 h`."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"


def _common(result: Result) -> Iterator[Detail]:
    old, new = result.base[:7], result.revision[:7]
    yield Detail("Revision", f"{old} → {new}" if old and new and old != new else new or old)
    yield Detail("Took", span(result.seconds))
    yield Detail("By", result.actor)


def _by_persons(result: Result) -> Iterator[Detail]:
    """What went past the rules of the house, and who wanted it."""
    if result.command == "rollback":
        yield Detail("Why", result.reason)
    yield Detail("CI", result.gate.reason if result.gate and result.gate.overridden else "")
    yield Detail("By hand", "\n".join(result.by_hand))


def _said(details: list[Detail]) -> tuple[Detail, ...]:
    return tuple(detail for detail in details if detail.value.strip())


def _runs_now(result: Result) -> str:
    if result.error and result.error.unchanged:
        return result.error.unchanged
    if result.back and result.back.to:
        return f"everything as of {result.back.to[:7]}"
    return "what ran before" if result.plan is None else ""


def _rollback(result: Result) -> str:
    back = result.back
    if back is None:
        return {"rolled-back": "done", "halted": "did not succeed; everything is left as it stands"}.get(
            result.outcome, "none: nothing that runs was touched" if result.plan is None else ""
        )
    if back.trouble:
        return f"not whole: {back.trouble}"
    to = back.to[:7] or "what ran before"
    return f"{to} serves again after {span(back.seconds)}"


def _ahead(result: Result) -> str:
    ahead = result.back.ahead if result.back else ()
    return f"ahead of the code: {', '.join(ahead)} had run, and nothing is migrated back" if ahead else ""


def _attempt(result: Result, row: Failing | None) -> str:
    count = result.attempt or (row.same if row else 1)
    return str(count)


def _failures(row: Failing, result: Result) -> str:
    ended = result.started + result.seconds
    lasted = f", {span(ended - row.since)}" if result.started and ended > row.since else ""
    return f"{count(row.total, 'failure')}{lasted}"


def _changed(plan: Plan | None) -> Iterator[Detail]:
    """Images old -> new, then services by what became of them."""
    if plan is None:
        return
    images = {
        f"{step.current.image} → {step.spec.image}": None
        for step in plan.steps
        if step.current and step.spec and step.current.image != step.spec.image
    }
    yield Detail("Images", some(list(images), "\n"))
    for action, word in _DONE.items():
        slots = [f"{s.slot.stack}/{s.slot.service}" for s in plan.steps if s.action is action]
        yield Detail(word, some(list(dict.fromkeys(slots)), ", "))


def _statistics(result: Result) -> str:
    changes = result.changes
    if changes is None or not changes.files:
        return ""
    return f"{count(changes.files, 'file')}, +{changes.insertions} -{changes.deletions}"


def _subjects(result: Result) -> str:
    changes = result.changes
    if changes is None:
        return ""
    more = len(changes.commits) - _SUBJECTS + changes.more
    lines = [f"{commit.sha[:7]} {commit.subject}" for commit in changes.commits[:_SUBJECTS]]
    return "\n".join([*lines, f"+{more}"] if more > 0 else lines)


def _health(result: Result) -> str:
    plan = result.plan
    if plan is None:
        return ""
    verified = len(plan.satisfied) + sum(step.spec is not None for step in plan.steps)
    findings = "; ".join(plan.findings)
    return f"{count(verified, 'container')} verified" + (f"; {findings}" if findings else "")


def _counted(result: Result) -> str:
    return counts(result.plan) if result.plan and not result.plan.empty else result.reason


def _links(result: Result, forge: Forge) -> Iterator[Link]:
    if url := forge.commit(result.revision):
        yield Link(f"commit {result.revision[:7]}", url)
    if url := forge.compare(result.base, result.revision):
        yield Link("compare", url)
    for evidence in result.gate.evidence if result.gate else ():
        if re.match(r"https?://", evidence.link):
            yield Link(f"CI: {evidence.name}", evidence.link)


def _first_url(links: tuple[Link, ...]) -> str:
    """Where the title leads: what changed, else the commit."""
    urls = {link.label: link.url for link in reversed(links)}
    return urls.get("compare", "") or (links[0].url if links else "")


def _footer(result: Result) -> str:
    return f"run {result.run} · {result.host}"


def _facts(result: Result) -> tuple[tuple[str, str], ...]:
    return (
        ("host", result.host),
        ("outcome", result.outcome),
        ("exit_code", str(result.exit_code)),
        ("revision", result.revision),
        ("base", result.base),
        ("code", result.error.code if result.error else ""),
        ("actor", result.actor),
        ("seconds", f"{result.seconds:.3f}"),
    )
