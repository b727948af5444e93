"""This terminal, or this pipe, at both ends of a command in a container."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.cli.streams import show_error
from reconciler.errors import ReconcilerError, Transient

if TYPE_CHECKING:
    from reconciler.adapters.docker.console import DockerConsole, Session

_CHUNK = 65536
_ENDING = 10.0
"""Seconds within which the engine must know how a command ended whose output is closed."""


def attach(console: DockerConsole, container: str, command: Sequence[str]) -> int:
    """Run it with our standard streams; its exit code. A terminal only when standard input is one."""
    terminal = sys.stdin is not None and sys.stdin.isatty()
    session = console.enter(container, command, terminal=terminal)
    try:
        if terminal:
            with _raw(), _resized(console, session):
                _as_it_is(session)
        else:
            _in_frames(session)
        return _exit_code(console, session)
    finally:
        session.connection.close()


def _as_it_is(session: Session) -> None:
    """Every key goes in, every byte comes out, until the command ends."""
    for data in _pump(session):
        _write(1, data)


def _in_frames(session: Session) -> None:
    from reconciler.adapters.docker.frames import frames

    for piece in frames(_pump(session)):
        _write(1 if piece.stream == "stdout" else 2, piece.data)


def _pump(session: Session) -> Iterator[bytes]:
    """Send our input, and give what comes; at the end of the input its half of the connection is closed."""
    if session.pending:
        yield session.pending
    connection, inputs = session.connection, [0]
    while True:
        ready, _, _ = select.select([connection.fileno(), *inputs], [], [])
        if connection.fileno() in ready:
            if not (data := _received(connection)):
                return
            yield data
        if 0 in ready:
            given = os.read(0, _CHUNK)
            try:
                if given:
                    connection.sendall(given)
                else:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:  # it reads no further; its output tells the rest
                given = b""
            if not given:
                inputs = []


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_CHUNK)
    except ConnectionResetError:
        return b""


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _raw() -> Iterator[None]:
    """Keys go to the container as they are pressed, Ctrl-C too."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _resized(console: DockerConsole, session: Session) -> Iterator[None]:
    """The terminal in the container is as large as ours, now and whenever ours changes."""

    def resize(_signal: int = 0, _frame: object = None) -> None:
        columns, rows = os.get_terminal_size(0)  # COLUMNS and LINES of the environment are those of another time
        try:
            console.resize(session, rows, columns)
        except ReconcilerError as error:
            show_error(f"{error}\r")

    before = signal.signal(signal.SIGWINCH, resize)
    resize()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _exit_code(console: DockerConsole, session: Session) -> int:
    until = time.monotonic() + _ENDING
    while (code := console.exit_code(session)) is None:
        if time.monotonic() > until:
            raise Transient(
                "E-SHELL-LOST",
                "the connection to the container was lost",
                why="the output ended, and the command runs on",
                next="look at the engine's log on the host",
            )
        time.sleep(0.05)
    return code
