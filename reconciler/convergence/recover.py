"""What a pass that died left half done is finished or taken back, before anything else is looked at.

Forward when the new container already has the name: it was prepared and only needs to run. Backward in
every other case. Either way the planner then sees an ordinary host.
"""

from __future__ import annotations

from reconciler.convergence.exchange import REFRESH, REMOVE, orphaned, put_back
from reconciler.model.observed import Container, Observed
from reconciler.model.report import Intent
from reconciler.ports import Clock, ContainerEngine, Ledger, Progress


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
    intents = tuple(intent for intent in ledger.open_intents() if intent.kind != REFRESH)
    intents += orphaned(observed, owner, intents, clock.now())
    by_name = {c.name: c for c in observed.containers}
    backward = [intent for intent in intents if not _succeeded(intent, by_name)]
    for intent in intents:
        if intent not in backward:
            _forward(engine, by_name.get(intent.name), progress)
    if backward:
        names = ", ".join(intent.name for intent in backward)
        progress.say(f"putting back what was being replaced: {names}")
        put_back(engine, ledger, backward, observed)
    return bool(intents) | _clear_half_made(engine, observed, owner, {intent.name for intent in backward})


def _succeeded(intent: Intent, by_name: dict[str, Container]) -> bool:
    """Whether the old container is out of service and, unless it just had to go, its successor has the name."""
    holder = by_name.get(intent.name)
    if intent.kind.startswith(REMOVE):
        return holder is None or holder.id != intent.container
    return holder is not None and holder.id != intent.container


def _forward(engine: ContainerEngine, successor: Container | None, progress: Progress) -> None:
    if successor and successor.state == "created":
        progress.say(f"starting {successor.name}, which was put in place but not started")
        engine.start(successor.id)


def _clear_half_made(engine: ContainerEngine, observed: Observed, owner: str, done: set[str]) -> bool:
    """Containers that were made and never came into service are made again when they are still wanted."""
    half_made = [c for c in observed.containers if c.owner == owner and c.role == "new"]
    for container in half_made:
        if container.name.partition(".new-")[0] not in done:
            engine.remove(container.id)
    return bool(half_made)
