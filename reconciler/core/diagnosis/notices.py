"""Whether notices reach people: the webhooks as they answered, and what was given up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.counting import count
from reconciler.model.diagnosis import Finding
from reconciler.model.notice import Delivery

_CHECK = "notices"


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """`answers`: of channels that can be asked without telling anybody anything; `unasked`: the others.

    `waiting`: notices in the outbox; `stopped`: why a channel was given up.
    """

    answers: Mapping[str, Delivery]
    unasked: tuple[str, ...] = ()
    waiting: int = 0
    stopped: Mapping[str, str] | None = None


def notices(facts: NoticeFacts) -> Iterator[Finding]:
    """Nothing for a fleet that wants none. A host without notices deploys all the same, so nothing here fails."""
    for name, answer in facts.answers.items():
        if answer.fate == "delivered":
            yield Finding(_CHECK, "ok", f"the webhook of {name} is there")
        else:
            yield Finding(_CHECK, "warn", f"{name} does not take notices: {answer.why}", *_advice(answer))
    for name in facts.unasked:
        yield Finding(_CHECK, "ok", f"{name} is configured; `reconciler notify test` tells whether it answers")
    for name, why in (facts.stopped or {}).items():
        yield Finding(
            _CHECK,
            "warn",
            f"notices to {name} were given up: {why}",
            why="an address that is gone is not asked over and over",
            next="put the new address into its secret, then: reconciler notify test",
        )
    if facts.waiting and not facts.stopped:
        yield Finding(
            _CHECK,
            "warn",
            count(facts.waiting, "notice waits", "notices wait"),
            why="they could not be delivered yet",
            next="",
        )


def _advice(answer: Delivery) -> tuple[str, str]:
    if answer.fate == "stopped":
        return "the secret has no address of a webhook, or the webhook was deleted", "make one, and put it there"
    return "nobody is told of a failure while this lasts", "look at the way out of this machine"
