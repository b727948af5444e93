"""What a pass promises before its check-out: restarts that must not be forgotten, whoever carries them out."""

from __future__ import annotations

from reconciler.convergence.exchange import Exchange
from reconciler.convergence.gather import Picture
from reconciler.core.scope import left_stale
from reconciler.model.plan import Action


def promise_restarts(exchange: Exchange, picture: Picture) -> None:
    """A dead pass must not leave a container with a file that was put back under it, or in a namespace gone by.

    Nor must a narrowed one, with a file that it writes for a service of its own and that others mount as well.
    """
    for step in picture.plan.steps:
        if step.current and (step.action is Action.RESTART or (step.renews and step.action is not Action.KEEP)):
            exchange.promise_refresh(step.current)
    for container in left_stale(picture.whole, picture.plan, picture.wants, picture.drifted):
        exchange.promise_refresh(container)
