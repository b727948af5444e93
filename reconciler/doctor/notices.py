"""The channels for notices, asked without telling anybody anything."""

from __future__ import annotations

from reconciler.adapters.notices.discord import DiscordNotifier
from reconciler.core.diagnosis.notices import NoticeFacts
from reconciler.doctor.subject import Subject
from reconciler.model.notice import Notifications
from reconciler.wiring import make_notifiers, make_outbox


def probe_notices(subject: Subject, wanted: Notifications) -> NoticeFacts:
    """Discord tells whether a webhook is there; an address of one's own may take every request for a notice."""
    notifiers = make_notifiers(subject.settings, wanted)
    answers = {each.name: each.look(subject.deadline) for each in notifiers if isinstance(each, DiscordNotifier)}
    box = make_outbox(subject.settings).load()
    return NoticeFacts(
        answers,
        tuple(each.name for each in notifiers if each.name not in answers),
        len(box.waiting),
        {name: stopped.why for name, stopped in box.stopped.items()},
    )
