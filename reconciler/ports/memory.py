"""What outlives a pass: sentinels and stamps, the ledger, what was adopted, who the fleet is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol

from reconciler.model.adopted import Adopted
from reconciler.model.images import Tag
from reconciler.model.report import Block, Intent, LedgerLoss, Outcome, Pause, Run, StepRecord


class Signals(Protocol):
    """Sentinels and stamps: what persons and earlier passes tell this one, in files that a shell can read and write."""

    EFFECTS: ClassVar[tuple[str, ...]] = (
        "pause",
        "resume",
        "sweep",
        "block",
        "clear",
        "write_stamp",
        "accept",
        "withdraw",
        "by_hand",
    )

    def paused(self, stack: str = "", *, alone: bool = False) -> Pause | None:
        """The pause of the whole host, or of one stack; `alone`: only if the stack itself is paused."""

    def pause(self, stack: str, reason: str, holder: str, run: str, seconds: float | None) -> Pause:
        """`seconds` None: the default of 4 h."""

    def sweep(self) -> tuple[Pause, ...]:
        """Remove the pauses whose time is over; for the holder of the pass lock."""

    def resume(self, stack: str) -> bool:
        """Whether there was a pause to end."""

    def blocked(self) -> Mapping[str, str]:
        """What may not be deployed (a commit, or `image-<digest>`) and why."""

    def blocks(self) -> tuple[Block, ...]:
        """The same, with what else each of them holds for."""

    def block(self, block: Block) -> None:
        """Durable when it returns, also when the disk is full."""

    def clear(self, revision: str) -> bool: ...

    def by_hand(self) -> tuple[str, ...]:
        """What persons did to the sentinels since the last time this was asked, one sentence each."""

    def accepted(self) -> str:
        """The head of a rewritten branch that a person takes for good (40 hex), or ""."""

    def accept(self, revision: str) -> None: ...

    def withdraw(self) -> bool:
        """Accept nothing any more; whether something was accepted."""

    def stamp(self) -> str:
        """The revision verified last (40 hex), or "" when none was."""

    def write_stamp(self, revision: str) -> None:
        """This revision is verified; a rewrite that was accepted is history then."""


class Adoptions(Protocol):
    """What this fleet took over from Compose. Losing it loses no container: what still fits is taken over again."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("remember",)

    def known(self) -> Adopted: ...

    def remember(self, adopted: Adopted) -> None:
        """Durable when it returns. Transient when it cannot be written."""


class Images(Protocol):
    """What registries said about tags. Losing it costs another question."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("remember", "failed")

    def known(self) -> Mapping[str, Tag]:
        """By reference, as it is written in the manifests."""

    def remember(self, tags: Mapping[str, Tag], due: float) -> None:
        """`due`: when the next question is worth asking (seconds since the epoch). A full disk is no trouble."""

    def failed(self, reference: str) -> None:
        """What moved cannot be had: not tried again before the next answer of the registry."""


class Identity(Protocol):
    EFFECTS: ClassVar[tuple[str, ...]] = ("owner",)

    def owner(self, revision: str = "") -> str:
        """The ownership key of this fleet on this host; "" while it is unknown and no revision is given."""


class Ledger(Protocol):
    """What was tried and how it ended. Durable when a method returns; safe to share between threads.

    Every method raises Transient (E-LEDGER-...) when the disk is full, locked or failing. Nothing that
    protects a host lives here alone: stamps, labels and sentinels survive its loss.
    """

    EFFECTS: ClassVar[tuple[str, ...]] = (
        "begin",
        "aim",
        "intend",
        "settle",
        "step",
        "finish",
        "note_attempt",
        "forget_attempts",
    )

    @property
    def fresh(self) -> bool:
        """Whether this opening began an empty ledger: a first run, a deleted file, or a loss."""

    @property
    def loss(self) -> LedgerLoss | None:
        """The unusable ledger that was set aside on opening, to be reported; None when all was well."""

    def begin(self, run: Run) -> None:
        """Record that a run starts. ValueError when its id is taken."""

    def aim(self, run_id: str, revision: str, base: str) -> None:
        """Record the revision that the run goes for and the one verified before it; KeyError when it is unknown."""

    def intend(self, intent: Intent) -> None:
        """Write the promise. The first stands for one run, container and kind: it saw the real policy."""

    def open_intents(self) -> tuple[Intent, ...]:
        """Promises not yet kept, oldest first, of every run."""

    def settle(self, run: str, container: str) -> None:
        """The promises of that run about that container are kept; nothing happens when there are none."""

    def step(self, record: StepRecord) -> None:
        """Append one step; KeyError when its run is unknown."""

    def finish(
        self, run_id: str, *, ended: float, outcome: Outcome, exit_code: int, reason: str = "", detail: str = ""
    ) -> None:
        """Record how the run ended; KeyError when it is unknown, ValueError when it has ended already."""

    def unfinished(self) -> tuple[Run, ...]:
        """Runs that began and never ended, oldest first: whoever holds the pass lock knows that they died."""

    def runs(self, limit: int = 20, *, host: str = "", stack: str = "", service: str = "") -> tuple[Run, ...]:
        """The latest runs first; with `stack` or `service`, those that have a step of it."""

    def run(self, run_id: str) -> tuple[Run, tuple[StepRecord, ...]]:
        """One run and its steps in order; KeyError when it is unknown."""

    def verified(self) -> str | None:
        """The revision of the run whose `VERIFIED` step came last; a pass over a part of the host has none."""

    def note_attempt(self, revision: str, boot_id: str) -> int:
        """Count an attempt before acting on it; return how many there are now for that revision on that boot."""

    def attempts(self, revision: str, boot_id: str) -> int: ...

    def forget_attempts(self, revision: str) -> None:
        """A verdict on that revision was reached: its attempts count from zero again."""
