"""A rollback that died, or whose engine did, is finished by the next pass: a person decided it, and what runs was to be
turned away from."""

from __future__ import annotations

from dataclasses import replace

from reconciler.convergence.world import Request, World

_BACK = 50
"""How many runs the ledger is asked for: those that died, or found a pause, since the rollback began."""


def taken_up(world: World, request: Request) -> Request:
    """What this pass has to do: the rollback that never came to its end, else what was asked for.

    Whatever came to a verdict since then has overtaken it; so has a person who asks for something else now.
    """
    if request.command != "converge":
        return request
    for run in world.ledger.runs(_BACK):
        if run.command == "rollback" and run.died:
            return _finishing(world, request, run.revision, run.id)
        if not run.told_nothing:
            break
    return request


def _finishing(world: World, request: Request, revision: str, run: str) -> Request:
    if not revision or not world.repository.has(revision):
        return request
    world.progress.say(f"the rollback {run} did not end; finishing it")
    return replace(request, command="rollback", revision=revision, reason=f"the rollback {run} died before its end")
