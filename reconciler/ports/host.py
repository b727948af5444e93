"""One host: its containers, its own files, its commands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from reconciler.model.desired import Build, Network, Volume
from reconciler.model.observed import Container, Image, Observed
from reconciler.model.repository import EntryKind

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
        "signal",
        "exec",
    )

    def observe(self, host: str, owner: str) -> Observed:
        """All there is; with their whole definition containers of `owner`, and those of Compose that nobody owns."""

    def listed(self) -> tuple[Container, ...]:
        """Every container as a list has it: who it is and its state, without its definition, health and times."""

    def look(self, ids: Sequence[str]) -> tuple[Container, ...]:
        """These containers as they are now; one that is gone is left out."""

    def image(self, reference: str) -> Image | None:
        """What a reference names on this host; None when it names nothing."""

    def image_configs(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """What containers of these images have when nothing else is asked for; an image that is gone is left out."""

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        """The last lines of a container's output; empty when the driver cannot give them."""

    def digest(self, reference: str) -> str:
        """What its registry has under a tag now (`sha256:…`). Transient when that cannot be told."""

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

    def signal(self, container: str, name: str) -> None:
        """Send a signal (such as SIGHUP) to the first process of a running container. Terminal when it does not run."""

    def exec(self, container: str, command: Sequence[str], timeout: float) -> tuple[int, str]:
        """Run a command in a running container: its exit code, and the end of its output, both streams as they came.

        124 (as timeout(1) has it) when it has not ended after `timeout` seconds; no engine can end it then, so it runs
        on. What the container cannot run ends with 126 or 127. Terminal when the container does not run.
        """


class HostFiles(Protocol):
    """The host's own files: values that homelabs keep out of git, and files that are made for containers."""

    EFFECTS: ClassVar[tuple[str, ...]] = ("write", "lay_out", "discard")

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

    def lay_out(self, folder: str, files: Mapping[str, tuple[EntryKind, bytes]]) -> None:
        """Files, and links, by relative path in a folder below that of rendered files, for containers that try them.

        What was there goes first. Terminal as for `write`.
        """

    def discard(self, folder: str) -> None:
        """What was laid out there goes; nothing happens when there is nothing. Terminal as for `write`."""

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
