"""A pass that is over becomes notices: kept first, then delivered as far as a short time allows; the rest waits.

Nothing here may change how a pass ends (I15): whatever goes wrong is a line of progress and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from threading import Lock

from reconciler.convergence.world import Interrupted
from reconciler.core.notices import mailbox
from reconciler.core.redact import Redactor
from reconciler.errors import ReconcilerError
from reconciler.model.mail import Letter, Mailbox
from reconciler.model.notice import Notice, Notifications
from reconciler.model.report import Run
from reconciler.model.result import Result
from reconciler.ports import Clock, Notifier, Outbox

BUDGET = 10.0
"""Seconds that a pass spends on telling; what was not delivered by then waits for the next one."""
PATIENCE = 5.0
"""Seconds for one notice."""
_MOST = 30
"""Notices sent at once."""

NEWS = ("succeeded", "failed", "rolled-back", "halted")
"""Ends of a pass that people may have to hear of although the pass could not say so itself."""

Notifiers = Callable[[Notifications], Sequence[Notifier]]


class Teller:
    """`redactor` knows every secret of the host; `url`: the repository's; `say`: one line for whoever watches.

    Safe to share between the thread of the pass and the one that says that it takes long.
    """

    def __init__(
        self,
        outbox: Outbox,
        notifiers: Notifiers,
        redactor: Callable[[], Redactor],
        clock: Clock,
        say: Callable[[str], None],
        host: str,
        url: str,
    ) -> None:
        self._outbox, self._notifiers, self._redactor, self._clock, self._say = outbox, notifiers, redactor, clock, say
        self._host, self._url = host, url
        self._lock = Lock()

    @property
    def wanted(self) -> bool:
        """Whether anybody wants to be told, as far as the pass before this one knew."""
        return bool(self._outbox.load().wanted.channels)

    def tell(self, result: Result, history: Sequence[Run], wanted: Callable[[str], Notifications]) -> int:
        """How many notices wait then. `history`: the latest runs first; `wanted`: what a revision's fleet asks for."""
        with self._lock:
            before = self._outbox.load()
            box = self._informed(before, result, wanted)
            if box.wanted.channels:
                box = self._told(box, result, history)
            saved = self._saved(box) if box != before else True
            return len(self._delivered(box, saved=saved).waiting)

    def deploying(self, run: str, phase: str, *, healing: bool = False) -> None:
        """Say that a pass takes long; its end takes the place of this message."""
        with self._lock:
            box = self._outbox.load()
            if box.memory.deploying == run or run in box.memory.told:
                return
            from reconciler.core.notices.words import deploying

            now = self._clock.now()
            notice = deploying(run, self._host, phase, now, self._redactor(), healing=healing)
            box = mailbox.put(box, notice, box.wanted.channels, now)
            box = replace(box, memory=replace(box.memory, deploying=run))
            if self._saved(box):
                self._delivered(box, PATIENCE)

    def _informed(self, box: Mailbox, result: Result, wanted: Callable[[str], Notifications]) -> Mailbox:
        """The box with what the fleet of the result's revision wants; a fleet that cannot be read changes nothing."""
        if not result.revision or result.revision == box.revision:
            return box
        try:
            asked = wanted(result.revision)
        except (ReconcilerError, LookupError):
            return box
        since = box.memory.since or (result.run if asked.channels else "")
        return replace(box, wanted=asked, revision=result.revision, memory=replace(box.memory, since=since))

    def _told(self, box: Mailbox, result: Result, history: Sequence[Run]) -> Mailbox:
        from reconciler.core.notices.decide import decide
        from reconciler.core.notices.links import forge_of
        from reconciler.core.notices.words import abandoned, ended, late, notices_of

        redactor, now = cache(self._redactor), self._clock.now()  # who has no news needs none
        forge = forge_of(self._url, box.wanted.links)
        left = box.memory.deploying
        if left and left != result.run:
            box = self._put(box, [abandoned(left, self._host, now)], now)
            box = replace(box, memory=replace(box.memory, deploying=""))
        for each in (*_untold(history, box, result.run), result):
            unread = frozenset(e.notice.key for e in box.waiting if not mailbox.message_of(e, box))
            at_work = box.memory.deploying == each.run
            telling, memory = decide(each, box.memory, now, unread)
            notices = list(notices_of(each, telling, forge, now, redactor()) if telling.state != "suppress" else ())
            if at_work and not any(notice.key == each.run for notice in notices):
                notices.append(ended(each, now, redactor()))
            if each is not result:
                notices = [late(notice) for notice in notices]
            box = self._put(replace(box, memory=memory), notices, now)
        return box

    def _put(self, box: Mailbox, notices: Sequence[Notice], now: float) -> Mailbox:
        for notice in notices:
            box = mailbox.put(box, notice, box.wanted.channels, now)
        return box

    def _delivered(self, box: Mailbox, budget: float = BUDGET, *, saved: bool = True) -> Mailbox:
        """As much as the time allows. What could not even be kept is sent when it is urgent: silence is worse."""
        if not box.waiting:
            return box
        notifiers = {notifier.name: notifier for notifier in self._notifiers(box.wanted)}
        addressed = mailbox.readdressed(box, {name: notifier.address for name, notifier in notifiers.items()})
        if addressed is not box:
            box, saved = addressed, self._saved(addressed)
        until = self._clock.now() + budget
        for _ in range(_MOST):
            now = self._clock.now()
            letter = mailbox.due(box, now, notifiers)
            if letter is None or now >= until:
                wait = mailbox.next_due(box, notifiers) - now
                if not 0 < wait < until - now:
                    break
                try:
                    self._clock.sleep(wait)
                except (Interrupted, KeyboardInterrupt):  # the pass is over already, and how it ended stands
                    break
                continue
            if not saved and not letter.notice.ping:
                break
            box, saved = self._sent(box, letter, notifiers[letter.channel], until - now)
        return box

    def _sent(self, box: Mailbox, letter: Letter, notifier: Notifier, seconds: float) -> tuple[Mailbox, bool]:
        """One letter on its way, and the box with what came of it; both are kept before anything else happens."""
        notice = letter.notice
        if letter.begun:
            notice = replace(notice, footer=f"{notice.footer} · it may have been told before")
        box = mailbox.begun(box, letter)
        self._saved(box)
        message, seconds = mailbox.message_of(letter, box), min(seconds, PATIENCE)
        delivery = notifier.edit(message, notice, seconds) if message else notifier.post(notice, seconds)
        if delivery.fate != "delivered":
            self._say(f"notice to {notifier.name} {_WORDS[delivery.fate]}: {delivery.why}")
        box = mailbox.settled(box, letter, delivery, self._clock.now(), notifier.address)
        return box, self._saved(box)

    def _saved(self, box: Mailbox) -> bool:
        try:
            self._outbox.save(box)
        except ReconcilerError as error:
            self._say(f"{error}")
            return False
        return True


_WORDS = {
    "later": "waits",
    "refused": "was refused",
    "missing": "is told anew, its message is gone",
    "stopped": "is not sent any more",
}


def _untold(history: Sequence[Run], box: Mailbox, current: str) -> Iterator[Result]:
    """Runs that ended, and died before they could say so; the oldest first."""
    memory = box.memory
    for run in reversed(history):
        news = run.outcome in NEWS and run.command in ("converge", "deploy", "rollback")
        if news and memory.since < run.id < current and run.id not in memory.told:
            yield _remembered(run)


def _remembered(run: Run) -> Result:
    """As much of a result as the history has of it."""
    failed = ReconcilerError("", run.reason, why=run.detail) if run.outcome in NEWS and run.exit_code else None
    return Result(
        run.id,
        run.outcome,
        run.exit_code or 0,
        run.reason,
        revision=run.revision,
        base=run.base,
        error=failed,
        seconds=(run.ended or run.started) - run.started,
        command=run.command,
        actor=run.actor,
        host=run.host,
        started=run.started,
    )
