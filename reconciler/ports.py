"""Small Protocols: what a pass needs from the world, without knowing who gives it.

Every method that changes something outside this process is an *effect*; the names of each port's
effects are listed in its `EFFECTS`, so that a test can cut a pass between any two of them.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from reconciler.model.report import Intent, LedgerLoss, Outcome, Run, StepRecord
from reconciler.model.repository import Change, CheckoutReport, Commit, Entry


class Tree(Protocol):
    """The files of one revision, read from git objects, never from a working tree. Paths use `/`; "" is the root."""

    def entry(self, path: str) -> Entry | None:
        """The entry itself (a symlink is not followed), or None."""

    def read(self, path: str) -> bytes:
        """The content of a file (or the target of a symlink); KeyError when there is no such file."""

    def children(self, path: str) -> tuple[str, ...]:
        """Names in a directory, sorted; empty when there is no such directory."""


class Repository(Protocol):
    EFFECTS: ClassVar[tuple[str, ...]] = ("fetch", "checkout")

    def fetch(self, run: str) -> str:
        """Bring the branch into a ref of this run; return its head (40 hex). Unreachable, Terminal."""

    def has(self, sha: str) -> bool:
        """Whether that commit is there."""

    def is_descendant(self, sha: str, of: str) -> bool:
        """Whether `of` is `sha` or one of its ancestors; False when `of` is unknown."""

    def root(self, sha: str) -> str:
        """The first commit of the first-parent chain (40 hex): what identifies this history."""

    def commit(self, sha: str) -> Commit: ...

    def tree(self, sha: str) -> Tree: ...

    def changes(self, base: str, target: str) -> tuple[Change, ...]: ...

    def checkout_obstacles(self, sha: str, directory: str) -> tuple[str, ...]:
        """Untracked paths on disk that the check-out of `sha` would have to overwrite."""

    def checkout_drift(self, sha: str, directory: str) -> tuple[str, ...]:
        """Paths tracked in `sha` whose file on disk is missing or differs."""

    def checkout(self, sha: str, directory: str, run: str) -> CheckoutReport:
        """Make `directory` hold exactly `sha`'s tracked files; untracked ones are never touched."""


class Ledger(Protocol):
    """What was tried and how it ended. Durable when a method returns; safe to share between threads.

    Every method raises Transient (E-LEDGER-...) when the disk is full, locked or failing. Nothing that
    protects a host lives here alone: stamps, labels and sentinels survive its loss.
    """

    EFFECTS: ClassVar[tuple[str, ...]] = (
        "begin",
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
        """The revision of the last run that ended verified."""

    def note_attempt(self, revision: str, boot_id: str) -> int:
        """Count an attempt before acting on it; return how many there are now for that revision on that boot."""

    def attempts(self, revision: str, boot_id: str) -> int: ...

    def forget_attempts(self, revision: str) -> None:
        """A verdict on that revision was reached: its attempts count from zero again."""
