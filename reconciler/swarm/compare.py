"""Whether what is assigned lies with the drones, and nothing else does: mends what a crash left between two steps."""

from __future__ import annotations

from reconciler.model.queue import Attempt
from reconciler.ports.swarm import DispatchEngine
from reconciler.swarm.board import Board
from reconciler.swarm.dispatch import offer


def compare(board: Board, engine: DispatchEngine, timeout: float) -> tuple[Attempt, ...]:
    """Offer what was never offered, withdraw what nobody stands behind; the leases that the engine has lost."""
    gone: list[Attempt] = []
    for drone in board.drones:
        held = {(lease.build, lease.attempt): lease for lease in board.held_by(drone)}
        there = engine.outstanding(drone)
        for build, attempt in sorted(there - held.keys()):
            engine.withdraw(drone, build, attempt)
        missing = [lease for key, lease in held.items() if key not in there]
        for lease in missing:
            engine.offer(drone, offer(board, lease, timeout))
        if missing:
            there = engine.outstanding(drone)
            gone += [lease for lease in missing if (lease.build, lease.attempt) not in there]
    if gone:  # asked for after `outstanding`: what was finished in between is in the one or the other
        ended = {(each.outcome.build, each.outcome.attempt) for each in engine.outcomes()}
        gone = [lease for lease in gone if (lease.build, lease.attempt) not in ended]
    return tuple(gone)
