"""Facts of a host and what doctor makes of them; the faults that no test can make for real are here."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from reconciler.core.diagnosis.clock import ClockFacts, clock
from reconciler.core.diagnosis.commands import SettingPlace, set_value
from reconciler.core.diagnosis.disks import FileSystem, Removable, disks
from reconciler.core.diagnosis.engine import EngineFacts, engine
from reconciler.core.diagnosis.files import PathFacts, StateFacts, env_files, ssh_key, state
from reconciler.core.diagnosis.network import Link, NetworkFacts, no_way_there
from reconciler.core.diagnosis.remote import HostKeys, RemoteFacts, nearest, remote
from reconciler.core.diagnosis.running import LockFacts, RunnerFacts, Unit, crontab_line, lock, runner
from reconciler.core.diagnosis.signers import SignersFacts, signers
from reconciler.core.diagnosis.tools import programs
from reconciler.model.diagnosis import Finding

DAY, YEAR = 86_400.0, 365.25 * 86_400
BUILT = 1_795_219_200.0
NOW = BUILT + 100 * DAY
DOCKER = SettingPlace("/etc/r.toml", "docker.host")


def one(findings: Iterable[Finding]) -> Finding:
    (found,) = findings
    return found


# ---- the clock


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        (ClockFacts(NOW, BUILT), "ok", "nothing speaks against it"),
        (ClockFacts(NOW, BUILT, told=NOW + 20), "ok", "as git.example says"),
        (ClockFacts(NOW, BUILT, told=NOW - 100), "warn", "100 seconds fast"),
        (ClockFacts(NOW, BUILT, told=NOW + 3 * 3600), "fail", "3 hours slow"),
        (ClockFacts(NOW - 10 * YEAR, BUILT), "fail", "2017-"),
        (ClockFacts(NOW + 10 * YEAR, BUILT), "fail", "2037-"),
        (ClockFacts(0.0, BUILT, newest=NOW), "fail", "1970-01-01"),
        (ClockFacts(NOW, BUILT, newest=NOW + 2 * YEAR), "fail", "2027-"),
        (ClockFacts(NOW, BUILT, newest=NOW + 2 * DAY), "warn", "the newest commit is of"),
        (ClockFacts(NOW, BUILT, synchronized=False), "warn", "nothing keeps it right"),
        (ClockFacts(NOW, BUILT, synchronized=True), "ok", "nothing speaks against it"),
        (ClockFacts(NOW + 10 * YEAR, BUILT, told=NOW + 10 * YEAR), "ok", "as git.example says"),
    ],
)
def test_a_clock_is_judged_by_the_best_witness(facts: ClockFacts, level: str, words: str) -> None:
    from dataclasses import replace

    found = one(clock(replace(facts, teller="git.example")))

    assert (found.level, words in found.what) == (level, True), found


def test_systemd_is_asked_to_mend_a_clock_where_it_can() -> None:
    keep = "timedatectl set-ntp true"
    assert one(clock(ClockFacts(NOW - 10 * YEAR, BUILT, synchronized=False, keep=keep))).mend == keep
    assert one(clock(ClockFacts(NOW, BUILT, synchronized=False, keep=keep))).mend == keep
    assert one(clock(ClockFacts(NOW - 10 * YEAR, BUILT))).mend == ""


# ---- settings


@pytest.mark.parametrize(
    ("before", "place", "value", "after"),
    [
        ('[docker]\nhost = "old"\n', SettingPlace("", "docker.host", 2, 1), "new", {"docker": {"host": "new"}}),
        ("[docker]\n", SettingPlace("", "docker.host", 0, 1), "unix:///a b", {"docker": {"host": "unix:///a b"}}),
        ('host = "a"', SettingPlace("", "docker.host"), "new", {"host": "a", "docker": {"host": "new"}}),
        ('host = "a"\n', SettingPlace("", "host", 1), "b'\\c", {"host": "b'\\c"}),
        ("[trust]\nx = [1]\n", SettingPlace("", "trust.x", 2, 1), ["/srv", "/ä"], {"trust": {"x": ["/srv", "/ä"]}}),
    ],
)
def test_the_printed_command_writes_a_setting(
    tmp_path: Path, before: str, place: SettingPlace, value: str | list[str], after: object
) -> None:
    from dataclasses import replace

    file = tmp_path / "a file.toml"
    file.write_text(before)

    subprocess.run(["sh", "-c", set_value(replace(place, file=str(file)), value)], check=True)

    assert tomllib.loads(file.read_text()) == after


def test_a_setting_of_the_environment_or_of_several_lines_is_left_to_a_person() -> None:
    assert set_value(SettingPlace("f", "docker.host", variable="RECONCILER_DOCKER_HOST"), "x") == ""
    assert set_value(SettingPlace("f", "trust.allow_host_mounts", 3, 1, one_line=False), ["/a"]) == ""


# ---- Docker


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        (EngineFacts("a", version="20.10", api="1.41", oldest_api="1.12"), "ok", "Docker 20.10"),
        (EngineFacts("a", version="29.0", api="1.52", oldest_api="1.44"), "ok", "API 1.52"),
        (EngineFacts("a", version="19.03", api="1.40", oldest_api="1.12"), "warn", "too old"),
        (EngineFacts("a", version="18.09", api="1.39", oldest_api="1.12"), "fail", "too old"),
        (EngineFacts("a", version="99.0", api="1.99", oldest_api="1.60"), "fail", "too new"),
        (EngineFacts("unix:///s", "missing", install="apt-get install -y docker.io"), "fail", "there is no Docker"),
        (EngineFacts("unix:///s", "down", start="systemctl start docker"), "fail", "does not run"),
        (EngineFacts("unix:///s", "denied", user="ana", group="docker"), "fail", "ana may not use"),
        (EngineFacts("tcp://nas:2375", "name"), "fail", "that name is unknown"),
        (EngineFacts("tcp://nas:2375", "silent"), "fail", "does not answer in time"),
        (EngineFacts("tcp://nas:80", "strange"), "fail", "is no Docker engine"),
    ],
)
def test_what_is_wrong_with_an_engine_is_told_apart(facts: EngineFacts, level: str, words: str) -> None:
    found = one(engine(facts, DOCKER))

    assert (found.level, words in found.what) == (level, True), found


def test_limits_that_the_kernel_drops_are_a_warning() -> None:
    found = list(engine(EngineFacts("a", version="27", api="1.47", lacks=frozenset({"Memory"})), DOCKER))

    assert [f.level for f in found] == ["ok", "warn"]
    assert "Memory" in found[1].what


# ---- the network and the remote

CARD, DOWN, LO = Link("eth0", True, physical=True), Link("eth0", False, physical=True), Link("lo", True, loopback=True)


@pytest.mark.parametrize(
    ("facts", "words", "mend"),
    [
        (NetworkFacts("git", 22, "name", links=(LO, DOWN)), "eth0 is down", "ip link set dev eth0 up"),
        (NetworkFacts("git", 22, "no route", routed=False, links=(LO, CARD)), "no default route", ""),
        (NetworkFacts("git", 22, "name", links=(LO, CARD)), "the name git is unknown", ""),
        (NetworkFacts("git", 22, "refused", links=(LO, CARD)), "nobody listens at git:22", ""),
        (NetworkFacts("git", 22, "silent", links=(LO, CARD)), "does not answer", ""),
        (NetworkFacts("git", 22, "reset", links=(LO, CARD)), "cuts the connection off", ""),
        (NetworkFacts("git", 22, "no route", links=(LO, CARD)), "no way to git", ""),
        (NetworkFacts("127.0.0.1", 22, "refused", near=True, links=(LO, DOWN)), "nobody listens", ""),
    ],
)
def test_the_ways_in_which_a_host_cannot_be_reached(facts: NetworkFacts, words: str, mend: str) -> None:
    found = no_way_there(facts)

    assert found
    assert (words in found.what, found.mend) == (True, mend), found


def test_a_connection_that_comes_about_explains_nothing() -> None:
    assert no_way_there(NetworkFacts("git", 22, "", links=(LO, CARD))) is None


def test_a_host_key_behind_another_host_is_left_to_a_person() -> None:
    facts = RemoteFacts("ssh://git", "main", "ssh", "E-GIT-HOSTKEY", keys=HostKeys("git", 22, "/root/.ssh/known_hosts"))

    found = one(remote(facts, {}))

    assert (found.mend, "/root/.ssh/known_hosts" in found.next) == ("", True)


def test_what_was_meant_is_only_guessed_when_it_is_plain() -> None:
    assert nearest("x", ("alpha",)) == "alpha"
    assert nearest("alfa", ("alpha", "beta")) == "alpha"
    assert nearest("trunk", ("feature", "main"), ("main", "master")) == "main"
    assert nearest("x", ("alpha", "beta")) == ""


# ---- what starts passes

ON = Unit("loaded", "active", "enabled")
WELL = Unit("loaded", "inactive", "static", "success")


@pytest.mark.parametrize(
    ("units", "level", "words", "mend"),
    [
        ({"timer": ON, "path": ON, "service": WELL}, "ok", "the timer is on", ""),
        ({}, "warn", "the units are not installed", "make install"),
        (
            {"timer": Unit("loaded", "inactive", "disabled"), "path": ON, "service": WELL},
            "fail",
            "reconciler.timer is inactive, disabled",
            "systemctl enable --now reconciler.timer",
        ),
        (
            {"timer": ON, "path": Unit("loaded", "failed", "enabled"), "service": WELL},
            "warn",
            "reconciler.path is failed",
            "systemctl reset-failed reconciler.path && systemctl enable --now reconciler.path",
        ),
        (
            {"timer": ON, "path": ON, "service": Unit("loaded", "failed", "static", "exit-code")},
            "warn",
            "failed (exit-code)",
            "systemctl start reconciler.service",
        ),
    ],
)
def test_units_of_systemd(units: dict[str, Unit], level: str, words: str, mend: str) -> None:
    named = {f"reconciler.{kind}": unit for kind, unit in units.items()}

    found = one(runner(RunnerFacts("systemd", named)))

    assert (found.level, words in found.what, found.mend) == (level, True, mend), found


def test_without_systemd_cron_or_watch_is_as_good(tmp_path: Path) -> None:
    assert one(runner(RunnerFacts("other", {}, cron=("/etc/cron.d/reconciler",)))).level == "ok"
    assert one(runner(RunnerFacts("other", {}, watching=42))).level == "ok"
    nothing = one(runner(RunnerFacts("other", {}, program="/opt/r/bin/reconciler")))
    assert (nothing.level, "reconciler watch" in nothing.next) == ("warn", True)

    command = nothing.mend.replace("/etc/cron.d/", f"{tmp_path}/")
    subprocess.run(["sh", "-c", command], check=True)
    assert (tmp_path / "reconciler").read_text() == f"{crontab_line('/opt/r/bin/reconciler')}\n"


@pytest.mark.parametrize(
    ("facts", "level", "mend"),
    [
        (LockFacts(), "ok", ""),
        (LockFacts(42, "S", "reconciler converge", 60, 42), "ok", ""),
        (LockFacts(42, "T", "reconciler converge", 60, 42), "fail", "kill -CONT 42"),
        (LockFacts(43, "S", "sleep 1000", 60, 42), "fail", "kill 43"),
        (LockFacts(42, "S", "reconciler converge", 3600, 42), "warn", "kill 42"),
    ],
)
def test_who_holds_the_lock(facts: LockFacts, level: str, mend: str) -> None:
    found = one(lock(facts))

    assert (found.level, found.mend) == (level, mend)


# ---- files, disks, programs

GIB = 1 << 30


def test_a_small_disk_is_not_full_because_it_is_small() -> None:
    assert one(disks([FileSystem("/s", ("x",), 8 << 20, 6 << 20)], [])).level == "ok"
    assert one(disks([FileSystem("/s", ("x",), 100 * GIB, GIB // 2)], [])).level == "warn"
    assert one(disks([FileSystem("/s", ("x",), 100 * GIB, 10 << 20)], [])).level == "fail"
    assert one(disks([FileSystem("/s", ("x",), 100 * GIB, 50 * GIB, 1_000_000, 10)], [])).level == "fail"


def test_what_is_precious_only_goes_when_there_is_nothing_else() -> None:
    full = FileSystem("/", ("the state directory",), 100 * GIB, 0)
    copies, cache = Removable("/", "copies", GIB, "rm -r x", precious=True), Removable("/", "cache", 1, "apt-get clean")
    other = Removable("/other", "logs", GIB, "truncate")

    assert one(disks([full], [copies, cache, other])).mend == "apt-get clean"
    assert one(disks([full], [copies, other])).mend == "rm -r x"


def test_a_state_directory_in_memory_is_a_warning() -> None:
    folder = PathFacts("/run/r", "directory", 0o700)

    assert one(state(StateFacts(folder, kind="tmpfs", mount="/run"), 0)).level == "warn"
    assert one(state(StateFacts(folder, kind="ext4", mount="/"), 0)).level == "ok"


def test_a_file_of_the_user_who_runs_passes_is_as_good_as_one_of_root() -> None:
    assert one(env_files([PathFacts("/e", "file", 0o600, owner=1000)], me=1000)).level == "ok"
    assert one(env_files([PathFacts("/e", "file", 0o600, owner=1000)], me=0)).level == "warn"
    assert one(env_files([PathFacts("/e", "file", problem="permission denied")], me=1000)).level == "fail"


def test_a_key_that_is_missing_is_made_by_the_printed_command(tmp_path: Path) -> None:
    path = tmp_path / "id"
    command = one(ssh_key(PathFacts(str(path), "missing"), 0)).mend

    shown = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout

    assert shown.startswith("ssh-ed25519 ")
    assert path.stat().st_mode & 0o777 == 0o600


def test_programs_that_are_missing_or_too_old() -> None:
    assert one(programs("2.39.5", {})).level == "ok"
    assert one(programs("2.30.2", {})).level == "fail"
    assert one(programs("", {"git": "apk add git"})).mend == "apk add git"


# ---- whose commits are followed

ALLOWED = PathFacts("/etc/r/allowed_signers", "file", 0o644)


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        (SignersFacts("head", ALLOWED, 2), "ok", "2 of /etc/r/allowed_signers"),
        (SignersFacts("all", others=(PathFacts("/etc/r/gpg", "directory", 0o700),)), "ok", "the gpg keyring"),
        (SignersFacts("head", ALLOWED, 0), "fail", "has no key"),
        (SignersFacts("head", PathFacts("/etc/r/allowed_signers", "missing")), "fail", "cannot be read"),
        (SignersFacts("head", PathFacts("/x", "file", 0o664), 1), "fail", "can be changed by others"),
        (SignersFacts("head", PathFacts("/x", "file", 0o644, 1000), 1), "fail", "can be changed by others"),
        (SignersFacts("head", ALLOWED, 1, (PathFacts("/revoked", "missing"),)), "fail", "/revoked cannot be read"),
        (SignersFacts("head", ALLOWED, 1, missing={"ssh-keygen": "apt-get"}), "fail", "ssh-keygen is not installed"),
    ],
)
def test_keys_of_signers_have_to_be_there_and_roots_alone(facts: SignersFacts, level: str, words: str) -> None:
    found = one(signers(facts, 0))

    assert (found.level, words in found.what) == (level, True), found


def test_nothing_is_said_of_keys_when_commits_need_no_signature() -> None:
    assert not list(signers(SignersFacts(), 0))
