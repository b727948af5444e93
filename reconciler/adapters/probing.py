"""Probes from this host: HTTP, TCP and files, each within its time whatever the other side does.

http.client costs a quarter of what requests does, takes no proxy from the environment and follows no redirect. Even so
it is loaded by the first probe that needs it.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from threading import Timer
from urllib.parse import urlsplit

from reconciler.model.probe import HttpAnswer
from reconciler.ports import Probing

_MOST = 1 << 20  # bytes of a body or a file


class HostProbing(Probing):
    def http(self, url: str, headers: Mapping[str, str], timeout: float, *, insecure: bool) -> HttpAnswer:
        from http.client import HTTPException

        until = time.monotonic() + timeout
        try:
            return _asked(url, headers, until, insecure=insecure)
        except (OSError, HTTPException, ValueError) as error:
            if time.monotonic() >= until:
                return HttpAnswer(trouble=f"none within {timeout:g} s")
            return HttpAnswer(trouble=str(error) or type(error).__name__)

    def tcp(self, host: str, port: int, timeout: float) -> str:
        try:
            socket.create_connection((host, port), timeout).close()
        except (OSError, ValueError) as error:
            return str(error) or type(error).__name__
        return ""

    def read(self, path: str) -> bytes | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (OSError, ValueError):
            return None
        try:
            return os.read(descriptor, _MOST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
        except OSError:
            return None
        finally:
            os.close(descriptor)


def _asked(url: str, headers: Mapping[str, str], until: float, *, insecure: bool) -> HttpAnswer:
    from http.client import HTTPConnection

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    host = parts.hostname or ""
    with ExitStack() as closing:
        opened = closing.enter_context(socket.create_connection((host, port), _left(until)))
        closing.enter_context(_ended_at(opened, until))
        if secure:
            opened = closing.enter_context(_secured(opened, host, insecure=insecure))
        connection = HTTPConnection(host, port)
        connection.default_port = 443 if secure else 80
        connection.sock = opened
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "reconciler", "Connection": "close", **headers})
        with connection.getresponse() as response:
            body = response.read(_MOST + 1)
            if len(body) <= _MOST and (response.length or time.monotonic() >= until):
                raise ConnectionError("the answer ends too early")
            return HttpAnswer(response.status, body[:_MOST], len(body) > _MOST)


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.01)


@contextmanager
def _ended_at(connection: socket.socket, until: float) -> Iterator[None]:
    """A timeout is for one read, and a server may drip for ever: at its time the connection itself is shut."""
    twin = connection.dup()  # TLS takes the descriptor away from the original

    def end() -> None:
        with suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)

    timer = Timer(_left(until), end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        twin.close()


def _secured(connection: socket.socket, host: str, *, insecure: bool) -> socket.socket:
    import ssl

    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)
