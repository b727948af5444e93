"""How people elsewhere are told: the outbox that keeps notices until then, and who delivers them."""

from __future__ import annotations

from typing import ClassVar, Protocol

from reconciler.model.mail import Mailbox
from reconciler.model.notice import Delivery, Notice


class Outbox(Protocol):
    EFFECTS: ClassVar[tuple[str, ...]] = ("save",)

    def load(self) -> Mailbox:
        """What is kept; an empty one when nothing is, or when it is no good any more."""

    def save(self, box: Mailbox) -> None:
        """Durable when it returns. Transient when it cannot be written, and then what was kept still is."""


class Notifier(Protocol):
    """One channel. Neither method raises; both end within about `seconds`."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("post", "edit")

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str:
        """A digest of where it delivers to: another one after every change, and nothing can be learnt from it."""

    def post(self, notice: Notice, seconds: float) -> Delivery:
        """Tell it as a new message."""

    def edit(self, message: str, notice: Notice, seconds: float) -> Delivery:
        """Put it in the place of a message that was delivered before."""
