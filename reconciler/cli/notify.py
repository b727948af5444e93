"""notify: does a notice reach people?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from reconciler.cli.frame import Answer, Frame, HelpfulGroup, give, global_options, settings_of
from reconciler.errors import Busy, Terminal
from reconciler.model.notice import Delivery

if TYPE_CHECKING:
    from reconciler.model.settings import Settings
    from reconciler.ports import Notifier

_SECONDS = 10.0


@click.group(cls=HelpfulGroup, short_help="Try whether notices reach people.")
@global_options
def notify() -> None:
    """Notices about passes, to the channels that fleet.yaml names under `notifications`."""


@notify.command(short_help="Send a test through every channel.")
@click.option("--failure", is_flag=True, help="As red as a failure, and with the call of the configured role.")
@global_options
@click.pass_obj
def test(frame: Frame, failure: bool) -> int:
    """Send a test through every channel of the fleet that was fetched last, and say what the other side answered."""
    from reconciler.core.notices.words import trial
    from reconciler.wiring import latest_notifications, make_notifiers, new_run
    from reconciler.wiring.clock import SystemClock

    settings = settings_of(frame)
    notifiers = make_notifiers(settings, latest_notifications(settings))
    if not notifiers:
        raise Terminal(
            "E-NOTICE-NONE",
            "nobody is to be told of anything",
            why="fleet.yaml, as it was fetched last, has no channel under `notifications`",
            next="write notifications: {discord: {webhook: {secret: NAME}}} there, push, and converge",
        )
    notice = trial(f"test-{new_run()}", settings.host, SystemClock().now(), failure=failure)
    answers = {notifier.name: notifier.post(notice, _SECONDS) for notifier in notifiers}
    _go_on(settings, [notifier for notifier in notifiers if answers[notifier.name].fate == "delivered"])
    data = {
        name: {"delivered": a.fate == "delivered", "message": a.message, "why": a.why} for name, a in answers.items()
    }
    bad = {name: answer for name, answer in answers.items() if answer.fate != "delivered"}
    error = _unsent(bad) if bad else None
    return give(
        frame,
        Answer(data, [_line(*each) for each in answers.items()], list(answers), (), int(bool(bad)), not bad, error),
    )


def _line(name: str, answer: Delivery) -> str:
    message = f" (message {answer.message})" if answer.message else ""
    return f"{name}: delivered{message}" if answer.fate == "delivered" else f"{name}: not delivered, {answer.why}"


def _unsent(bad: dict[str, Delivery]) -> Terminal:
    return Terminal(
        "E-NOTICE-UNSENT",
        f"no notice gets through to: {', '.join(bad)}",
        why="; ".join(f"{name}: {answer.why}" for name, answer in bad.items()),
        next="look at the secret with the address, and at the way out of this machine",
    )


def _go_on(settings: Settings, well: Sequence[Notifier]) -> None:
    """A channel that was given up gets its notices again; the next pass sends what waits."""
    from reconciler.adapters.lock import Holder, PassLock
    from reconciler.wiring import make_outbox
    from reconciler.wiring.clock import SystemClock

    outbox, names = make_outbox(settings), {notifier.name for notifier in well}
    if not names & outbox.load().stopped.keys():
        return

    def forget() -> None:
        box = outbox.load()
        outbox.save(replace(box, stopped={name: each for name, each in box.stopped.items() if name not in names}))

    holder = Holder(os.getpid(), SystemClock().now(), "notify test")
    try:
        PassLock(settings.state.directory).hold(holder, forget, settings.inbox.trigger)
    except Busy:
        return  # a pass writes there just now; the test can be repeated
