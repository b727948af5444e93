"""What a person does with containers: read their output as it comes, and work inside of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from docker import APIClient
from docker.errors import APIError

from reconciler.adapters.docker.client import as_http, connect
from reconciler.adapters.docker.errors import translated
from reconciler.adapters.docker.frames import frames
from reconciler.adapters.docker.http import DEADLINE
from reconciler.core.lines import Piece

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Session:
    """A command at work in a container: what is written to `connection` is its input, what comes is its output.

    `pending`: output that came with the answer's headers already. With a terminal output is plain, else in frames.
    """

    id: str
    connection: socket.socket
    pending: bytes
    response: Any  # keeps the connection open


class DockerConsole:
    """`url` and `deadline` as for the engine; following output and working inside have no bound."""

    def __init__(self, url: str = "", deadline: float = DEADLINE) -> None:
        self._url, self._deadline = url, deadline

    def output(self, container: str, *, tail: int | None, since: float, follow: bool) -> Iterator[Piece]:
        """Its output from the engine's log, each piece as it was written; with `follow` until the container ends.

        `since`: seconds since the epoch; `tail`: the last lines only, None for all. Every line begins with its time.
        """
        with translated("read the output of a container"), as_http():
            api = connect(self._url, self._deadline)
            plain = bool(api.inspect_container(container)["Config"].get("Tty"))
            asked = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow), "since": since}
            answer = api.get(
                f"{_base(api)}/containers/{container}/logs",
                params={**asked, "tail": "all" if tail is None else tail},
                stream=True,
                timeout=(self._deadline, None if follow else self._deadline),
            )
            _raise_for(answer)
            chunks = answer.raw.stream(_CHUNK, decode_content=False)
            yield from (Piece("stdout", chunk) for chunk in chunks) if plain else frames(chunks)

    def enter(self, container: str, command: Sequence[str], *, terminal: bool) -> Session:
        """Start a command in a running container, with its input open."""
        with translated("start a command in a container"), as_http():
            api = connect(self._url, self._deadline)
            made = api.exec_create(container, list(command), stdin=True, tty=terminal)
            answer = api.post(
                f"{_base(api)}/exec/{made['Id']}/start",
                json={"Tty": terminal, "Detach": False},
                headers={"Connection": "Upgrade", "Upgrade": "tcp"},
                stream=True,
                timeout=self._deadline,
            )
            _raise_for(answer)
            connection, pending = _taken_over(answer)
            return Session(str(made["Id"]), connection, pending, answer)

    def resize(self, session: Session, rows: int, columns: int) -> None:
        """Tell the terminal of a session how large it is."""
        with translated("resize a terminal", gone_is_fine=True), as_http():
            connect(self._url, self._deadline).exec_resize(session.id, rows, columns)

    def exit_code(self, session: Session) -> int | None:
        """How its command ended; None while it runs."""
        with translated("ask how a command ended"), as_http():
            told = connect(self._url, self._deadline).exec_inspect(session.id)
        return None if told["Running"] else int(told["ExitCode"])


def _base(api: APIClient) -> str:
    return f"{api.base_url}/v{api.api_version}"


def _raise_for(answer: Any) -> None:
    if answer.status_code >= 400:
        raise APIError(answer.text, response=answer, explanation=answer.json().get("message"))


def _taken_over(answer: Any) -> tuple[socket.socket, bytes]:
    """The connection below an upgraded answer, and what of its output was read together with the headers."""
    reader = answer.raw._fp.fp  # noqa: SLF001  http.client keeps it to itself, and nothing else leads to the socket
    connection: socket.socket = reader.raw._sock  # noqa: SLF001  same
    connection.setblocking(False)
    pending = bytes(reader.peek())
    connection.settimeout(None)
    return connection, pending
