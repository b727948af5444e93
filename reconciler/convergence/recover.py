"""What a pass that died left half done is finished or taken back, before anything else is looked at.

Forward when the new container already has the name: it was prepared and only needs to run. Backward in
every other case. Either way the planner then sees an ordinary host.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reconciler.convergence.exchange import REFRESH, REMOVE, STOPPED
from reconciler.convergence.put_back import joined, orphaned, put_back
from reconciler.core.overlap import claims
from reconciler.errors import ReconcilerError, Terminal, Unreachable
from reconciler.model.observed import Container, Observed
from reconciler.model.report import Intent
from reconciler.ports import Clock, ContainerEngine, Ledger, Progress

_REMEMBERED = 1000
"""How many runs back the ledger is asked for; half-made containers are a pass or two old."""


def recover(
    engine: ContainerEngine, ledger: Ledger, clock: Clock, progress: Progress, observed: Observed, owner: str, own: str
) -> bool:
    """Whether anything had to be done; the caller then observes again. `own` is the run that recovers."""
    for run in ledger.unfinished():
        if run.id == own:
            continue
        progress.say(f"pass {run.id} did not end; looking after what it left")
        ledger.finish(
            run.id, ended=clock.now(), outcome="interrupted", exit_code=130, reason="it died and was recovered"
        )
    intents = _promises(ledger, observed)
    remembered = {run.id for run in ledger.runs(_REMEMBERED)}
    intents += orphaned(observed, owner, intents, remembered, clock.now())
    successors = _successors(intents, observed)
    backward = _backward(_latest(intents), successors, observed)
    for intent in intents:
        if intent not in backward:
            _forward(engine, successors.get(intent.container), progress)
    if backward:
        names = {intent.name: intent for intent in backward}
        progress.say(f"putting back what was being replaced: {', '.join(names)}")
        _put_back(engine, ledger, progress, backward, observed, {intent.container for intent in intents})
    return bool(intents) | _clear_half_made(engine, observed, owner, {intent.name for intent in backward})


def _promises(ledger: Ledger, observed: Observed) -> tuple[Intent, ...]:
    """Open promises; those about containers that are gone have nothing left to keep."""
    there = {c.id for c in observed.containers}
    opened = ledger.open_intents()
    for intent in opened:
        if intent.container not in there:
            ledger.settle(intent.run, intent.container)
    return tuple(i for i in opened if i.container in there and i.kind != REFRESH)


def _latest(intents: Sequence[Intent]) -> list[Intent]:
    """For each name only what was promised of the container that had it last; its predecessors wait for a verdict."""
    last = {intent.name: intent.container for intent in intents}
    return [intent for intent in intents if last[intent.name] == intent.container]


def _put_back(
    engine: ContainerEngine,
    ledger: Ledger,
    progress: Progress,
    intents: Sequence[Intent],
    observed: Observed,
    spared: Collection[str],
) -> None:
    """What does not start again is left to the planner: its network may be gone, or what it shares one with."""
    try:
        put_back(engine, ledger, intents, observed, spared)
    except Terminal as error:
        progress.say(error.what)


def _successors(intents: Sequence[Intent], observed: Observed) -> dict[str, Container]:
    """By the id of an old container: who is in service in its slot now. It may have another name than the old one."""
    old = {c.id: c for c in observed.containers if c.id in {intent.container for intent in intents}}
    serving = {(c.owner, c.slot): c for c in observed.containers if c.role == "current" and c.id not in old}
    found = ((id, serving.get((c.owner, c.slot))) for id, c in old.items())
    return {id: successor for id, successor in found if successor}


def _backward(intents: Sequence[Intent], successors: Mapping[str, Container], observed: Observed) -> list[Intent]:
    """Those that did not come to their end, and those without which one of them cannot serve again.

    That is whoever lent it a namespace, and whoever's successor has its name, port or address now.
    """
    containers = {c.id: c for c in observed.containers}
    backward = [i for i in intents if not _succeeded(i, containers[i.container], successors)]
    settled = False
    while not settled:
        needed = {claim for i in backward for claim in _claims(containers[i.container], i.name)}
        lent = {host for i in backward for host in joined(containers[i.container])}
        taken = {id for id, new in successors.items() if needed & _claims(new, new.name)}
        more = [i for i in intents if i not in backward and i.container in lent | taken]
        backward += more
        settled = not more
    return [intent for intent in intents if intent in backward]


def _claims(container: Container, name: str) -> set[str]:
    asked = (container.definition.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    return set(claims(name, container.definition, asked))


def _succeeded(intent: Intent, old: Container, successors: Mapping[str, Container]) -> bool:
    """Whether the old container is out of service and, unless it just had to go, another serves in its place.

    One that stands still where the old one ran was stopped by an undo that died, or by a reboot before its verdict.
    """
    if old.name == intent.name:
        return False
    successor = successors.get(intent.container)
    halted = successor is not None and successor.state == "exited" and not intent.kind.endswith(STOPPED)
    return intent.kind.startswith(REMOVE) or (successor is not None and not halted)


def _forward(engine: ContainerEngine, successor: Container | None, progress: Progress) -> None:
    """One that does not start is for the planner, too: only a whole pass can give its verdict and undo it."""
    if successor and successor.state == "created":
        progress.say(f"starting {successor.name}, which was put in place but not started")
        try:
            engine.start(successor.id)
        except Unreachable:
            raise
        except ReconcilerError as error:
            progress.say(error.what)


def _clear_half_made(engine: ContainerEngine, observed: Observed, owner: str, done: set[str]) -> bool:
    """Containers that were made and never came into service are made again when they are still wanted."""
    half_made = [c for c in observed.containers if c.owner == owner and c.role == "new"]
    for container in half_made:
        if container.name.partition(".new-")[0] not in done:
            engine.remove(container.id)
    return bool(half_made)
