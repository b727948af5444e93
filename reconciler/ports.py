"""Small Protocols: what a pass needs from the world, without knowing who gives it.

Every method that changes something outside this process is an *effect*; the names of each port's
effects are listed in its `EFFECTS`, so that a test can cut a pass between any two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from reconciler.model.adopted import Adopted
from reconciler.model.desired import Build, Network, Volume
from reconciler.model.observed import Container, Observed, Slot
from reconciler.model.report import Intent, LedgerLoss, Outcome, Pause, Run, StepRecord
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


class Disk(Protocol):
    """Files of this machine that are in no repository yet. Paths are absolute; nothing here writes."""

    def is_file(self, path: str) -> bool: ...

    def read(self, path: str, most: int = 1 << 20) -> bytes | None:
        """None when it is no plain file, cannot be read, or is larger than `most` bytes."""

    def link(self, path: str) -> str:
        """Where a symbolic link leads, as it is written; "" when it is none."""

    def below(self, folder: str, without: Collection[str]) -> Iterator[tuple[str, Entry]]:
        """Files and links below a folder by relative path, each `id` empty; the paths of `without` are not entered."""

    def home(self, path: str) -> str:
        """The home of the user who owns a file or folder; "" when there is none."""


Say = Callable[[str], None]
"""Takes one line of progress of a long piece of work (a pull, a build)."""


class ContainerEngine(Protocol):
    """One host's containers. Each call has a deadline; Unreachable when the engine is away, Transient in trouble."""

    EFFECTS: ClassVar[tuple[str, ...]] = (
        "pull",
        "build",
        "tag",
        "create_volume",
        "create_network",
        "remove_network",
        "connect",
        "disconnect",
        "create",
        "start",
        "unpause",
        "stop",
        "rename",
        "update",
        "remove",
    )

    def observe(self, host: str, owner: str) -> Observed:
        """All there is; with their whole definition containers of `owner`, and those of Compose that nobody owns."""

    def listed(self) -> tuple[Container, ...]:
        """Every container as a list has it: who it is and its state, without its definition, health and times."""

    def look(self, ids: Sequence[str]) -> tuple[Container, ...]:
        """These containers as they are now; one that is gone is left out."""

    def image_configs(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """What containers of these images have when nothing else is asked for; an image that is gone is left out."""

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        """The last lines of a container's output; empty when the driver cannot give them."""

    def pull(self, reference: str, platform: str, say: Say) -> None:
        """Transient when the registry cannot give it."""

    def build(
        self, reference: str, build: Build, context: bytes, labels: Mapping[str, str], platform: str, say: Say
    ) -> str:
        """Build from a tar archive; the image's id. Terminal when the build fails."""

    def tag(self, image: str, reference: str) -> None: ...

    def create_volume(self, volume: Volume, labels: Mapping[str, str]) -> None: ...

    def create_network(self, network: Network, labels: Mapping[str, str]) -> str: ...

    def remove_network(self, network: str) -> None: ...

    def connect(self, network: str, container: str, endpoint: Mapping[str, Any]) -> None: ...

    def disconnect(self, network: str, container: str) -> None: ...

    def create(self, name: str, body: Mapping[str, Any], platform: str) -> str:
        """Make a container from a create request of the Engine API; its id."""

    def start(self, container: str) -> None: ...

    def unpause(self, container: str) -> None: ...

    def stop(self, container: str, grace: float | None) -> None:
        """`grace` in seconds; None: the container's own, or the engine's 10 s."""

    def rename(self, container: str, name: str) -> None: ...

    def update(self, container: str, settings: Mapping[str, Any]) -> None:
        """Restart policy and resources of a container, running or not."""

    def remove(self, container: str) -> None:
        """Remove a stopped (or never started) container, never its volumes. Gone already is fine."""


class Signals(Protocol):
    """Sentinels and stamps: what persons and earlier passes tell this one, in files that a shell can read and write."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("pause", "resume", "sweep", "block", "clear", "write_stamp")

    def paused(self, stack: str = "") -> Pause | None:
        """The pause of the whole host, or of one stack."""

    def pause(self, stack: str, reason: str, holder: str, run: str, seconds: float | None) -> Pause:
        """`seconds` None: the default of 4 h."""

    def sweep(self) -> tuple[Pause, ...]:
        """Remove the pauses whose time is over; for the holder of the pass lock."""

    def resume(self, stack: str) -> bool:
        """Whether there was a pause to end."""

    def blocked(self) -> Mapping[str, str]:
        """What may not be deployed (a commit, or `image-<digest>`) and why."""

    def block(self, revision: str, reason: str, run: str) -> None: ...

    def clear(self, revision: str) -> bool: ...

    def stamp(self) -> str:
        """The revision verified last (40 hex), or "" when none was."""

    def write_stamp(self, revision: str) -> None: ...


class Adoptions(Protocol):
    """What this fleet took over from Compose. Losing it loses no container: what still fits is taken over again."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("remember",)

    def known(self) -> Adopted: ...

    def remember(self, adopted: Adopted) -> None:
        """Durable when it returns. Transient when it cannot be written."""


class HostFiles(Protocol):
    """The host's own files: values that homelabs keep out of git, and files that are made for containers."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("write",)

    def environment(self, stack: str) -> Mapping[str, bytes]:
        """The files of `<config>/env/<stack>/` by relative path."""

    def environment_folder(self, stack: str) -> str: ...

    def secret(self, name: str) -> bytes:
        """Terminal when it is missing or others may read it."""

    def confidential(self) -> Collection[str]:
        """Every value of the host's env files and secrets: what may appear in no log, history or notice."""

    def key(self) -> bytes:
        """The key of this host's sealed fingerprints; made at first use."""

    def write(self, path: str, content: bytes) -> None:
        """Put content at an absolute path below the folder of rendered files, whole or not at all, for all to read.

        Terminal when the path really leads elsewhere.
        """

    def holds_data(self, path: str) -> bool:
        """Whether there is something at an absolute path: a file, or a folder that is not empty."""

    def real(self, path: str) -> str:
        """An absolute path with every link followed; what does not exist stays as it is written."""


class HostShell(Protocol):
    """Commands of the repository on the host itself; whoever calls has asked the host's own file whether they may."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("run",)

    def run(
        self, command: Sequence[str], directory: str, environment: Mapping[str, str], timeout: float
    ) -> tuple[int, str]:
        """Exit code and the end of its output, both streams as they came. Unreachable after `timeout` seconds."""


class Identity(Protocol):
    EFFECTS: ClassVar[tuple[str, ...]] = ("owner",)

    def owner(self, revision: str = "") -> str:
        """The ownership key of this fleet on this host; "" while it is unknown and no revision is given."""


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None: ...


class Progress(Protocol):
    def phase(self, name: str, text: str = "") -> None:
        """A phase of the pass begins: fetch, plan, prepare, check out, apply, verify, undo."""

    def step(self, slot: Slot, state: str, text: str = "") -> None:
        """A container's way: starting, waiting, done, failed."""

    def say(self, text: str) -> None:
        """One line of a pull, a build or a finding."""


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
        """The revision of the last run that ended verified."""

    def note_attempt(self, revision: str, boot_id: str) -> int:
        """Count an attempt before acting on it; return how many there are now for that revision on that boot."""

    def attempts(self, revision: str, boot_id: str) -> int: ...

    def forget_attempts(self, revision: str) -> None:
        """A verdict on that revision was reached: its attempts count from zero again."""
