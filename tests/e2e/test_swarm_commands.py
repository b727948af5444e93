"""The commands of the build swarm as people run them: a real orchestrator, and drones that do as a test says."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_completion import complete
from tests.support.cli import COMMAND, ROOT, Done, environment, run
from tests.support.faulty import way_to
from tests.support.serving import Orchestrator, ScriptedDrone, eventually, listing, orchestrator_at

TOKEN = "of those who may"
SET = "apiVersion: reconciler/v1\nkind: PackageSet\nname: tools\nprofile: special\natoms:\n- app-misc/foo\n"
ANSWERS = "use:\n  app-misc/foo: +nls -doc\n"


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    with orchestrator_at(tmp_path_factory.mktemp("swarm"), TOKEN) as made:
        yield made


def submitted(swarm: Orchestrator, *packages: str, profile: str) -> Done:
    return swarm.run("submit", "-", "--profile", profile, "--json", stdin=listing(*packages))


def started(swarm: Orchestrator, *words: str) -> subprocess.Popen[str]:
    """A command that goes on."""
    env = environment(ORCHESTRATOR_URL=swarm.url, SWARM_ADMIN_KEY=TOKEN, RECONCILER_CONFIG=str(swarm.config))
    return subprocess.Popen([*COMMAND, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=60)
    return Done(process.returncode, out, err)


# ---- submit --dry-run: nobody is asked


def test_a_dry_run_shows_what_was_read_of_a_listing(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text(
        "These are the packages that would be merged, in reverse order:\n\n"
        '[ebuild     U  ] app-misc/foo-1.1:0/2::gentoo [1.0:0/1::gentoo] USE="nls -doc" 0 KiB\n'
        "[binary  N     ]  dev-libs/bar-2.0-r1-3::overlay  0 KiB\n"
        "[ebuild  N  what is this\n"
    )

    done = run("submit", "--dry-run", "--json", file, env=environment(ORCHESTRATOR_URL="http://127.0.0.1:1"))

    data = done.answer["data"]
    assert done.code == 0
    first, second = data["packages"]
    assert {key: first[key] for key in ("kind", "category", "name", "version", "slot", "repo", "use")} == {
        "kind": "ebuild", "category": "app-misc", "name": "foo", "version": "1.1", "slot": "0/2", "repo": "gentoo",
        "use": ["-doc", "nls"],
    }  # fmt: skip
    assert (second["kind"], second["version"], second["build_id"], second["line"]) == ("binary", "2.0-r1", 3, 4)
    assert data["edges"] == [{"parent": "app-misc/foo-1.1", "dependency": "dev-libs/bar-2.0-r1"}]
    assert [problem["line"] for problem in data["problems"]] == [5]
    assert done.answer["warnings"][0].startswith("line 5: ")
    assert run("submit", "--dry-run", "-o", "name", file).out == "app-misc/foo-1.1\ndev-libs/bar-2.0-r1\n"
    table = run("submit", "--dry-run", file)
    assert re.search(r"^ebuild +app-misc/foo-1\.1 +0/2 +gentoo +-doc nls$", table.out, re.MULTILINE)
    assert "2 packages, 1 edge, 1 line not understood" in table.out


@pytest.mark.parametrize("sample", sorted((ROOT / "tests/swarm/samples").glob("*.txt"))[:4], ids=lambda file: file.name)
def test_a_dry_run_reads_what_emerge_really_prints(sample: Path) -> None:
    done = run("submit", "--dry-run", "--json", sample)

    assert done.code == 0, done.err
    assert done.answer["data"]["packages"]
    assert done.answer["data"]["problems"] == []


def test_a_dry_run_of_a_set_reads_the_manifests(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/tools.yaml").write_text(SET + ANSWERS)

    done = run("submit", "--set", "tools", "--manifests", tmp_path, "--dry-run", "--json")

    assert [(each["kind"], each["atom"]) for each in done.answer["data"]["packages"]] == [("atom", "app-misc/foo")]
    missing = run("submit", "--set", "other", "--manifests", tmp_path, "--dry-run", "--json")
    assert (missing.code, missing.error["code"]) == (78, "E-MANIFEST-SET")
    assert "tools" in missing.error["why"]
    (tmp_path / "packages/tools.yaml").write_text(SET + "- nonsense\n")
    wrong = run("submit", "--set", "tools", "--manifests", tmp_path, "--dry-run", "--json")
    assert (wrong.code, wrong.error["code"], wrong.error["at"]["line"]) == (78, "E-MANIFEST-VALUE", 7)


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"nonsense\n", 1), (b"# all\n\xff\n", 2), (b"x" * (9 << 20), 0), (b" \n\n", 0)],
    ids=["words", "bytes", "size", "nothing"],
)
def test_what_is_no_list_is_told_with_its_line(content: bytes, line: int, tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_bytes(content)

    done = run("submit", "--dry-run", "--json", file)

    assert (done.code, done.error["code"], done.error["at"]["line"]) == (1, "E-PACKAGES", line)
    assert run("submit", "--dry-run", "--json", tmp_path / "none").error["code"] == "E-PACKAGES"


@pytest.mark.parametrize("words", [[], ["--set", "a", "file"], ["--dry-run"]])
def test_either_a_file_or_a_set(words: list[str]) -> None:
    assert run("submit", *words, "--json").error["code"] == "E-USAGE"


# ---- submit


def test_a_list_is_handed_in_and_each_line_is_answered(swarm: Orchestrator, tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text(listing("app-misc/in-1", " dev-libs/needed-1"))

    first = swarm.run("submit", file, "--profile", "handed", "--key", "handed-in")
    again = swarm.run("submit", file, "--profile", "handed", "--key", "handed-in")
    other = swarm.run("submit", file, "--profile", "handed")

    assert (first.code, first.err) == (0, "")
    assert re.fullmatch(
        r"request (\S+): building: 2 accepted, 0 deduplicated, 0 refused\n"
        r"  \+ app-misc/in-1 +\S.*\n  \+ dev-libs/needed-1 +\S.*\n  follow it: reconciler queue watch \1\n",
        first.out,
    ), first.out
    assert "(known already)" in again.out
    assert "0 accepted, 2 deduplicated" in other.out
    assert swarm.run("submit", file, "--profile", "handed", "-o", "name").out.strip()


def test_what_is_refused_as_a_whole_ends_with_1(swarm: Orchestrator) -> None:
    done = swarm.run("submit", "-", "--json", stdin="[ebuild  N  nonsense\n")

    assert (done.code, done.error["code"]) == (1, "E-SUBMIT-REFUSED")
    assert done.answer["data"]["refused"][0]["line"] == 1


def test_a_set_takes_its_profile_and_its_flags_along(swarm: Orchestrator, tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/tools.yaml").write_text(SET + ANSWERS)
    drone = swarm.drone("special", profile="special")

    done = swarm.run("submit", "--set", "tools", "--manifests", tmp_path, "--json")

    request = done.answer["data"]["request"]
    assert (request["origin"], request["profile"], request["state"]) == ("set:tools", "special", "resolving")
    offer = drone.take()
    assert (offer.atoms, set(offer.use["app-misc/foo"])) == (("app-misc/foo",), {"nls", "-doc"})
    drone.finish(offer, "succeeded", text=listing("app-misc/foo-1"))


# ---- the queue


def test_the_queue_is_listed_bumped_and_cancelled(swarm: Orchestrator) -> None:
    told = submitted(swarm, "app-misc/q-one-1", "app-misc/q-two-1", profile="queue").answer["data"]
    one, two = (each["build"] for each in told["accepted"])

    listed = swarm.run("queue", "list")
    assert re.search(rf"^{one} +app-misc/q-one-1 +queued +- +- ", listed.out, re.MULTILINE), listed.out
    assert "queued" in listed.out.splitlines()[-1]
    assert {one, two} <= set(swarm.run("queue", "list", "-o", "name").out.split())
    assert "PROFILE" in swarm.run("queue", "list", "-o", "wide").out
    assert swarm.run("queue", "bump", two).out == f"{two}: goes first\n"
    order = [id for id in swarm.run("queue", "list", "-o", "name").out.split() if id in (one, two)]
    assert order == [two, one]
    assert swarm.run("queue", "cancel", two).out == f"{two}: cancelled\n"
    gone = swarm.run("queue", "cancel", two, "--json")
    assert (gone.code, gone.error["code"]) == (1, "E-SWARM-ENDED")
    unknown = swarm.run("queue", "bump", "nothing", "--json")
    assert (unknown.code, unknown.error["code"]) == (64, "E-HTTP-MISSING")
    assert swarm.run("queue", "cancel", told["request"]["id"], "--json").answer["data"]["builds"] == [one]


def test_a_request_is_watched_line_by_line_until_it_is_built(swarm: Orchestrator) -> None:
    drone = swarm.drone("watched", profile="watched")
    told = submitted(swarm, "app-misc/w-one-1", "app-misc/w-two-1", profile="watched").answer["data"]
    watching = started(swarm, "queue", "watch", told["request"]["id"])
    as_json = started(swarm, "queue", "watch", told["request"]["id"], "--json")
    _until_they_begin(watching, as_json)
    drone.build(drone.take())
    drone.build(drone.take())

    done, machine = ended(watching), ended(as_json)

    assert done.code == 0, done.err
    for package in ("app-misc/w-one-1", "app-misc/w-two-1"):
        assert re.search(rf"^\d\d:\d\d:\d\d  {package}: succeeded on watched", done.out, re.MULTILINE), done.out
    assert done.out.splitlines()[-1] == f"request {told['request']['id']}: complete: 2 succeeded"
    assert machine.code == 0
    assert {"queue_update"} <= {event["event"] for event in machine.events}
    assert machine.answer["data"]["request"]["state"] == "complete"


def _until_they_begin(*watching: subprocess.Popen[str]) -> None:
    """Each tells what is there as soon as it hears of what happens."""
    outputs = [process.stdout for process in watching if process.stdout]
    eventually(lambda: len(select.select(outputs, [], [], 0.3)[0]) == len(watching), "they tell what is there")


def test_a_watch_in_a_pipe_begins_with_what_is_there_and_needs_no_change_for_it(swarm: Orchestrator) -> None:
    told = submitted(swarm, "app-misc/p-one-1", profile="piped").answer["data"]
    request, build = told["request"]["id"], told["accepted"][0]["build"]
    of_all, of_one = started(swarm, "queue", "watch"), started(swarm, "queue", "watch", request)
    as_json = started(swarm, "queue", "watch", "--json")

    all_lines, one_line, machine = (_first_lines(each) for each in (of_all, of_one, as_json))

    assert re.search(r"^\d\d:\d\d:\d\d  \d+ queued.*; ", all_lines, re.MULTILINE), all_lines
    assert re.search(r"^\d\d:\d\d:\d\d  app-misc/p-one-1: queued \(", all_lines, re.MULTILINE), all_lines
    assert re.match(
        rf"\d\d:\d\d:\d\d  request {request}: building\n\d\d:\d\d:\d\d  app-misc/p-one-1: queued", one_line
    ), one_line
    first = json.loads(machine.splitlines()[0])
    assert first["event"] == "queue_state"
    assert build in [entry["build"]["id"] for entry in first["entries"]]
    swarm.run("queue", "cancel", request)


def _first_lines(process: subprocess.Popen[str]) -> str:
    """What it writes until it writes no more for a moment; then it is ended."""
    assert process.stdout is not None
    seen, wait = "", 60.0
    while select.select([process.stdout], [], [], wait)[0]:
        seen, wait = seen + os.read(process.stdout.fileno(), 65536).decode(), 0.5
    process.terminate()
    process.communicate(timeout=60)
    return seen


def test_the_queue_shows_the_requests_that_wait_and_a_watch_of_a_build_names_its_request(swarm: Orchestrator) -> None:
    told = submitted(swarm, "app-misc/r-one-1", "app-misc/r-two-1", profile="listed").answer["data"]
    request, build = told["request"]["id"], told["accepted"][0]["build"]

    listed = swarm.run("queue", "list").out
    watched = swarm.run("queue", "watch", build, "--json")

    assert re.search(rf"^{request} +building +emerge +\S+ +listed +2 +\d+s ago$", listed, re.MULTILINE), listed
    assert (watched.code, watched.error["code"]) == (64, "E-HTTP-MISSING")
    assert f"{build} is a build" in watched.error["what"]
    assert f"reconciler queue watch {request}" in watched.error["next"]
    swarm.run("queue", "cancel", request)


def test_a_watched_question_that_leaves_nothing_to_build_says_so(swarm: Orchestrator) -> None:
    drone = swarm.drone("content", profile="content")
    told = swarm.submit("app-misc/there\n", profile="content")
    drone.finish(drone.take(), "succeeded", text="Total: 0 packages, Size of downloads: 0 KiB\n")

    done = swarm.run("queue", "watch", told["request"]["id"])

    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        f"request {told['request']['id']}: complete (nothing to build)",
    )
    assert "resolve app-misc/there: answered" in swarm.run("builds", "show", f"{told['request']['id']}-0").out


def test_a_package_where_a_file_is_wanted_is_told_how_to_be_handed_in(swarm: Orchestrator) -> None:
    done = swarm.run("submit", "app-misc/there")

    assert done.code == 1
    assert "there is no file app-misc/there" in done.err
    assert "echo app-misc/there | reconciler submit -" in done.err


def test_a_watched_request_that_fails_ends_with_1(swarm: Orchestrator) -> None:
    drone = swarm.drone("fails", profile="fails")
    told = submitted(swarm, "app-misc/f-one-1", " app-misc/f-two-1", profile="fails").answer["data"]
    for _ in range(3):
        drone.finish(drone.take(), "failed", reason="it does not compile")

    done = swarm.run("queue", "watch", told["request"]["id"])

    assert done.code == 1
    assert "app-misc/f-two-1: failed" in done.out
    assert "it does not compile" in done.out
    assert "app-misc/f-one-1: held" in done.out


def test_a_watched_request_that_is_refused_says_why(swarm: Orchestrator) -> None:
    drone = swarm.drone("asked", profile="asked")
    told = swarm.ask("POST", "/api/queue", {"atoms": ["app-misc/nothere"], "profile": "asked"}).data
    answer = 'emerge: there are no ebuilds to satisfy "app-misc/nothere".\n'
    drone.finish(drone.take(), "succeeded", text=answer)

    done = swarm.run("queue", "watch", told["request"]["id"])

    assert done.code == 1
    assert f"request {told['request']['id']}: refused" in done.out
    assert 'there are no ebuilds to satisfy "app-misc/nothere"' in done.out


def test_on_a_terminal_the_watch_is_a_tree(swarm: Orchestrator) -> None:
    drone = swarm.drone("drawn", profile="drawn")
    told = submitted(swarm, "app-misc/t-one-1", "app-misc/t-two-1", " app-misc/t-three-1", profile="drawn").answer[
        "data"
    ]
    offer = drone.take()
    env = environment(ORCHESTRATOR_URL=swarm.url, TERM="xterm", COLUMNS="120", LINES="60", PYTHONIOENCODING="utf-8")
    master, terminal = pty.openpty()
    words = [*COMMAND, "queue", "watch", told["request"]["id"]]
    with subprocess.Popen(words, env=env, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        seen = _until(master, "drawn  building")
        while process.poll() is None:
            drone.build(offer)
            if told["accepted"]:
                told["accepted"].pop()
            if not told["accepted"]:
                break
            offer = drone.take()
        seen += _until(master, "complete")
        assert process.wait(30) == 0
    os.close(master)

    assert re.search(r"[├└]─ drawn  building +4 cores  load 1\.5", seen), seen
    assert re.search(r"[│ ]  [├└]─ app-misc/t-\w+-1  (building|leased) for \d+s", seen), seen
    assert "waiting: " in seen


def _until(master: int, text: str) -> str:
    """What is written to a terminal until a text comes."""
    seen, until = "", time.monotonic() + 40
    while text not in seen:
        assert time.monotonic() < until, seen
        if select.select([master], [], [], 1)[0]:
            try:
                seen += os.read(master, 65536).decode(errors="replace")
            except OSError:
                break
    return seen


# ---- drones


def test_drones_are_enrolled_shown_drained_and_restarted(swarm: Orchestrator) -> None:
    enrolled = swarm.run("drones", "enroll", "by-hand")
    assert enrolled.code == 0
    assert len(enrolled.out.strip()) > 30, "the credential alone, for a file"
    assert 'needs name = "by-hand" below [drone]' in enrolled.err
    assert f"a drone of this machine is called {socket.gethostname()}" in enrolled.err
    assert f"reads it from {swarm.folder}/secrets/drone (mode 0600)" in enrolled.err
    own = swarm.run("drones", "enroll", "by-hand", "-o", "name", env={"RECONCILER_DRONE_NAME": "by-hand"})
    assert "which is called by-hand, reads it from" in own.err and "[drone]" not in own.err
    assert swarm.run("drones", "enroll", "by-hand", "-q").err == ""
    assert "it has never come" in swarm.run("drones", "show", "by-hand").out
    drone = swarm.drone("capella", profile="drones")
    build = submitted(swarm, "app-misc/d-1", profile="drones").answer["data"]["accepted"][0]["build"]
    offer = drone.take()
    eventually(lambda: "compile" in swarm.run("drones", "show", "capella").out, "what it does is known")

    wide = swarm.run("drones", "list", "-o", "wide").out
    assert re.search(
        r"^capella +building +app-misc/d-1::gentoo +compile +\d +1\.5 .*8GiB +1\.00 +drones$", wide, re.MULTILINE
    ), wide
    assert {"capella", "by-hand"} <= set(swarm.run("drones", "list", "-o", "name").out.split())
    assert "drained" in swarm.run("drones", "drain", "capella").out
    assert "drained" not in swarm.run("drones", "undrain", "capella").out
    assert swarm.run("drones", "restart", "capella", "--json").answer["data"]["name"] == "capella"
    assert not drone.link.working(offer)
    assert f"{build}" in swarm.run("queue", "list").out
    assert swarm.run("drones", "revoke", "capella").out == "capella is a drone no more\n"
    unknown = swarm.run("drones", "drain", "capella", "--json")
    assert (unknown.code, unknown.error["code"]) == (64, "E-HTTP-MISSING")
    swarm.run("queue", "cancel", build)


@pytest.mark.parametrize(
    "words",
    [["drones", "enroll", "a drone"], ["drones", "enroll", "x" * 65], ["submit", "-", "--profile", "../amd64"]],
    ids=["blank", "length", "path"],
)
def test_what_can_be_no_name_is_told_in_words_before_anybody_is_asked(words: list[str]) -> None:
    done = run(*words, "--json", env=environment(ORCHESTRATOR_URL="http://127.0.0.1:1"), stdin="app-misc/foo\n")

    assert (done.code, done.error["code"]) == (64, "E-USAGE")
    assert "letters, digits and + _ . - are good for it, 64 at most" in done.error["what"]


# ---- builds


def test_builds_are_listed_shown_and_followed(swarm: Orchestrator) -> None:
    drone = swarm.drone("followed", profile="builds")
    told = submitted(swarm, "app-misc/b-one-1", "app-misc/b-two-1", profile="builds").answer["data"]
    offer = drone.take()
    following = started(swarm, "builds", "show", offer.build, "--follow")
    as_json = started(swarm, "builds", "show", offer.build, "--follow", "--json")
    log = b"".join(b"line %d\n" % number for number in range(2000)) + "grüße".encode()
    for start in range(0, len(log), 5000):
        drone.wrote(offer, start, log[start : start + 5000])
    drone.build(offer)

    done, machine = ended(following), ended(as_json)

    assert done.code == 0, done.err
    assert done.out.splitlines()[:-1] == log.decode().splitlines()
    assert done.out.splitlines()[-1].endswith(": succeeded")
    assert [event["text"] for event in machine.events] == log.decode().splitlines()
    assert machine.answer["data"]["build"]["state"] == "succeeded"
    listed = swarm.run("builds", "list", "--profile", "builds")
    assert re.search(rf"^{offer.build} +\S+ +succeeded +followed +1 +1s ", listed.out, re.MULTILINE), listed.out
    assert (
        swarm.run("builds", "list", "--profile", "builds", "--state", "succeeded", "-o", "name").out
        == f"{offer.build}\n"
    )
    assert "STORED" in swarm.run("builds", "list", "-n", "3", "-o", "wide").out
    shown = swarm.run("builds", "show", offer.build).out
    assert "try 1 on followed, 1s" in shown
    assert re.search(r": succeeded \d+s ago$", shown.splitlines()[0]), shown
    assert shown.splitlines()[-1] == "  | grüße"
    swarm.run("queue", "cancel", told["request"]["id"])


def test_a_log_is_followed_over_a_failed_try(swarm: Orchestrator) -> None:
    drone, other = swarm.drone("try-one", profile="tries"), swarm.drone("try-two", profile="tries")
    build = submitted(swarm, "app-misc/again-1", profile="tries").answer["data"]["accepted"][0]["build"]
    following = started(swarm, "builds", "show", build, "--follow")
    first = _whoever(drone, other)
    offer = first.take()
    first.wrote(offer, 0, b"the first try\n")
    first.finish(offer, "failed", reason="no")
    second = other if first is drone else drone
    offer = second.take()
    second.wrote(offer, 0, b"the second try\n")
    second.build(offer)

    done = ended(following)

    assert done.code == 0
    assert done.out.splitlines()[:2] == ["the first try", "the second try"]


def _whoever(*drones: ScriptedDrone) -> ScriptedDrone:
    """The one that was offered something."""
    found: list[ScriptedDrone] = []

    def offered() -> bool:
        found.extend(drone for drone in drones if drone.link.next(0) is not None)
        return bool(found)

    eventually(offered, "one of them gets an offer")
    return found[0]


# ---- the manual


def test_the_curl_of_the_manual_does_what_it_says(swarm: Orchestrator, tmp_path: Path) -> None:
    block = re.search(r"```sh\n(.*?)```", (ROOT / "docs/swarm.md").read_text(), re.DOTALL)
    assert block is not None
    (tmp_path / "list").write_text(listing("app-misc/manual-1"))
    env = environment(URL=swarm.url, TOKEN=TOKEN)

    done = subprocess.run(["bash", "-ec", block[1]], cwd=tmp_path, env=env, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"ok":true') == block[1].count("curl") - 1, "all but the metrics"
    assert "app-misc/manual-1" in swarm.run("queue", "list").out


# ---- trouble


@pytest.mark.parametrize(
    "words",
    [["queue", "list"], ["queue", "watch"], ["drones", "list"], ["builds", "list"], ["builds", "show", "x"],
     ["queue", "cancel", "x"], ["drones", "drain", "x"]],
    ids=" ".join,
)  # fmt: skip
def test_an_orchestrator_that_is_away_is_69_with_advice(words: list[str]) -> None:
    env = environment(ORCHESTRATOR_URL="http://127.0.0.1:1")

    done = run(*words, "--json", "--timeout", "2s", env=env, timeout=120)

    assert (done.code, done.error["code"]) == (69, "E-ORCHESTRATOR-AWAY")
    assert "ORCHESTRATOR_URL" in done.error["next"]


def test_one_that_hangs_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("app-misc/foo\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        env = environment(ORCHESTRATOR_URL=f"http://127.0.0.1:{server.getsockname()[1]}")
        done = run("submit", file, "--json", "--timeout", "500ms", env=env)

    assert (done.code, done.error["code"]) == (69, "E-ORCHESTRATOR-AWAY")
    assert re.search(r"--key cli-\w+", done.error["next"]), "the same again is safe, and how"


def test_something_else_there_is_told(tmp_path: Path) -> None:
    words = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        port = re.search(r"port (\d+)", server.stdout.readline())
        assert port is not None
        done = run("queue", "list", "--json", env=environment(ORCHESTRATOR_URL=f"http://127.0.0.1:{port[1]}"))
        server.kill()

    assert (done.code, done.error["code"]) == (1, "E-ORCHESTRATOR-STRANGE")


@pytest.mark.parametrize(
    "words", [["queue", "list"], ["queue", "watch", "x"], ["drones", "list"], ["builds", "show", "x"]], ids=" ".join
)
def test_an_orchestrator_of_another_version_is_told(words: list[str]) -> None:
    with way_to("http://127.0.0.1:1") as way:
        body = b'{"schema": "reconciler/v2", "ok": true, "data": {}, "error": null}'
        way.canned = (200, body, {"Content-Type": "application/json"})
        done = run(*words, "--json", env=environment(ORCHESTRATOR_URL=way.url))

    assert (done.code, done.error["code"]) == (1, "E-ORCHESTRATOR-STRANGE")
    assert "reconciler/v2" in done.error["why"]


def test_a_watch_of_what_is_no_stream_of_events_ends() -> None:
    with way_to("http://127.0.0.1:1") as way:
        way.canned = (200, b"<html>somebody else</html>\n", {"Content-Type": "text/html"})
        done = run("queue", "watch", "--json", env=environment(ORCHESTRATOR_URL=way.url), timeout=60)

    assert (done.code, done.error["code"]) == (69, "E-ORCHESTRATOR-AWAY")
    assert "it answered text/html" in done.error["why"]


def test_without_the_token_it_is_shown_and_not_changed(swarm: Orchestrator) -> None:
    env = environment(ORCHESTRATOR_URL=swarm.url)

    shown, refused = run("queue", "list", env=env), run("drones", "enroll", "x", "--json", env=env)

    assert shown.code == 0
    assert (refused.code, refused.error["code"]) == (1, "E-HTTP-TOKEN")
    assert "SWARM_ADMIN_KEY" in refused.error["next"]


def test_a_token_that_cannot_be_sent_is_told_without_its_words() -> None:
    env = environment(ORCHESTRATOR_URL="http://127.0.0.1:1", SWARM_ADMIN_KEY="open\nsesame")
    done = run("queue", "list", "--json", env=env)

    assert done.error["why"] == "what was to be sent is not as HTTP has it"
    assert "sesame" not in done.out + done.err


def test_the_token_may_be_a_secret_of_the_host(swarm: Orchestrator, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    secret = tmp_path / "secrets/swarm"
    secret.write_text(f"{TOKEN}\n")
    secret.chmod(0o600)
    (tmp_path / "reconciler.toml").write_text(f'[swarm]\nurl = "{swarm.url}"\ntoken = "swarm"\n')

    assert run("drones", "enroll", "secret", "--config", tmp_path / "reconciler.toml").code == 0
    secret.chmod(0o644)
    assert run("drones", "list", "--json", "--config", tmp_path / "reconciler.toml").error["code"] == "E-SECRET-OPEN"


# ---- completion


def test_names_of_drones_and_builds_are_completed(swarm: Orchestrator, monkeypatch: pytest.MonkeyPatch) -> None:
    swarm.drone("completed")
    config = swarm.folder / "client.toml"
    config.write_text(f'[swarm]\nurl = "{swarm.url}"\n')
    build = submitted(swarm, "app-misc/completed-1", profile="completed").answer["data"]["accepted"][0]["build"]

    assert complete(None, f"reconciler --config {config} drones show compl") == ["completed"]
    assert complete(None, f"reconciler --config {config} queue cancel {build}") == [build]
    assert complete(None, f"reconciler --config {config} queue watch {build}") == [], "it takes requests alone"
    assert complete(None, f"reconciler --config {config} builds show {build}") == [build]
    config.write_text('[swarm]\nurl = "http://127.0.0.1:1"\n')
    assert complete(None, f"reconciler --config {config} drones show compl") == []


# ---- serve


def test_only_the_role_that_there_is_may_be_served() -> None:
    for role, says in (("gateway", "not there yet"), ("center", "not there yet"), ("else", "is no role")):
        done = run("serve", "--role", role, "--json")
        assert (done.code, done.error["code"]) == (64, "E-USAGE")
        assert says in done.error["what"] and "orchestrator" in done.error["what"]


def test_it_listens_on_more_than_loopback_only_with_a_token(tmp_path: Path) -> None:
    config = tmp_path / "reconciler.toml"
    config.write_text(f'[serve]\ndirectory = "{tmp_path}/swarm"\n')
    for listen in ("0.0.0.0:0", "[::]:0", "10.0.0.1:0", "reconciler.example:0"):
        done = run("serve", "--listen", listen, "--json", "--config", config)
        assert (done.code, done.error["code"]) == (78, "E-SERVE-OPEN"), listen
        assert "serve.token" in done.error["next"]
    assert not (tmp_path / "swarm").exists()


def test_a_token_that_is_named_and_empty_is_told_and_does_not_count_as_none(tmp_path: Path) -> None:
    config = tmp_path / "reconciler.toml"
    config.write_text(f'[serve]\ndirectory = "{tmp_path}/swarm"\ntoken = "t"\n\n[swarm]\ntoken = "t"\n')
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/t").touch(0o600)

    for words in (["serve", "--listen", "127.0.0.1:0"], ["serve", "--listen", "0.0.0.0:0"], ["drones", "list"]):
        done = run(*words, "--json", "--config", config)
        assert (done.code, done.error["code"]) == (1, "E-SECRET-EMPTY"), words
        assert f"{tmp_path}/secrets/t" in done.error["next"]


def test_an_address_that_is_taken_is_told_and_a_second_process_is_busy(swarm: Orchestrator, tmp_path: Path) -> None:
    taken = run("serve", "--listen", f"127.0.0.1:{swarm.port}", "--json", "--config", swarm.config)
    second = run("serve", "--listen", "127.0.0.1:0", "--json", "--config", swarm.config)

    assert (taken.code, json.loads(taken.out.splitlines()[-1])["error"]["code"]) == (1, "E-SERVE-LISTEN")
    assert (second.code, json.loads(second.out.splitlines()[-1])["error"]["code"]) == (75, "E-BINHOST-BUSY")
    assert swarm.get("/health").status == 200


def test_it_ends_within_moments_whatever_is_under_way(tmp_path: Path) -> None:
    with orchestrator_at(tmp_path) as made:
        stream = socket.create_connection(("127.0.0.1", made.port), timeout=20)
        stream.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert stream.recv(1000)
        half = socket.create_connection(("127.0.0.1", made.port), timeout=20)
        half.sendall(b"GET /api/sta")
        began = time.monotonic()
        code: list[int] = []
        ending = threading.Thread(target=lambda: code.append(made.stop()))
        ending.start()
        ending.join(20)
        stream.close()
        half.close()

    assert code == [0]
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "words", [["version"], ["submit", "--dry-run", "-"], ["queue", "list"], ["plan"], ["converge"]], ids=" ".join
)
def test_no_other_command_loads_a_web_framework(words: list[str]) -> None:
    heavy: tuple[str, ...] = (
        "fastapi",
        "starlette",
        "uvicorn",
        "apscheduler",
        "opentelemetry",
        "reconciler.web",
        "reconciler.wiring.serve",
    )
    if words[0] not in ("plan", "converge"):
        heavy += ("docker", "pygit2", "pydantic", "requests")
    code = (
        "import sys\nfrom reconciler.__main__ import main\n"
        f"sys.argv = ['reconciler', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\n"
    )
    env = environment(ORCHESTRATOR_URL="http://127.0.0.1:1", RECONCILER_SWARM_DEADLINE="1s")

    done = subprocess.run([sys.executable, "-c", code], env=env, input="app-misc/foo\n", capture_output=True, text=True)

    assert done.stderr.splitlines()[-1] == "[]", done.stderr
