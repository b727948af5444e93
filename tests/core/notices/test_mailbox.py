"""The outbox as a value: what takes whose place, what waits for how long, and that no outage ends in a flood."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.notices import mailbox
from reconciler.core.notices.mailbox import LINES, MOST, begun, due, next_due, put, readdressed, settled
from reconciler.model.mail import Letter, Mailbox
from reconciler.model.notice import Delivery, Detail, Kind, Notice

NOW, HERE = 1_700_000_000.0, ("discord",)
DELIVERED = Delivery("delivered", "77")


def notice(key: str, kind: Kind = "condensed", **more: str) -> Notice:
    return Notice(key, key, kind, f"title of {key}", **more)  # type: ignore[arg-type]


def keys(box: Mailbox) -> list[str]:
    return [letter.notice.key for letter in box.waiting]


def sent(box: Mailbox, delivery: Delivery = DELIVERED) -> Mailbox:
    letter = due(box, NOW, HERE)
    assert letter
    return settled(begun(box, letter), letter, delivery, NOW, "address")


def test_a_newer_notice_takes_the_place_of_one_that_nobody_has_read() -> None:
    box = put(put(Mailbox(), notice("a"), HERE, NOW), replace(notice("a"), title="newer"), HERE, NOW)

    assert [letter.notice.title for letter in box.waiting] == ["newer"]


def test_one_that_was_delivered_is_edited() -> None:
    box = sent(put(Mailbox(), notice("a"), HERE, NOW))
    assert not box.waiting
    box = put(box, notice("a"), HERE, NOW)

    assert mailbox.message_of(box.waiting[0], box) == "77"


def test_a_repeated_call_makes_the_one_before_needless_only_while_that_waits() -> None:
    waiting = put(Mailbox(), notice("a", "failure"), HERE, NOW)
    again = notice("b", "failure", instead="a")

    assert keys(put(waiting, again, HERE, NOW)) == ["b"]
    delivered = put(sent(waiting), notice("a", "failure"), HERE, NOW)
    assert keys(put(delivered, again, HERE, NOW)) == ["a", "b"]


def test_it_waits_longer_with_every_try_and_as_long_as_it_is_told() -> None:
    box, waits = put(Mailbox(), notice("a"), HERE, NOW), []
    for _ in range(10):
        letter = box.waiting[0]
        box = settled(box, letter, Delivery("later"), NOW, "")
        waits.append(next_due(box, HERE) - NOW)

    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert due(box, NOW, HERE) is None
    assert due(box, NOW + 3600, HERE)
    box = settled(box, box.waiting[0], Delivery("later", wait=7.5), NOW, "")
    assert next_due(box, HERE) == NOW + 7.5


def test_a_clock_that_was_set_back_by_years_holds_nothing_up() -> None:
    box = settled(
        put(Mailbox(), notice("a"), HERE, NOW), Letter("discord", notice("a"), NOW), Delivery("later"), NOW, ""
    )

    assert due(box, NOW - 10 * 365 * 86400, HERE)


def test_a_spent_limit_makes_the_next_one_wait() -> None:
    box = put(put(Mailbox(), notice("a"), HERE, NOW), notice("b"), HERE, NOW)
    box = sent(box, Delivery("delivered", "1", wait=2.0))

    assert due(box, NOW, HERE) is None
    assert next_due(box, HERE) == NOW + 2


def test_one_channel_does_not_hold_up_another() -> None:
    both = ("discord", "webhook")
    box = put(Mailbox(), notice("a"), both, NOW)
    box = settled(box, box.waiting[0], Delivery("later"), NOW, "")

    letter = due(box, NOW, both)
    assert letter
    assert letter.channel == "webhook"


def test_a_stopped_channel_keeps_its_letters_until_it_has_another_address() -> None:
    box = sent(put(Mailbox(), notice("a"), HERE, NOW), Delivery("stopped", why="404"))

    assert due(box, NOW + 1e6, HERE) is None
    assert keys(box) == ["a"]
    assert readdressed(box, {"discord": "address"}) is box
    assert due(readdressed(box, {"discord": "another"}), NOW, HERE)
    assert not readdressed(box, {}).waiting


def test_a_refused_one_is_tried_in_few_words_and_then_given_up() -> None:
    long = replace(notice("a", "failure"), text="x" * 4000, details=(Detail("Log", "y"), Detail("Error", "z" * 900)))
    box = sent(put(Mailbox(), long, HERE, NOW), Delivery("refused"))
    assert len(box.waiting[0].notice.text) == 300
    assert [len(detail.value) for detail in box.waiting[0].notice.details] == [200]

    box = sent(sent(box, Delivery("refused")), Delivery("refused"))
    assert not box.waiting


def test_a_message_that_somebody_deleted_is_told_anew() -> None:
    box = put(sent(put(Mailbox(), notice("a"), HERE, NOW)), notice("a"), HERE, NOW)
    box = sent(box, Delivery("missing"))

    assert keys(box) == ["a"]
    assert not mailbox.message_of(box.waiting[0], box)


def test_what_was_begun_is_known_to_be() -> None:
    box = put(Mailbox(), notice("a"), HERE, NOW)

    assert begun(box, box.waiting[0]).waiting[0].begun


@pytest.mark.parametrize("count", [MOST + 1, 40, 500])
def test_an_outage_ends_in_a_few_messages_and_what_matters_is_among_them(count: int) -> None:
    box = put(Mailbox(), notice("bad", "failure"), HERE, NOW)
    for number in range(count):
        box = put(box, notice(f"r{number:03}"), HERE, NOW)

    assert len(box.waiting) == MOST
    assert "bad" in keys(box)
    assert keys(box)[-1] == f"r{count - 1:03}"
    (digest,) = [letter.notice for letter in box.waiting if letter.notice.kind == "digest"]
    lines = digest.text.splitlines()
    summed = count - (MOST - 2)
    assert digest.title.startswith(f"{summed} notices")
    assert len(lines) <= LINES + 1
    assert lines[-1] == f"title of r{summed - 1:03}"
    if summed > LINES:
        assert lines[0] == f"and {summed - LINES} before, which the history has"


def test_failures_are_summed_last() -> None:
    box = Mailbox()
    for number in range(MOST + 5):
        box = put(box, notice(f"f{number:02}", "failure"), HERE, NOW)

    assert len(box.waiting) == MOST
    assert keys(box)[-1] == "f14"


def test_what_was_sent_is_remembered_for_the_latest_only() -> None:
    box = Mailbox()
    for number in range(100):
        box = sent(put(box, notice(f"r{number}"), HERE, NOW), Delivery("delivered", str(number)))

    assert len(box.sent) < 100
    assert box.sent["discord r99"] == "99"
