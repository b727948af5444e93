"""What `sentinels list` shows a person, and how a person names one of them."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.support.cli import COMMAND, Host, environment, host_at

SHA, OTHER, IMAGE = "4f2c1ab" + "0" * 33, "4f2c1ff" + "1" * 33, f"image-sha256:{'ab' * 32}"
LONG = "E-VERIFY-UNHEALTHY: the container web of app/web did not become healthy within 30 s after its start " * 2


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a sentinel of every kind; some are by hand."""
    host = host_at(tmp_path)
    folder = host.sentinels / "blocked"
    folder.mkdir(parents=True)
    (folder / SHA).write_text(f"reason: {LONG}\nholder: reconciler\nat: 2024-01-01T00:00:00Z\ntree: {'a' * 40}\n")
    (folder / OTHER).touch()
    (folder / IMAGE).write_text("reason: no verdict\nholder: reconciler\nat: 2024-01-01T00:00:00Z\n")
    (host.sentinels / "accepted").write_text(f"{SHA}\n")
    (host.sentinels / "last-successful-deploy-sha").write_text(f"{OTHER}\n")
    assert host.run("pause", "--reason", "disk swap", "--for", "2d").code == 0
    assert host.run("pause", "alpha/web", "--reason", "debugging").code == 0
    (host.sentinels / "paused.d" / "old").write_text("reason: forgotten\nfor: 60s\nat: 2024-01-01T00:00:00Z\n")
    return host


def cells(text: str) -> list[list[str]]:
    """Rows of a table whose cells are two blanks apart."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def on_a_terminal(host: Host, columns: int, *words: str) -> list[str]:
    """What a person sees whose terminal is that wide."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = {key: value for key, value in environment().items() if key not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [*COMMAND, *words, "--config", str(host.config)], env=environ, stdout=terminal, stderr=subprocess.STDOUT
    )
    os.close(terminal)
    said = b""
    try:
        while chunk := os.read(master, 4096):
            said += chunk
    except OSError:  # the other end is closed
        pass
    os.close(master)
    assert process.wait(timeout=30) == 0, said
    return said.decode().replace("\r\n", "\n").splitlines()


def test_each_kind_has_its_row_with_what_why_and_how_long(host: Host) -> None:
    heading, *rows = cells(host.run("sentinels", "list").out)

    assert heading == ["NAME", "ABOUT", "SINCE", "LEFT", "BY", "REASON"]
    told = {row[0]: row[1:] for row in rows}
    assert list(told) == [
        "paused", "paused.d/old", "paused.d/web", f"blocked/{SHA}", f"blocked/{OTHER}", f"blocked/{IMAGE}", "accepted",
        "last-successful-deploy-sha",
    ]  # fmt: skip
    assert [told["paused"][n] for n in (0, 2, 4)] == ["the whole host", "2d", "disk swap"]
    assert [told["paused.d/web"][n] for n in (0, 2, 4)] == ["the stack web", "4h", "debugging"]
    assert told["paused.d/old"][2:] == ["over", "by hand", "forgotten"]
    assert told[f"blocked/{SHA}"][0] == "a commit, and its files"
    assert told[f"blocked/{SHA}"][2:] == ["-", "reconciler", LONG.strip()]
    assert told[f"blocked/{OTHER}"] == ["a commit", "-", "-", "by hand", "(it is empty; it counts all the same)"]
    assert told[f"blocked/{IMAGE}"][0] == "an image"
    assert told["accepted"] == ["a rewritten branch", "-", "-", "-", SHA]
    assert told["last-successful-deploy-sha"] == ["verified last", "-", "-", "-", OTHER]


@pytest.mark.parametrize("columns", [110, 160])
def test_on_a_terminal_every_row_is_one_line_of_it(host: Host, columns: int) -> None:
    lines = on_a_terminal(host, columns, "sentinels", "list")

    assert len(lines) == 9
    assert max(map(len, lines)) <= columns
    assert "blocked/4f2c1ab  " in lines[4] and lines[4].endswith("...")
    assert f"blocked/{IMAGE[:25]}  " in lines[6]
    full = on_a_terminal(host, columns, "sentinels", "list", "-o", "wide")
    assert LONG.strip() in "\n".join(full) and IMAGE in "\n".join(full)


@pytest.mark.parametrize("name", [f"blocked/{SHA}", SHA, "blocked/4f2c1ab", "4f2c1ab"])
def test_a_block_may_be_named_as_any_table_shows_it(host: Host, name: str) -> None:
    assert host.run("sentinels", "show", name).out.splitlines()[0] == f"blocked/{SHA}"
    assert host.run("sentinels", "clear", name).out == f"Cleared blocked/{SHA}\n"
    assert not (host.sentinels / "blocked" / SHA).exists()


def test_an_image_may_be_named_by_its_beginning(host: Host) -> None:
    assert host.run("sentinels", "clear", IMAGE[:25]).out == f"Cleared blocked/{IMAGE}\n"


def test_a_beginning_that_fits_two_is_not_guessed_at(host: Host) -> None:
    done = host.run("sentinels", "clear", "4f2c1", "--json")

    assert (done.code, done.error["code"]) == (64, "E-SENTINEL")
    assert "2 sentinels begin like that" in done.error["why"]
    assert (host.sentinels / "blocked" / SHA).exists()


def test_nothing_is_said_so(tmp_path: Path) -> None:
    assert host_at(tmp_path).run("sentinels", "list").out == "no sentinel; passes go their way\n"
