"""Checks that break or hang, and what the probes see of a machine."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.doctor.disks import mount_of, removables
from reconciler.doctor.engine import probe_engine
from reconciler.doctor.examine import Once, examine
from reconciler.doctor.files import nearest_folder
from reconciler.doctor.network import links, probe_network
from reconciler.doctor.running import probe_runner
from reconciler.errors import Terminal
from reconciler.model.diagnosis import Finding
from reconciler.settings import DEFAULT_FILE
from tests.support.engine import Engine
from tests.support.gitremote import tcp

WELL = Finding("well", "ok", "all is well")


def test_a_check_that_breaks_is_a_finding_and_not_the_end() -> None:
    def broken() -> Iterator[Finding]:
        yield WELL
        raise ZeroDivisionError("oh")

    def ours() -> Iterator[Finding]:
        raise Terminal("E-SOME", "it is so", why="because", next="do that")

    found = examine({"broken": broken, "ours": ours, "well": lambda: [WELL]}, 20)

    assert [f.check for f in found] == ["broken", "ours", "well"]
    assert "this check itself failed: ZeroDivisionError: oh" in found[0].what
    assert (found[1].what, found[1].why, found[1].next) == ("it is so [E-SOME]", "because", "do that")


def test_a_check_that_hangs_is_left_behind_and_told() -> None:
    for_ever = threading.Event()

    def hanging() -> list[Finding]:
        for_ever.wait()
        return []

    found = examine({"hanging": hanging, "well": lambda: [WELL]}, 0.2)
    for_ever.set()

    assert [(f.check, f.level) for f in found] == [("hanging", "fail"), ("well", "ok")]
    assert "did not end within 0.2 s" in found[0].what


def test_a_fact_is_gathered_once_for_all_who_ask_at_the_same_time() -> None:
    gathered: list[int] = []
    together = threading.Barrier(8)
    fact = Once(lambda: gathered.append(1))

    def ask() -> list[Finding]:
        together.wait()
        fact()
        return []

    assert examine({str(number): ask for number in range(8)}, 20) == ()
    assert gathered == [1]


def test_a_line_of_cron_is_found_and_a_comment_is_none(tmp_path: Path) -> None:
    (tmp_path / "cron.d").mkdir()
    (tmp_path / "cron.d/other").write_text("# * * * * * root reconciler converge\n")
    assert cron(tmp_path, DEFAULT_FILE) == ()

    (tmp_path / "cron.d/ours").write_text("*/5 * * * * root /opt/reconciler/bin/reconciler converge --yes -q\n")
    (tmp_path / "crontab").write_text("*/5 * * * * root reconciler --config /etc/second.toml converge --yes -q\n")
    assert cron(tmp_path, DEFAULT_FILE) == (f"{tmp_path}/cron.d/ours",)
    assert cron(tmp_path, "/etc/second.toml") == (f"{tmp_path}/crontab",)


def cron(etc: Path, file: str) -> tuple[str, ...]:
    return probe_runner(file, 5, etc, etc / "spool").cron


def test_how_far_a_connection_comes() -> None:
    with tcp(lambda _: None) as port:
        assert probe_network("127.0.0.1", port, 5).reach == ""
    assert probe_network("127.0.0.1", port, 5).reach == "refused"
    assert probe_network("no-such-host.invalid", 22, 5).reach == "name"
    assert any(link.loopback and link.up for link in links())


@pytest.mark.parametrize("path", ["/proc/self", "/proc/self/nothing/below"])
def test_the_file_system_of_what_is_not_there_yet_is_that_above_it(path: str) -> None:
    assert mount_of(nearest_folder(path)) == ("/proc", "proc")


@pytest.mark.engine
def test_what_docker_may_give_back_is_found_and_the_command_frees_it(engine: Engine, tmp_path: Path) -> None:
    def found() -> dict[str, str]:
        return {each.what: each.command for each in removables(str(tmp_path), probe_engine(engine.url, {}, 10))}

    ordinary = found()
    writes = "head -c 12000000 /dev/zero | tr '\\0' x | fold -w 100"
    engine.cli("run", "--name", "talker", "test/box:1", "sh", "-c", writes)
    engine.cli("commit", "talker")

    extra = {what: command for what, command in found().items() if what not in ordinary}
    assert extra.keys() == {"1 container log", "images without a name"}
    for command in extra.values():
        subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    assert found() == ordinary
    assert engine.cli("logs", "--tail", "1", "talker") == "", "it goes on writing into the same file"
