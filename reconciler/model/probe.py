"""What a stack says that must hold once it runs, and what came back when that was looked at."""

from __future__ import annotations

from dataclasses import dataclass

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """A GET from the host. `json`: path of keys and indexes, joined by `/` -> the value that is there."""

    url: str
    status: int = 200
    json: tuple[tuple[str, Scalar], ...] = ()
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class ExecCheck:
    """A command in every running container of a service; it has to end with 0."""

    command: tuple[str, ...]
    service: str


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """Somebody takes connections there."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class FileCheck:
    """`path`: absolute. `exists` False: there must be no such file."""

    path: str
    contains: str = ""
    exists: bool = True


@dataclass(frozen=True, slots=True)
class ContainersCheck:
    """Every container of these services (none named: of all) runs and is healthy; those of jobs ended with 0."""

    services: tuple[str, ...] = ()


Check = HttpCheck | ExecCheck | TcpCheck | FileCheck | ContainersCheck


@dataclass(frozen=True, slots=True)
class Probe:
    """`timeout` of one sample, `interval` between two, `within`: until `samples` in a row must have been good; seconds.

    Not part of any fingerprint: a changed probe restarts nothing.
    """

    name: str
    check: Check
    timeout: float = 5.0
    interval: float = 1.0
    within: float = 30.0
    samples: int = 3

    @property
    def service(self) -> str:
        """The service that it is about; "" when it is about the whole stack."""
        return self.check.service if isinstance(self.check, ExecCheck) else ""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """`trouble`: why there is none, "" when there is. `cut`: the body was longer than what is kept of it."""

    status: int = 0
    body: bytes = b""
    cut: bool = False
    trouble: str = ""
