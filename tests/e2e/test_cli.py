"""The commands as a user runs them: exit codes, forms of an answer, streams that close, signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.adapters.lock import Holder, PassLock
from tests.support.cli import COMMAND, Host, environment, host_at, run, stack
from tests.support.engine import Engine
from tests.support.gitremote import hanging

pytestmark = pytest.mark.engine

NEVER_HEALTHY = stack() + "    healthcheck: {test: [CMD, 'false'], interval: 60s, timeout: 60s, retries: 3}\n"


@pytest.fixture
def host(tmp_path: Path, engine: Engine) -> Host:
    """A host whose remote wants one small stack; nothing was converged yet."""
    made = host_at(tmp_path, engine.url)
    made.push({"fleet.yaml": made.fleet(), "stacks/app/compose.yaml": stack()})
    return made


@pytest.fixture
def converged(host: Host) -> Host:
    assert host.run("converge", "-q").code == 0
    return host


def eventually(check: Callable[[], bool], what: str, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, f"never came: {what}"
        time.sleep(0.02)


# ---- a whole day, in the order that a person lives it


def test_plan_converge_status_history_from_the_first_pass_on(host: Host, engine: Engine) -> None:
    fresh = host.run("status")
    assert (fresh.code, "no pass has run yet" in fresh.out) == (0, True)
    assert host.run("status", "--check").code == 2
    assert host.run("plan", "--detailed-exitcode").code == 2

    first = host.run("converge")
    assert first.code == 0, first.err
    assert re.match(r"Converged at [0-9a-f]{7}: 1 create  \(", first.out)
    assert "app/web  up" in first.err
    assert host.stamp == host.remote.head

    again = host.run("converge")
    assert (again.code, again.out.startswith("Nothing to do at")) == (0, True)
    assert host.run("plan", "--detailed-exitcode").code == 0
    assert host.run("diff", "alpha", "--exit-code").code == 0
    status = host.run("status", "--check")
    assert (status.code, "synced" in status.out) == (0, True)

    engine.cli("stop", "-t", "0", "app-web-1")
    assert host.run("status", "--check").code == 2
    difference = host.run("diff", "alpha/app", "--exit-code")
    assert (difference.code, "app/web  (start)\n  stopped" in difference.out) == (1, True)

    ids = host.run("history", "-o", "name").out.split()
    assert len(ids) == 2
    shown = host.run("history", "show", ids[-1])
    assert "app/web  create: ok  (new)" in shown.out
    assert host.run("history", ids[-1]).out == shown.out
    assert host.run("history", "show", "nothing").code == 64
    assert host.run("history", "nothing", "--json").error["code"] == "E-TARGET"
    assert host.run("history", "alpha/nothing").code == 64
    assert host.run("history", "alpha/app", "-o", "name").out.split() == ids[1:]
    assert host.run("history", "-n", "1", "--json").answer["data"]["runs"][0]["id"] == ids[0]


def test_a_bad_commit_is_put_back_with_exit_code_4_and_told_by_status(converged: Host) -> None:
    good = converged.remote.head
    bad = converged.push({"stacks/app/compose.yaml": stack().replace("[sleep, '600']", "['false']")})

    failed = converged.run("converge", "--json")

    assert failed.code == 4
    assert failed.error["code"] == "E-VERIFY"
    assert failed.answer["data"]["outcome"] == "rolled-back"
    assert converged.stamp == good
    status = converged.run("status")
    assert "held" in status.out
    assert bad[:7] in status.out
    assert converged.run("sentinels", "show", bad[:8]).code == 0
    assert converged.run("sentinels", "clear", bad[:8]).code == 0
    assert converged.run("sentinels", "clear", bad).code == 64


def test_status_shows_what_runs_also_when_the_newest_manifests_cannot_be_read(converged: Host) -> None:
    good = converged.remote.head
    converged.push({"stacks/app/compose.yaml": "services: ["})
    assert converged.run("converge").code == 78

    status = converged.run("status", "--json")

    assert status.code == 0
    assert status.answer["data"]["running"] == good
    assert (status.answer["data"]["sync"], status.answer["data"]["in_sync"]) == ("unknown", False)
    assert converged.run("status", "--check").code == 2


def test_a_target_narrows_a_pass_and_one_that_does_not_exist_is_a_usage_error(converged: Host, engine: Engine) -> None:
    converged.push({"stacks/other/compose.yaml": stack(), "stacks/app/compose.yaml": stack(A="1")})

    assert converged.run("converge", "alpha/other").code == 0
    assert sorted(engine.cli("ps", "--format", "{{.Names}}").split()) == ["app-web-1", "other-web-1"]
    assert [step["stack"] for step in converged.run("plan", "--json").answer["data"]["steps"]] == ["app"]
    for target in ("beta", "alpha/none", "alpha/app/none"):
        for command in ("plan", "diff", "converge"):
            done = converged.run(command, target, "--json")
            assert (done.code, done.error["code"]) == (64, "E-TARGET")


def test_a_stack_of_another_host_may_need_what_only_that_one_has(tmp_path: Path, engine: Engine) -> None:
    host = host_at(tmp_path, engine.url)
    elsewhere = "  beta: {connect: local, checkout: /opt/beta}\n"
    needs = "x-reconciler: {hosts: [beta]}\nservices: {web: {image: test/box:1, env_file: beta.env}}\n"
    host.push({
        "fleet.yaml": host.fleet(elsewhere),
        "stacks/here/compose.yaml": f"x-reconciler: {{hosts: [alpha]}}\n{stack()}",
        "stacks/there/compose.yaml": needs,
    })  # fmt: skip

    done = host.run("converge", "--json")

    assert done.code == 0, done.out
    assert engine.cli("ps", "--format", "{{.Names}}") == "here-web-1"


# ---- plans


def test_exactly_the_saved_plan_is_applied_or_nothing(converged: Host, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    converged.push({"stacks/app/compose.yaml": stack(A="1"), "stacks/other/compose.yaml": stack()})
    planned = converged.run("plan", "alpha/app", "--out", file)
    assert (planned.code, f"converge --plan {file}" in planned.out) == (0, True)

    converged.push({"stacks/app/compose.yaml": stack(A="2")})
    before = time.time()
    stale = converged.run("converge", "--plan", file, "--json")
    assert (stale.code, stale.error["code"]) == (1, "E-PLAN-STALE")
    assert engine.events(before, kinds=("container",)) == []

    assert converged.run("plan", "alpha/app", "--out", file).code == 0
    assert converged.run("converge", "--plan", file).code == 0
    assert engine.cli("ps", "--format", "{{.Names}}") == "app-web-1", "the plan was about one stack"
    assert "A=2" in engine.cli("inspect", "--format", "{{.Config.Env}}", "app-web-1")


@pytest.mark.parametrize("content", ["", "[]", '{"digest": 1}', "\x00"])
def test_what_is_no_plan_is_not_applied(content: str, host: Host, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(content)

    done = host.run("converge", "--plan", tmp_path / "plan.json", "--json")

    assert (done.code, done.error["code"]) == (1, "E-PLAN-FILE")
    assert not host.checkout.exists()


def test_a_plan_that_cannot_be_written_is_an_error_with_advice(host: Host, tmp_path: Path) -> None:
    done = host.run("plan", "--out", tmp_path / "missing" / "plan.json", "--json")

    assert (done.code, done.error["code"]) == (1, "E-PLAN-FILE")


def test_dry_run_is_plan(host: Host) -> None:
    dry, planned = host.run("converge", "--dry-run", "alpha/app"), host.run("plan", "alpha/app")

    assert dry.out == planned.out
    assert not host.checkout.exists()
    assert host.run("converge", "--dry-run", "--json").answer["data"]["steps"]


# ---- pauses


def test_a_pause_holds_a_pass_until_it_is_resumed(host: Host, engine: Engine) -> None:
    paused = host.run("pause", "--reason", "disk swap", "--for", "1h")
    assert (paused.code, "reconciler resume alpha" in paused.out) == (0, True)

    held = host.run("converge", "--json")

    assert held.code == 3
    assert (held.answer["data"]["outcome"], held.error["code"]) == ("paused", "E-PAUSED")
    assert engine.cli("ps", "-aq") == ""
    assert '"disk swap" tester' in host.run("status").out
    assert host.run("resume").out == "Resumed alpha\n"
    assert host.run("resume").out == "alpha was not paused\n"
    assert host.run("converge").code == 0


def test_a_file_made_by_hand_pauses(converged: Host, engine: Engine) -> None:
    (converged.sentinels / "paused").touch()
    converged.push({"stacks/app/compose.yaml": stack(A="1")})
    before = time.time()

    assert converged.run("converge").code == 3
    assert engine.events(before) == []
    assert converged.run("sentinels", "list", "-o", "name").out.split()[0] == "paused"
    assert converged.run("sentinels", "clear", "paused").code == 0
    assert converged.run("converge").code == 0


def test_a_paused_stack_is_left_alone_and_the_others_go_on(converged: Host, engine: Engine) -> None:
    converged.push({"stacks/app/compose.yaml": stack(A="1"), "stacks/other/compose.yaml": stack()})
    before = engine.cli("inspect", "--format", "{{.Id}}", "app-web-1")
    assert converged.run("pause", "alpha/app", "--reason", "debugging").code == 0

    assert converged.run("converge").code == 0

    assert engine.cli("inspect", "--format", "{{.Id}}", "app-web-1") == before
    assert engine.cli("inspect", "--format", "{{.State.Running}}", "other-web-1") == "true"
    assert converged.run("sentinels", "show", "paused.d/app").code == 0
    assert converged.run("resume", "alpha/app").code == 0
    assert converged.run("converge").code == 0
    assert engine.cli("inspect", "--format", "{{.Id}}", "app-web-1") != before


def test_status_tells_of_a_paused_stack_and_of_what_runs_of_it(converged: Host, engine: Engine) -> None:
    converged.push({"stacks/other/compose.yaml": stack()})
    assert converged.run("converge").code == 0
    assert converged.run("pause", "alpha/app", "--reason", "debugging", "--for", "1h").code == 0

    told, data = converged.run("status", "-o", "wide").out, converged.run("status", "--json").answer["data"]

    assert 'stack app is paused: "debugging" tester' in told
    assert "  app/web: running" in told and "  other/web: running" in told
    assert (data["sync"], data["in_sync"], data["paused"]) == ("paused", False, None)
    assert data["paused_stacks"]["app"]["reason"] == "debugging"
    engine.cli("stop", "-t", "0", "app-web-1")
    stopped = converged.run("status", "-o", "wide").out
    assert "  app/web: exited; after the pause: start (stopped" in stopped
    assert "sick: app/web" in stopped


def test_resume_of_the_host_names_the_stacks_that_are_still_paused(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    assert host.run("pause", "alpha/app", "--reason", "debugging").code == 0

    told = host.run("resume").out

    assert told == "alpha was not paused\n  alpha/app is still paused: reconciler resume alpha/app\n"
    assert host.run("resume", "--json").answer["data"]["paused_stacks"] == ["app"]
    assert host.run("resume", "alpha/app").out == "Resumed alpha/app\n"


@pytest.mark.parametrize(
    "words",
    [
        ["pause"],
        ["pause", "beta", "--reason", "x"],
        ["pause", "alpha/app/web", "--reason", "x"],
        ["pause", "alpha/..", "--reason", "x"],
        ["pause", "--reason", "x", "--for", "soon"],
        ["pause", "--reason", "x", "--for", "0s"],
        ["resume", "/"],
        ["sentinels", "show", "../../etc/passwd"],
        ["sentinels", "clear", "nothing"],
        ["sentinels", "clear", "blocked/*"],
        ["history", "show", "x"],
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_a_usage_error(words: list[str], tmp_path: Path) -> None:
    host = host_at(tmp_path)

    done = host.run(*words, "--json")

    assert done.code == 64, done.out + done.err
    assert done.error["code"] in ("E-USAGE", "E-SENTINEL", "E-RUN")
    assert "Traceback" not in done.err


# ---- forms of an answer


def test_every_command_answers_in_json(converged: Host) -> None:
    commands = (
        "plan",
        "diff alpha",
        "converge",
        "status",
        "history",
        "history alpha/app",
        "history show ID",
        "sentinels list",
        "version",
        "schema",
        "pause --reason x",
        "sentinels show paused",
        "resume",
    )
    run_id = converged.run("history", "-o", "name").out.strip()

    for words in commands:
        done = converged.run(*words.replace("ID", run_id).split(), "--json")
        assert done.code == 0, done.out + done.err
        assert words.startswith(done.answer["command"])
        assert done.answer["data"]
        assert done.err == ""


@pytest.mark.parametrize("words", ["plan", "status", "history", "sentinels list"])
def test_every_form_has_the_same_facts(words: str, converged: Host) -> None:
    as_yaml = yaml.safe_load(converged.run(*words.split(), "-o", "yaml").out)
    as_json = converged.run(*words.split(), "-o", "json").answer
    wide = converged.run(*words.split(), "-o", "wide")
    names = converged.run(*words.split(), "-o", "name")

    assert set(as_yaml) == set(as_json)
    assert set(as_yaml["data"]) == set(as_json["data"])
    assert wide.out.count("\n") >= names.out.count("\n")
    assert all(line == line.strip() and " " not in line for line in names.out.splitlines())


@pytest.mark.parametrize("before", [[], ["-q"], ["--config", "/nowhere"], ["-o", "table"]], ids=" ".join)
def test_the_version_may_be_asked_for_as_an_option_too(before: list[str]) -> None:
    asked = run(*before, "--version")

    assert (asked.code, asked.out, asked.err) == (0, run("version").out, "")
    assert run("--version", "--json").answer == run("version", "--json").answer
    assert run("status", "--version").code == 64, "there it would be an option of that command"


def test_global_options_stand_before_or_after_the_command(host: Host) -> None:
    config = str(host.config)
    places = [
        ["--json", "--config", config, "sentinels", "list"],
        ["sentinels", "--json", "--config", config, "list"],
        ["sentinels", "list", "--json", "--config", config],
        ["--config", config, "sentinels", "-o", "json", "list"],
    ]

    answers = [run(*words).answer for words in places]

    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["command"] == "sentinels list"


def test_converge_streams_events_and_ends_with_its_answer(host: Host) -> None:
    done = host.run("converge", "--json")

    assert done.code == 0
    assert done.err == ""
    phases = [event["phase"] for event in done.events if event["event"] == "phase"]
    assert phases == ["fetch", "plan", "check out", "apply", "verify"]
    steps = [(e["stack"], e["service"], e["state"]) for e in done.events if e["event"] == "step"]
    assert steps[-1] == ("app", "web", "up")
    assert all(event["schema"] == "reconciler/v1" and event["at"] > 1e9 for event in done.events)
    assert done.answer["data"]["plan"]["steps"][0]["action"] == "create"
    assert host.run("converge", "--json", "-q").events == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["convrge"], "Did you mean 'converge'?"),
        (["statsu"], "Did you mean 'status'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["plan", "--nonsense"], "No such option"),
        (["-o", "xml", "version"], "'xml'"),
        (["converge", "--timeout", "soon"], "no duration"),
        (["converge", "--timeout", "0"], "no duration"),
        (["diff"], "Missing argument"),
        (["converge", "a", "b"], "unexpected extra argument"),
        (["converge", "--plan", "/nonexistent"], "does not exist"),
        (["sentinels", "shw"], "shw"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_wrong_command_line_ends_with_64_in_words_and_in_json(words: list[str], says: str) -> None:
    in_words, in_json = run(*words), run(*words, "--json")

    assert (in_words.code, in_json.code) == (64, 64)
    assert says in in_words.err
    assert in_words.out == ""
    assert says in in_json.error["what"]
    assert in_json.error["code"] == "E-USAGE"


@pytest.mark.parametrize(
    "words", [["--help"], ["converge", "-h"], ["sentinels", "--help"], ["history", "show", "-h"]], ids=" ".join
)
def test_help_fits_a_terminal_and_tells_own_options_from_shared_ones(words: list[str]) -> None:
    done = run(*words, env=environment(COLUMNS="80"))

    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 100
    assert done.out.count("--timeout TIME") == 1
    assert "Options of every command:" in done.out
    assert "..." not in done.out.replace("[ARGS]...", "")


# ---- what surrounds a command


def test_trouble_outside_has_its_own_exit_code(tmp_path: Path, engine: Engine) -> None:
    host = host_at(tmp_path, "unix:///nonexistent/docker.sock")
    host.push({"fleet.yaml": host.fleet(), "stacks/app/compose.yaml": stack()})
    away = host.run("converge", "--json")
    assert (away.code, away.error["code"]) == (69, "E-DOCKER-UNREACHABLE")

    host.remote.path.rename(tmp_path / "gone.git")
    gone = host.run("converge", "--json", env={"RECONCILER_DOCKER_HOST": engine.url})
    assert (gone.code, gone.error["code"]) == (69, "E-GIT-FETCH")


def test_a_state_directory_that_cannot_be_made_is_told_with_advice(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    host.state.write_text("a file is in the way")

    done = host.run("status", "--json")

    assert (done.code, done.error["code"]) == (1, "E-STATE")
    assert "state.directory" in done.error["next"]


def test_timeout_bounds_the_fetch(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    with hanging() as port:
        env = {"RECONCILER_REPOSITORY_URL": f"http://127.0.0.1:{port}/fleet.git"}
        before = time.monotonic()
        done = host.run("converge", "--timeout", "500ms", "--json", env=env)

    assert (done.code, done.error["code"]) == (69, "E-GIT-TIMEOUT")
    assert time.monotonic() - before < 40, "the default would be a minute"


def test_timeout_bounds_the_engine(tmp_path: Path) -> None:
    with hanging() as port:
        host = host_at(tmp_path, f"tcp://127.0.0.1:{port}")
        host.push({"fleet.yaml": host.fleet(), "stacks/app/compose.yaml": stack()})
        before = time.monotonic()
        done = host.run("converge", "--timeout", "1s", "--json")

    assert done.code in (1, 69)
    assert done.error["code"] in ("E-DOCKER-TIMEOUT", "E-DOCKER-UNREACHABLE")
    assert time.monotonic() - before < 40, "the default would be a minute"


def test_a_second_pass_ends_with_75_and_names_the_first(host: Host) -> None:
    lock = PassLock(host.state)
    lock.acquire(Holder(os.getpid(), 1_700_000_000.0, "converge, asked by ana", "run-1"))
    try:
        busy, look = host.run("converge", "--json"), host.run("plan", "--json")
    finally:
        lock.release()

    assert (busy.code, busy.error["code"]) == (75, "E-LOCK-BUSY")
    told = f"{busy.error['what']} {busy.error['why']}"
    assert str(os.getpid()) in told
    assert "run-1" in told
    assert "2023-11-14 22:13:20 UTC" in told
    assert "asked by ana" in told
    assert (host.state / "again").exists(), "the trigger is not lost"
    assert look.error["code"] == "E-NO-REVISION", "plan waits for nobody, but nothing was fetched yet"


def test_a_reader_that_goes_away_does_not_stop_a_pass(host: Host, engine: Engine) -> None:
    env = environment()
    words = [*COMMAND, "converge", "--config", str(host.config), "--json"]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert process.returncode == 0
    assert "Traceback" not in errors
    assert engine.cli("ps", "--format", "{{.Names}}") == "app-web-1"
    assert host.stamp == host.remote.head


def test_progress_that_nobody_reads_does_not_stop_a_pass(host: Host, engine: Engine) -> None:
    command = (
        f"{' '.join(COMMAND)} converge --config {host.config} 2>&1 >/dev/null | head -n 1; exit ${{PIPESTATUS[0]}}"
    )

    done = subprocess.run(["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=60)

    assert done.returncode == 0
    assert engine.cli("ps", "--format", "{{.Names}}") == "app-web-1"
    assert host.stamp == host.remote.head


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_stop_a_pass_nor_get_into_its_files(closed: str, host: Host) -> None:
    command = f"{' '.join(COMMAND)} converge --config {host.config} {closed}"

    done = subprocess.run(["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert host.run("history", "--json").answer["data"]["runs"][0]["outcome"] == "succeeded"


def test_an_answer_that_cannot_be_written_is_a_failure() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "version"], env=environment(), stdout=full, stderr=subprocess.PIPE, text=True)

    assert done.returncode == 1
    assert "cannot write the answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode_gets_plain_signs(converged: Host) -> None:
    converged.push({"stacks/app/compose.yaml": stack(A="1")})

    done = converged.run("plan", env={"PYTHONIOENCODING": "ascii"})

    assert done.code == 0, done.err
    assert "+/- app/web" in done.out


def test_the_journal_gets_priorities_and_a_plain_pipe_does_not(converged: Host, tmp_path: Path) -> None:
    plain = converged.run("converge", env={"JOURNAL_STREAM": "8:1234", "INVOCATION_ID": "x"})
    assert "<" not in plain.err
    assert "\x1b" not in plain.err

    converged.push({"stacks/app/compose.yaml": "services: ["})
    log = tmp_path / "journal"
    with log.open("w") as stderr:
        status = os.fstat(stderr.fileno())
        env = environment(JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}", INVOCATION_ID="x")
        words = [*COMMAND, "converge", "--config", str(converged.config)]
        subprocess.run(words, env=env, stdout=subprocess.DEVNULL, stderr=stderr)
    lines = log.read_text().splitlines()

    assert all(re.match(r"<[3-6]>", line) for line in lines), lines
    assert lines[0] == "<5>fetch"
    assert any(line.startswith("<3>manifests/stacks/app/compose.yaml:2:1:") for line in lines), lines
    assert converged.run("history", "-n", "1", "--json").answer["data"]["runs"][0]["actor"] == "timer"


# ---- signals


@pytest.fixture
def slow(host: Host) -> Iterator[subprocess.Popen[str]]:
    """A pass that waits for a service that is not healthy yet."""
    host.push({"stacks/app/compose.yaml": NEVER_HEALTHY})
    words = [*COMMAND, "converge", "--config", str(host.config), "--json"]
    process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_pass_that_is_asked_to_stop_ends_with_130_and_the_next_one_completes_it(
    number: signal.Signals, slow: subprocess.Popen[str], host: Host, engine: Engine
) -> None:
    eventually(lambda: engine.cli("ps", "--format", "{{.Names}}") == "app-web-1", "the container")

    slow.send_signal(number)
    out, err = slow.communicate(timeout=20)

    assert slow.returncode == 130, err
    answer = json.loads(out.splitlines()[-1])
    assert (answer["data"]["outcome"], answer["error"]["code"]) == ("interrupted", "E-INTERRUPTED")
    assert "Traceback" not in err
    host.push({"stacks/app/compose.yaml": stack()})
    assert host.run("converge").code == 0
    assert engine.cli("ps", "-a", "--format", "{{.Names}}") == "app-web-1"
    outcomes = [run["outcome"] for run in host.run("history", "--json").answer["data"]["runs"]]
    assert outcomes == ["succeeded", "interrupted"]


def test_ctrl_c_during_a_fetch_ends_before_anything_is_touched(tmp_path: Path, engine: Engine) -> None:
    host = host_at(tmp_path, engine.url)
    with hanging() as port:
        env = environment(RECONCILER_REPOSITORY_URL=f"http://127.0.0.1:{port}/fleet.git")
        words = [*COMMAND, "converge", "--config", str(host.config), "--json"]
        process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["phase"] == "fetch"
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)  # two signals at once are one to the kernel
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert process.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["data"]["outcome"] == "interrupted"
    assert not host.checkout.exists()


def test_a_question_is_asked_on_a_terminal_only_and_no_means_nothing(converged: Host, engine: Engine) -> None:
    import pty

    converged.push({"stacks/app/compose.yaml": stack(A="1")})
    before = engine.cli("inspect", "--format", "{{.Id}}", "app-web-1")
    words = [*COMMAND, "converge", "--config", str(converged.config), "-q"]
    master, terminal = pty.openpty()
    try:
        with subprocess.Popen(
            words, env=environment(), stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            os.write(master, b"n\n")
            out, err = process.communicate(timeout=30)
        assert "Go ahead?" in err
        assert "not confirmed; nothing was done" in out
        never = subprocess.run(
            [*words, "--no-input"], env=environment(), stdin=terminal, capture_output=True, text=True
        )
        assert "not confirmed" in never.stdout
        assert "Go ahead?" not in never.stderr
        assert engine.cli("inspect", "--format", "{{.Id}}", "app-web-1") == before
        agreed = subprocess.run([*words, "--yes"], env=environment(), stdin=terminal, capture_output=True, text=True)
        assert agreed.returncode == 0
    finally:
        os.close(master)
        os.close(terminal)
    assert engine.cli("inspect", "--format", "{{.Id}}", "app-web-1") != before
