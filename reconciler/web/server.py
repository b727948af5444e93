"""uvicorn with the deadlines that it does not have itself, on a socket that was bound before anything else began."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10.0
"""Seconds within which the head of a request has to be whole, from the connection or its first byte on."""
IDLE = 15
"""Seconds that a connection may be kept without a request."""
CONNECTIONS = 256
"""At once; who comes when there are as many is answered 503."""
LEAVING = 10
"""Seconds that requests get to end when the server is asked to stop."""

Say = Callable[[str, int], None]
"""A line for people, and its priority as syslog has it."""


def serve(app: FastAPI, listener: socket.socket, say: Say, stopping: Callable[[], None]) -> None:
    """Until SIGTERM, SIGINT or SIGHUP; `stopping` is called at once then, so that streams end by themselves."""
    with _logging_to(say):
        config = uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE,
            timeout_graceful_shutdown=LEAVING,
            limit_concurrency=CONNECTIONS,
        )
        _Server(config, stopping).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Its own signals end it without ending the process: who started it says how that ends."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self._asked)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _asked(self) -> None:
        """A second time: without waiting for what is under way."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._stopping()


class _Connection(H11Protocol):
    """One connection. `state.abort` of its requests cuts it off, whatever still waits to be sent."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "abort": self._abort}
        self._await_head()

    def _abort(self) -> None:
        """With a reset: the kernel, too, forgets what waits to be sent."""
        if (connection := self.transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._await_head()
        else:
            self._head_is_whole()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_whole()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD, self._abort)

    def _head_is_whole(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


@contextmanager
def _logging_to(say: Say) -> Iterator[None]:
    """What uvicorn and the framework log goes where everything else is said."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            priority = 3 if record.levelno >= logging.ERROR else 4 if record.levelno >= logging.WARNING else 6
            for line in self.format(record).splitlines():
                say(line, priority)

    handler, names = Handler(logging.WARNING), ("uvicorn", "fastapi", "apscheduler", "asyncio")
    for name in names:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)
