"""What an engine refuses becomes our errors: what passes by itself, and what a person has to mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.adapters.docker.http import Refusal
from reconciler.errors import ReconcilerError, Terminal, Transient, Unreachable

_INFRASTRUCTURE = (
    "shutting down",
    "deadline exceeded",
    "connection refused",
    "transport is closing",
    "ttrpc: closed",
    "i/o timeout",
    "input/output error",
    "too many open files",
    "cannot allocate memory",
)
"""What an engine in trouble of its own says; the same request may well go through later."""


_TAKEN = ("port is already allocated", "address already in use")  # a 500 without any other mark


class Gone(Transient):
    """The engine knows no such thing (404)."""


def pull_failed(reference: str, reason: str) -> Transient:
    return Transient(
        "E-PULL",
        f"cannot pull {reference}",
        why=reason,
        next="check the name and tag, the registry, and `docker login` on the host; the next pass tries again",
    )


def build_failed(reference: str, reason: str) -> Terminal:
    return Terminal(
        "E-BUILD",
        f"cannot build {reference}",
        why=reason,
        next="mend the Dockerfile or what it copies, and push",
    )


@contextmanager
def translated(what: str, *, gone_is_fine: bool = False) -> Iterator[None]:
    """The exceptions of `Http` become ours."""
    try:
        yield
    except Refusal as error:
        if not (gone_is_fine and error.status == 404):
            raise _from_api(what, error.status, error.reason) from error
    except TimeoutError as error:
        raise Transient(
            "E-DOCKER-TIMEOUT",
            f"the Docker engine did not answer in time: {what}",
            why=str(error),
            next="look at `docker ps` and the engine's log on the host; the next pass tries again",
        ) from error
    except OSError as error:
        raise Unreachable(
            "E-DOCKER-UNREACHABLE",
            "cannot reach the Docker engine" + ("" if what.startswith("reach ") else f": {what}"),
            why=str(error),
            next="is it running (systemctl status docker), and may this user open its socket (group docker)?",
        ) from error


def _is_the_manifests_fault(what: str, reason: str) -> bool:
    """The engine answers 500 to what it cannot start as asked (a missing device, a bad entrypoint), each time again."""
    return what.startswith(("start ", "create ")) and not any(word in reason for word in _INFRASTRUCTURE)


def _from_api(what: str, status: int, reason: str) -> ReconcilerError:
    if what.startswith("ask the registry "):
        return Transient("E-REGISTRY", f"cannot {what}", why=reason, next="the pass goes on; it is asked again later")
    if what.startswith("pull "):
        return pull_failed(what.removeprefix("pull "), reason)
    if "no space left" in reason:
        return Transient(
            "E-DISK-FULL", f"{what}: the disk is full", why=reason, next="make room on the host (docker system df)"
        )
    if any(words in reason.lower() for words in _TAKEN):
        return Terminal(
            "E-DOCKER-PORT",
            f"cannot {what}: a port or an address that it asks for is taken",
            why=reason,
            next="find who has it (ss -lptn, docker network inspect), free it or ask for another, and push;"
            " when the revision is blocked by it: reconciler sentinels clear SHA",
        )
    if status == 404:
        return Gone("E-DOCKER-GONE", f"cannot {what}", why=reason, next="the next pass looks again")
    if status in (400, 403, 409) or (status == 500 and _is_the_manifests_fault(what, reason)):
        return Terminal(
            "E-DOCKER-REFUSED", f"cannot {what}", why=reason, next="mend the manifest that asks for it, and push"
        )
    return Transient(
        "E-DOCKER-ERROR",
        f"cannot {what}",
        why=reason,
        next="see the engine's log on the host; the next pass tries again",
    )
