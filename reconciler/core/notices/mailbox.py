"""The outbox as a value: what waits, what was delivered, and what becomes of it with every answer.

A letter says what a message shall hold. So a newer one for the same message takes the place of an older that still
waits, and whether it is posted or edits what is there already is seen when it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.core.counting import count
from reconciler.model.mail import Letter, Mailbox, Stopped
from reconciler.model.notice import ROUTINE, Delivery, Detail, Notice

MOST = 10
"""Letters that may wait in one channel; more are summed up, the routine first, so that no outage ends in a flood."""
LINES = 20
"""Lines of such a sum; what is older is counted."""
_BEFORE = "and "
_REMEMBERED = 60
_FIRST_WAIT, _LONGEST_WAIT = 30.0, 3600.0
_LONGEST_EVER = 90_000.0
_TRIES = 3
"""After so many answers that a notice is no good it is given up."""


def put(box: Mailbox, notice: Notice, channels: Iterable[str], now: float) -> Mailbox:
    """With the notice waiting for each of the channels."""
    for channel in channels:
        waiting = [each for each in box.waiting if not _replaced(each, channel, notice, box)]
        box = _summed(replace(box, waiting=(*waiting, Letter(channel, notice, now))), channel)
    return box


def _replaced(letter: Letter, channel: str, notice: Notice, box: Mailbox) -> bool:
    """Whether nobody needs to read that letter any more."""
    same = letter.notice.key == notice.key
    unread = letter.notice.key == notice.instead and not message_of(letter, box)
    return letter.channel == channel and (same or unread)


def message_of(letter: Letter, box: Mailbox) -> str:
    """The id of the message that the letter is about; "" when it was never delivered."""
    return box.sent.get(f"{letter.channel} {letter.notice.key}", "")


def _summed(box: Mailbox, channel: str) -> Mailbox:
    """The channel with at most `MOST` letters: two become one, routine ones before others, the oldest first."""
    here = [letter for letter in box.waiting if letter.channel == channel]
    if len(here) <= MOST:
        return box
    first, second = sorted(here, key=lambda letter: letter.notice.kind not in ROUTINE)[:2]
    lines = [line for letter in (first, second) for line in _lines(letter.notice)]
    digest = replace(first, notice=_digest(first.notice, lines), after=0.0, attempts=0, begun=False)
    waiting = (digest if letter is first else letter for letter in box.waiting if letter is not second)
    return replace(box, waiting=tuple(waiting))


def _lines(notice: Notice) -> list[str]:
    return notice.text.splitlines() if notice.kind == "digest" else [notice.title]


def _digest(first: Notice, lines: list[str]) -> Notice:
    """Its first line counts those that there is no room for."""
    dropped = [int(line.split()[1]) for line in lines if line.startswith(_BEFORE)]
    lines = [line for line in lines if not line.startswith(_BEFORE)]
    before, shown = sum(dropped) + max(0, len(lines) - LINES), lines[-LINES:]
    text = "\n".join([*([f"{_BEFORE}{before} before, which the history has"] if before else []), *shown])
    key = first.key if first.kind == "digest" else f"{first.run}/digest"
    title = f"{count(before + len(shown), 'notice')} that could not be delivered in time"
    return Notice(key, first.run, "digest", title, text=text, at=first.at, footer=first.footer, silent=True)


def due(box: Mailbox, now: float, reachable: Iterable[str]) -> Letter | None:
    """The next letter to be sent, the oldest first. One that has to wait holds up its channel."""
    for channel in reachable:
        if channel in box.stopped:
            continue
        for letter in box.waiting:
            if letter.channel == channel:
                if letter.after <= now or letter.after > now + _LONGEST_EVER:  # a clock that was set back
                    return letter
                break
    return None


def next_due(box: Mailbox, reachable: Iterable[str]) -> float:
    """When the next letter may be sent (epoch seconds); infinity when none is left."""
    free = [channel for channel in reachable if channel not in box.stopped]
    heads = [next((each.after for each in box.waiting if each.channel == channel), None) for channel in free]
    return min((after for after in heads if after is not None), default=float("inf"))


def begun(box: Mailbox, letter: Letter) -> Mailbox:
    """About to be sent: whoever finds it so later knows that it may have arrived."""
    return _with(box, letter, replace(letter, begun=True))


def settled(box: Mailbox, letter: Letter, delivery: Delivery, now: float, address: str) -> Mailbox:
    """After the answer to a letter, which is in the box as it was sent."""
    match delivery.fate:
        case "delivered":
            return _delivered(box, letter, delivery, now)
        case "stopped":
            stopped = {**box.stopped, letter.channel: Stopped(address, delivery.why, now)}
            return replace(_with(box, letter, replace(letter, begun=False)), stopped=stopped)
        case "missing":
            sent = {name: id for name, id in box.sent.items() if name != f"{letter.channel} {letter.notice.key}"}
            return replace(_with(box, letter, replace(letter, begun=False)), sent=sent)
        case "refused" if letter.attempts + 1 >= _TRIES:
            return _with(box, letter, None)
        case "refused":
            return _with(box, letter, replace(_plain(letter), begun=False, attempts=letter.attempts + 1))
        case _:
            wait = delivery.wait or min(_LONGEST_WAIT, _FIRST_WAIT * 2**letter.attempts)
            later = replace(letter, begun=False, attempts=letter.attempts + 1, after=now + wait)
            return _with(box, letter, later)


def _delivered(box: Mailbox, letter: Letter, delivery: Delivery, now: float) -> Mailbox:
    name = f"{letter.channel} {letter.notice.key}"
    sent = {key: id for key, id in box.sent.items() if key != name}
    message = delivery.message or box.sent.get(name, "")
    if message:
        sent[name] = message
    box = replace(_with(box, letter, None), sent=dict(list(sent.items())[-_REMEMBERED:]))
    if not delivery.wait:
        return box
    after = now + delivery.wait
    held = [replace(e, after=max(e.after, after)) if e.channel == letter.channel else e for e in box.waiting]
    return replace(box, waiting=tuple(held))


def _plain(letter: Letter) -> Letter:
    """The same in few words, for a channel that refuses the many."""
    notice = letter.notice
    details = tuple(Detail(d.name, d.value[:200]) for d in notice.details if d.name in ("Failed step", "Error", "Next"))
    return replace(letter, notice=replace(notice, url="", text=notice.text[:300], details=details, links=()))


def _with(box: Mailbox, letter: Letter, new: Letter | None) -> Mailbox:
    place = (letter.channel, letter.notice.key)
    waiting = [new if (each.channel, each.notice.key) == place else each for each in box.waiting]
    return replace(box, waiting=tuple(each for each in waiting if each))


def readdressed(box: Mailbox, addresses: Mapping[str, str]) -> Mailbox:
    """Channels that were stopped and have another address by now go on; letters of channels that are no more go."""
    stopped = {name: each for name, each in box.stopped.items() if addresses.get(name) == each.address}
    waiting = tuple(letter for letter in box.waiting if letter.channel in addresses)
    if dict(box.stopped) == stopped and waiting == box.waiting:
        return box
    return replace(box, stopped=stopped, waiting=waiting)
