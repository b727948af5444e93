"""One HTTP request with a deadline that holds, whatever the other side does; no redirect is followed.

A redirect would carry what the address and the headers hold to another host. `http.client` (RFC 9112) does it without
the tenth of a second that larger clients take to load; a name server that hangs, a peer that sends a byte a second and
one that says nothing are all left behind when the time is over.
"""

from __future__ import annotations

import os
import queue
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

LARGEST = 1 << 16
"""Bytes of an answer that are read."""


class NoAnswer(Exception):
    """There was none, and why; the address is not among the words."""


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], seconds: float, largest: int = LARGEST
) -> Response:
    """The answer, whatever its status. NoAnswer when none came in time. HTTPS_PROXY and its kin are obeyed.

    `largest`: bytes of its body that are read.
    """
    answered: queue.SimpleQueue[Response | NoAnswer] = queue.SimpleQueue()
    try:
        parts = urlsplit(url)
        connection, target = _connection(parts, seconds + 1)  # the deadline is kept here, for all of it
    except ValueError as error:
        raise NoAnswer("the address is none") from error

    def work() -> None:
        try:
            answered.put(_exchange(connection, method, target, body, headers, largest))
        except (OSError, HTTPException, ValueError, AttributeError) as error:
            answered.put(NoAnswer(_why(error)))
        finally:
            connection.close()

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answered.get(timeout=max(0.01, seconds))
    except queue.Empty:
        _shut(connection)
        raise NoAnswer(f"no answer within {seconds:.0f} s") from None
    if isinstance(answer, NoAnswer):
        raise answer
    return answer


def lines(url: str, headers: Mapping[str, str], silence: float, kind: str) -> Iterator[str]:
    """The lines of an answer that need not end. NoAnswer after `silence` seconds without a byte, or not for a 200 of
    that Content-Type: the lines of something else would never tell."""
    try:
        connection, target = _connection(urlsplit(url), silence)
    except ValueError as error:
        raise NoAnswer("the address is none") from error
    try:
        connection.request("GET", target, headers=dict(headers))
        with connection.getresponse() as response:
            if response.status != 200:
                raise NoAnswer(f"it answered {response.status}")
            if (told := response.headers.get_content_type()) != kind:
                raise NoAnswer(f"it answered {told}, and not {kind}")
            while line := response.readline(LARGEST):
                yield line.decode(errors="replace").rstrip("\r\n")
    except (OSError, HTTPException, ValueError, AttributeError) as error:
        raise NoAnswer(_why(error)) from error
    finally:
        connection.close()


def _exchange(
    connection: HTTPConnection,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
    largest: int,
) -> Response:
    connection.request(method, target, body=body, headers={**headers, "Connection": "close"})
    with connection.getresponse() as response:
        told = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, told, response.read(largest))


def _connection(parts: SplitResult, seconds: float) -> tuple[HTTPConnection, str]:
    """To the host or to its proxy, and what to ask for there. ValueError."""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("neither http nor https")
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = _proxy(parts)
    host, at = (proxy.hostname or "", proxy.port or 80) if proxy else (parts.hostname, port)
    if parts.scheme == "http":
        return HTTPConnection(host, at, timeout=seconds), f"http://{parts.netloc}{path}" if proxy else path
    connection = HTTPSConnection(host, at, timeout=seconds, context=ssl.create_default_context())
    if proxy:
        connection.set_tunnel(parts.hostname, port)
    return connection, path


def _proxy(parts: SplitResult) -> SplitResult | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    if parts.scheme not in proxies or proxy_bypass(parts.hostname or ""):
        return None
    return urlsplit(proxies[parts.scheme])


def _shut(connection: HTTPConnection) -> None:
    """Wakes the thread that reads from it."""
    with suppress(OSError, AttributeError, ValueError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _why(error: Exception) -> str:
    """In words that name no address; a name that is not known is in the words of the resolver."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, ValueError):  # as a token of two lines; its words would name it
        return "what was to be sent is not as HTTP has it"
    return f"{type(error).__name__}: it does not speak HTTP" if isinstance(error, HTTPException) else "cut off"
