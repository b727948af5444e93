"""doctor on a host with one deliberate fault after the other: it finds each, and the command it prints mends it."""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import COMMAND, ROOT, Done, Host, environment, host_at, run, stack
from tests.support.engine import Engine
from tests.support.gitremote import answering, hanging, http_backend, sshd

pytestmark = pytest.mark.engine

Finding = dict[str, str]


@pytest.fixture
def host(tmp_path: Path, engine: Engine) -> Host:
    """A host with nothing wrong: its manifests were fetched once."""
    made = host_at(tmp_path, engine.url, more=f'[inbox]\ndirectory = "{tmp_path}/inbox"\n')
    made.push({"fleet.yaml": made.fleet(), "stacks/app/compose.yaml": stack()})
    assert made.run("plan", "-q").code == 0
    return made


def findings(done: Done) -> list[Finding]:
    found: list[Finding] = done.answer["data"]["findings"]
    return found


def failures(host: Host, **how: Any) -> list[Finding]:
    """What fails now; the exit code says the same."""
    done = host.run("doctor", "--json", **how)
    failed = [finding for finding in findings(done) if finding["level"] == "fail"]
    assert (done.code == 0) == (not failed), done.out
    return failed


def only_failure(host: Host, check: str, words: str, **how: Any) -> Finding:
    failed = failures(host, **how)
    assert [finding["check"] for finding in failed] == [check], failed
    assert words in failed[0]["what"], failed
    return failed[0]


def warning(host: Host, check: str) -> Finding:
    (found,) = (f for f in findings(host.run("doctor", "--json")) if f["check"] == check and f["level"] == "warn")
    return found


def mend(finding: Finding, stdin: str = "", prefix: tuple[str, ...] = ()) -> None:
    """Run the very command that was printed, as a person would paste it."""
    assert finding["mend"], finding
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*prefix, "sh", "-c", finding["mend"]],
        input=stdin,
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{finding['mend']}\n{done.stderr}"


def finds_and_mends(host: Host, check: str, words: str, stdin: str = "") -> Finding:
    found = only_failure(host, check, words)
    mend(found, stdin)
    assert failures(host) == []
    return found


# ---- the answer


def test_a_host_with_nothing_wrong_is_green(host: Host) -> None:
    done = host.run("doctor")

    assert done.code == 0, done.out
    assert re.search(r"^ok +docker +Docker \S+, API 1\.\d+, at unix://", done.out, re.MULTILINE)
    assert re.search(rf"^ok +remote +file://\S+ answers, main is at {host.remote.head[:7]}$", done.out, re.MULTILINE)
    assert re.search(r"^ok +manifests +app for alpha, as of ", done.out, re.MULTILINE)
    assert done.out.splitlines()[-1].endswith(" 0 failed")


def test_what_fails_comes_last_with_its_command(host: Host) -> None:
    host.config.chmod(0o666)

    done = host.run("doctor")

    assert done.code == 1
    levels = [line.split()[0] for line in done.out.splitlines() if line[:1] not in ("", " ") and not line[0].isdigit()]
    assert levels == sorted(levels, key=["ok", "warn", "fail"].index)
    assert done.out.splitlines()[-3] == f"      mend  chmod go-w {host.config}"


def test_a_host_without_its_own_file_is_sent_to_init(tmp_path: Path) -> None:
    done = run("doctor", "--json", "--config", tmp_path / "none.toml")

    assert (done.code, done.error["code"]) == (78, "E-SETTINGS-FILE")
    found = {finding["check"]: finding for finding in findings(done)}
    assert found["settings"]["mend"] == "reconciler init"
    assert found["programs"]["level"] == "ok"


def test_a_file_that_is_wrong_ends_with_78_and_the_line(host: Host) -> None:
    host.config.write_text(host.config.read_text().replace("[repository]", "[repostory]"))

    done = host.run("doctor")

    assert done.code == 78
    assert "did you mean 'repository'?" in done.out
    assert f"{host.config}:3:1" in done.out


def test_it_changes_nothing(host: Host) -> None:
    def all_files() -> dict[str, int]:
        return {str(path): path.lstat().st_mtime_ns for path in host.folder.rglob("*") if not path.is_dir()}

    before = all_files()
    assert host.run("doctor").code == 0

    assert all_files() == before


def test_no_secret_is_shown(host: Host) -> None:
    (host.config.parent / "secrets").mkdir(mode=0o700)
    (host.config.parent / "secrets" / "token").write_text("hunter2-hunter2\n")
    host.config.write_text(
        host.config.read_text().replace(f'"{host.remote.url}"', '"http://me:s3cr3t-word@127.0.0.1:9/x.git"')
    )

    shown = host.run("doctor", "-v").out + host.run("doctor", "--json").out

    assert "127.0.0.1:9" in shown
    assert "s3cr3t-word" not in shown
    assert "hunter2" not in shown


# ---- Docker


def test_an_engine_that_does_not_run_is_told_from_one_that_is_not_there(host: Host, other_engine: Engine) -> None:
    host.engine = other_engine.url
    host.write()
    assert failures(host) == []

    other_engine.stop()
    down = only_failure(host, "docker", "does not run")
    assert re.search(r"^(systemctl enable --now docker|rc-service docker start|service docker start)$", down["mend"])
    other_engine.start()
    assert failures(host) == []

    nothing = host.run("doctor", "--json", env={"RECONCILER_DOCKER_HOST": "unix:///nowhere.sock", "PATH": "/nowhere"})
    (found,) = (f for f in findings(nothing) if f["check"] == "docker")
    assert found["what"] == "there is no Docker engine on this machine"


def test_a_wrong_address_of_the_engine_is_set_right_when_another_one_answers(host: Host, engine: Engine) -> None:
    host.engine = "unix:///nonexistent/docker.sock"
    host.write()

    found = only_failure(host, "docker", engine.url, env={"DOCKER_HOST": engine.url})
    mend(found)

    assert failures(host) == []
    assert f'host = "{engine.url}"' in host.config.read_text()


def test_a_socket_that_may_not_be_opened_names_its_group(host: Host, engine: Engine) -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    code = textwrap.dedent("""
        import sys
        from reconciler.core.diagnosis.commands import SettingPlace
        from reconciler.core.diagnosis.engine import engine
        from reconciler.doctor.engine import probe_engine
        facts = probe_engine(sys.argv[1], {}, 5)
        print(next(engine(facts, SettingPlace("file", "docker.host"))).mend)
    """)
    folder = engine.socket.parent
    before = folder.stat().st_mode
    folder.chmod(0o755)
    try:
        done = subprocess.run(
            [*nobody, sys.executable, "-c", code, engine.url],
            capture_output=True,
            text=True,
            cwd="/",
            env=environment(),
        )
    finally:
        folder.chmod(before)

    assert done.stdout.strip() == f"usermod -aG {engine.socket.group()} nobody", done.stderr


def test_an_engine_that_is_too_old_is_told(host: Host, tmp_path: Path) -> None:
    old = {"Version": "18.06.1-ce", "ApiVersion": "1.38", "MinAPIVersion": "1.12"}
    with engine_that_says(tmp_path / "old.sock", old) as address:
        found = only_failure(host, "docker", "18.06.1-ce is too old", env={"RECONCILER_DOCKER_HOST": address})

    assert "1.40 is needed" in found["why"]


@contextmanager
def engine_that_says(path: Path, version: dict[str, str]) -> Iterator[str]:
    """Answers GET /version as an engine of another age, on a socket of its own."""
    import http.server
    import socketserver
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(version).encode()
            self.send_response(200 if self.path == "/version" else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

        def address_string(self) -> str:
            return "unix"

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


# ---- the remote


def test_an_unknown_host_key_is_added_by_the_printed_command(host: Host, tmp_path: Path) -> None:
    with sshd(tmp_path / "ssh") as ssh:
        known = tmp_path / "new folder" / "known_hosts"
        over_ssh(host, ssh.url(host.remote.path), ssh.key, known)

        found = finds_and_mends(host, "remote", f"the SSH host key of [127.0.0.1]:{ssh.port} is unknown")

        assert fingerprint(ssh.folder / "host.pub") in found["why"]
        assert "only if it is the same" in found["next"]
        assert f"ssh-keyscan -p {ssh.port} -t ed25519 127.0.0.1 >> " in found["mend"]


def test_a_changed_host_key_is_taken_away_first_and_never_by_itself(host: Host, tmp_path: Path) -> None:
    with sshd(tmp_path / "ssh") as ssh:
        over_ssh(host, ssh.url(host.remote.path), ssh.key, ssh.known_hosts)
        assert failures(host) == []
        ssh.new_host_key()

        found = only_failure(host, "remote", "is another than the one in")
        assert f"ssh-keygen -R '[127.0.0.1]:{ssh.port}' -f {ssh.known_hosts}" in found["mend"]
        assert "in between" in found["why"]
        assert fingerprint(ssh.folder / "host.pub") in found["why"]
        assert only_failure(host, "remote", "is another") == found, "it was not taken over by looking"
        mend(found)
        assert failures(host) == []


def test_a_key_that_is_refused_is_told_with_the_public_half_to_hand_in(host: Host, tmp_path: Path) -> None:
    with sshd(tmp_path / "ssh") as ssh:
        over_ssh(host, ssh.url(host.remote.path), ssh.key, ssh.known_hosts)
        (ssh.folder / "authorized").write_text("")

        found = only_failure(host, "remote", "refuses our credentials")

        assert found["mend"] == f"cat {ssh.key}.pub"


def test_a_private_key_that_others_can_read_is_closed(host: Host, tmp_path: Path) -> None:
    with sshd(tmp_path / "ssh") as ssh:
        over_ssh(host, ssh.url(host.remote.path), ssh.key, ssh.known_hosts)
        ssh.key.chmod(0o644)

        found = {finding["check"]: finding for finding in failures(host)}
        assert found.keys() == {"remote", "ssh key"}
        mend(found["ssh key"])
        assert failures(host) == []


def over_ssh(host: Host, url: str, key: Path, known_hosts: Path) -> None:
    repository = f'[repository]\nurl = "{url}"\nssh_key = "{key}"\nknown_hosts = "{known_hosts}"\n'
    host.config.write_text(re.sub(r"\[repository\]\nurl = .*\n", repository, host.config.read_text()))


def fingerprint(public: Path) -> str:
    return subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True).stdout.split()[1]


def test_a_token_that_is_refused_can_be_put_in_by_the_printed_command(host: Host, tmp_path: Path) -> None:
    with http_backend(host.remote.path.parent, token="right") as web:
        host.config.write_text(host.config.read_text().replace(host.remote.url, web.url()))

        finds_and_mends(host, "remote", "refuses our credentials", stdin="right\n")

        assert oct((host.config.parent / "secrets/git-token").stat().st_mode)[-3:] == "600"


def test_a_branch_that_is_missing_is_replaced_by_the_one_that_is_there(host: Host) -> None:
    host.config.write_text(host.config.read_text().replace("[repository]", '[repository]\nbranch = "trunk"'))

    finds_and_mends(host, "remote", "has no branch trunk")

    assert 'branch = "main"' in host.config.read_text()


def test_a_repository_that_is_not_there_is_told_from_a_server_that_is_not(host: Host, tmp_path: Path) -> None:
    good = host.config.read_text()
    with http_backend(tmp_path / "git") as web:
        host.config.write_text(good.replace(host.remote.url, web.url("nothing.git")))
        only_failure(host, "remote", "there is no repository at")
    only_failure(host, "remote", f"nobody listens at 127.0.0.1:{web.port}")
    host.config.write_text(good.replace(host.remote.url, "http://no-such-host.invalid/x.git"))
    assert failures(host)[0]["what"].startswith(("the name no-such-host.invalid is unknown", "this machine has no net"))
    host.config.write_text(good.replace(host.remote.url, f"file://{tmp_path}/nothing.git"))
    only_failure(host, "remote", "there is no repository at")


def test_a_remote_that_never_answers_is_bounded_by_the_deadline(host: Host) -> None:
    with hanging() as port:
        host.config.write_text(host.config.read_text().replace(host.remote.url, f"http://127.0.0.1:{port}/x.git"))

        (found,) = failures(host, env={"RECONCILER_REPOSITORY_DEADLINE": "1s"})

    assert "E-GIT-TIMEOUT" in found["what"]


def test_a_server_in_trouble_is_told_as_git_tells_it(host: Host) -> None:
    with answering(503) as web:
        host.config.write_text(host.config.read_text().replace(host.remote.url, web.url()))
        found = only_failure(host, "remote", "E-GIT-FETCH")

    assert "503" in found["why"]


def test_no_network_is_found_and_the_interface_brought_up(host: Host, tmp_path: Path) -> None:
    """In a network namespace of its own, whose only interface is down; the server in it listens all the same."""
    name = f"rcltest{os.getpid()}"
    inside = ("ip", "netns", "exec", name)
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with sshd(tmp_path / "ssh") as ssh:
            config = (ssh.folder / "sshd_config").read_text() + "Port 2222\nListenAddress 0.0.0.0\n"
            (ssh.folder / "standing_config").write_text(config)
            server = subprocess.Popen([*inside, "/usr/sbin/sshd", "-D", "-f", ssh.folder / "standing_config"])
            try:
                public = " ".join((ssh.folder / "host.pub").read_text().split()[:2])
                ssh.known_hosts.write_text(f"[127.0.0.1]:2222 {public}\n")
                url = f"ssh://{getpass.getuser()}@127.0.0.1:2222{host.remote.path}"
                over_ssh(host, url, ssh.key, ssh.known_hosts)

                found = remote_within(inside, host)
                assert (found["level"], found["what"]) == ("fail", "this machine has no network: lo is down")
                mend(found, prefix=inside)
                until = time.monotonic() + 20
                while (found := remote_within(inside, host))["level"] != "ok":
                    assert time.monotonic() < until, found
            finally:
                server.terminate()
                server.wait()
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def remote_within(inside: tuple[str, ...], host: Host) -> Finding:
    command = [*inside, *COMMAND, "doctor", "--config", str(host.config), "--json"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, cwd=ROOT)
    (found,) = (f for f in findings(Done(done.returncode, done.stdout, done.stderr)) if f["check"] == "remote")
    return found


# ---- files and disks


def test_a_secret_with_mode_0644_is_closed(host: Host) -> None:
    folder = host.config.parent / "secrets"
    folder.mkdir(mode=0o700)
    (folder / "discord-webhook").write_text("https://discord.example/api/webhooks/1/x")
    (folder / "discord-webhook").chmod(0o644)

    found = finds_and_mends(host, "secrets", "is open to others (mode 0644")

    assert found["mend"] == f"chmod 600 {folder / 'discord-webhook'}"


def test_a_secret_of_somebody_else_and_one_that_is_a_link_are_set_right(host: Host, tmp_path: Path) -> None:
    folder = host.config.parent / "secrets"
    folder.mkdir(mode=0o700)
    (folder / "a").write_text("aaaaaa")
    os.chown(folder / "a", 65534, 65534)
    (tmp_path / "elsewhere").write_text("bbbbbb")
    (folder / "b").symlink_to(tmp_path / "elsewhere")

    for found in failures(host):
        mend(found)

    assert failures(host) == []
    assert ((folder / "b").read_text(), (folder / "b").is_symlink()) == ("bbbbbb", False)


def test_a_secret_that_the_manifests_name_is_asked_for(host: Host) -> None:
    granted = stack() + "    secrets: [password]\nsecrets: {password: {external: true, name: db-password}}\n"
    notify = "notifications: {discord: {webhook: {secret: discord-webhook}}}\n"
    host.push({"stacks/app/compose.yaml": granted, "fleet.yaml": host.fleet(notify)})
    assert host.run("plan").code != 0

    missing = failures(host)
    assert [f["what"].split()[2] for f in missing] == ["db-password", "discord-webhook"]
    for found in missing:
        mend(found, stdin="value\n")

    assert failures(host) == []


def test_a_full_disk_is_found_and_what_may_go_is_removed(host: Host, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as mount:
        state = mount / "state"
        host.config.write_text(host.config.read_text().replace(str(host.state), str(state)))
        assert host.run("plan", "-q").code == 0
        assert failures(host) == []
        copies = state / "displaced" / "20260101-000000-aaaa"
        copies.mkdir(parents=True)
        fill(copies / "uploads.tar")

        found = finds_and_mends(host, "disk", f"{mount} has ")

        assert "copies of files that people had changed" in found["next"]
        assert not copies.exists()


def test_a_disk_that_others_have_filled_is_told_without_a_command(host: Host, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as mount:
        host.config.write_text(host.config.read_text().replace(str(host.state), str(mount / "state")))
        assert host.run("plan", "-q").code == 0
        fill(mount / "movie.mkv")

        found = only_failure(host, "disk", "free")

        assert (found["mend"], f"du -xhd2 {mount}" in found["next"]) == ("", True)


def test_few_inodes_are_a_full_disk_too(host: Host, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "nr_inodes=2000") as mount:
        host.config.write_text(host.config.read_text().replace(str(host.state), str(mount / "state")))
        assert host.run("plan", "-q").code == 0
        broken = mount / "state" / "repository.git.broken-1"
        broken.mkdir()
        with pytest.raises(OSError):
            for number in range(3000):
                (broken / str(number)).touch()

        finds_and_mends(host, "disk", "0 inodes")


def test_a_state_directory_that_became_read_only_is_mounted_anew(host: Host, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as mount:
        host.config.write_text(host.config.read_text().replace(str(host.state), str(mount / "state")))
        assert host.run("plan", "-q").code == 0
        subprocess.run(["mount", "-o", "remount,ro", mount], check=True)

        found = finds_and_mends(host, "state", "nothing can be written in")

        assert found["mend"] == f"mount -o remount,rw {mount}"


@contextmanager
def small_disk(mount: Path, options: str = "") -> Iterator[Path]:
    mount.mkdir()
    sized = ",".join(filter(None, ("size=8m,mode=755", options)))
    subprocess.run(["mount", "-t", "tmpfs", "-o", sized, "tmpfs", mount], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)


def fill(file: Path) -> None:
    """To the last byte."""
    with file.open("wb", buffering=0) as out, pytest.raises(OSError):
        while True:
            out.write(b"x" * 65536)


def test_a_state_directory_that_is_a_file_is_moved_aside(host: Host) -> None:
    host.config.write_text(host.config.read_text().replace(str(host.state), f"{host.folder}/file"))
    (host.folder / "file").write_text("hello")

    finds_and_mends(host, "state", "is no folder")

    assert (host.folder / "file.aside").read_text() == "hello"


def test_a_state_directory_that_others_may_write_is_closed(host: Host) -> None:
    host.state.chmod(0o777)

    finds_and_mends(host, "state", "can be changed by others")


def test_an_own_file_that_others_may_write_is_closed(host: Host) -> None:
    host.config.chmod(0o664)
    os.chown(host.config, 65534, -1)

    finds_and_mends(host, "settings", "can be changed by others")


def test_env_files_that_others_can_read_are_a_warning(host: Host) -> None:
    file = host.config.parent / "env" / "app" / ".env"
    file.parent.mkdir(parents=True)
    file.write_text("PASSWORD=longer-than-six\n")
    file.chmod(0o644)

    mend(warning(host, "env files"))

    assert failures(host) == []
    assert oct(file.stat().st_mode)[-3:] == "600"


# ---- manifests and the checkout


def test_before_the_first_fetch_plan_is_proposed_for_the_very_same_host(host: Host) -> None:
    subprocess.run(["rm", "-r", host.state], check=True)

    mend(warning(host, "manifests"))

    assert [f["level"] for f in findings(host.run("doctor", "--json")) if f["check"] == "manifests"] == ["ok"]


def test_a_host_that_the_fleet_does_not_have_takes_the_name_that_is_there(host: Host) -> None:
    host.config.write_text(host.config.read_text().replace('host = "alpha"', 'host = "alfa"'))

    finds_and_mends(host, "manifests", "the fleet has no host 'alfa'")

    assert host.config.read_text().startswith('host = "alpha"\n')


def test_every_problem_of_the_manifests_is_named_with_its_line(host: Host) -> None:
    host.push({"stacks/app/compose.yaml": "services: {web: {imgae: x}}", "stacks/b/compose.yaml": "services: ["})
    assert host.run("plan").code == 78

    found = [f["what"] for f in failures(host)]

    assert len(found) == 2
    assert "manifests/stacks/app/compose.yaml:1:" in found[0]


def test_a_checkout_that_is_not_allowed_is_added_to_what_is(host: Host) -> None:
    text = host.config.read_text()
    host.config.write_text(re.sub(r"allow_host_mounts = .*", 'allow_host_mounts = ["/srv"]', text))

    finds_and_mends(host, "checkout", "the checkout of alpha is")

    assert f'allow_host_mounts = ["/srv", "{host.checkout}"]' in host.config.read_text()


def test_a_list_of_several_lines_gets_one_more(host: Host) -> None:
    text = host.config.read_text()
    host.config.write_text(re.sub(r"allow_host_mounts = .*", 'allow_host_mounts = [\n    "/srv",\n]', text))

    finds_and_mends(host, "checkout", "the checkout of alpha is")

    assert f'allow_host_mounts = [\n    "{host.checkout}",\n    "/srv",\n]' in host.config.read_text()


# ---- what runs


def test_a_pause_is_told_and_ended_by_the_printed_command(host: Host) -> None:
    assert host.run("pause", "--reason", "disk swap").code == 0

    found = warning(host, "pauses")
    assert "disk swap" in found["what"]
    mend(found)

    assert not (host.sentinels / "paused").exists()


def test_a_pause_whose_time_is_over_and_a_block_are_told(host: Host) -> None:
    (host.sentinels / "paused.d").mkdir(parents=True, mode=0o700)
    (host.sentinels / "paused.d" / "app").write_text("reason: old\nat: 2020-01-01T00:00:00Z\nfor: 60\n")
    mend(warning(host, "pauses"))
    (host.sentinels / "blocked").mkdir(mode=0o700)
    (host.sentinels / "blocked" / ("a" * 40)).write_text("reason: 502s\n")
    mend(warning(host, "pauses"))

    assert [f["level"] for f in findings(host.run("doctor", "--json")) if f["check"] == "pauses"] == ["ok"]


def test_a_pass_that_somebody_stopped_is_let_go_on(host: Host) -> None:
    script = textwrap.dedent("""
        import os, sys, time
        from reconciler.adapters.lock import Holder, PassLock
        lock = PassLock(sys.argv[1])
        lock.acquire(Holder(os.getpid(), time.time(), "converge"))
        print("held", flush=True)
        input()
    """)
    holder = subprocess.Popen(
        [sys.executable, "-c", script, host.state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        assert failures(host) == []
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)

        finds_and_mends(host, "lock", "is stopped")
    finally:
        holder.send_signal(signal.SIGCONT)
        holder.communicate("\n", timeout=20)


def test_a_watch_that_is_about_this_host_starts_its_passes(host: Host, tmp_path: Path) -> None:
    second = host_at(tmp_path / "second", host.engine)
    second.push({"fleet.yaml": second.fleet()})
    command = [*COMMAND, "watch", "--config", str(second.config), "-q"]
    watcher = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert schedule(second)["what"] == f"passes are started by reconciler watch (process {watcher.pid})"
        assert schedule(host)["level"] == "warn"
    finally:
        watcher.terminate()
        watcher.wait(timeout=30)
    assert schedule(second)["level"] == "warn"


def schedule(host: Host) -> Finding:
    (found,) = (f for f in findings(host.run("doctor", "--json")) if f["check"] in ("schedule", "systemd"))
    return found


def test_an_inbox_that_anybody_may_write_is_closed(host: Host, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox").chmod(0o777)

    mend(warning(host, "inbox"))

    assert oct((tmp_path / "inbox").stat().st_mode)[-3:] == "775"


def test_the_clock_is_held_against_the_remote_and_shifted_by_the_printed_command(host: Host, tmp_path: Path) -> None:
    """A clock of the test, since that of the machine is everybody's; the command is done by `date` without setting."""
    shift = 10 * 365 * 86_400
    code = textwrap.dedent(f"""
        import json, sys, time
        from dataclasses import asdict
        from reconciler.doctor.checks import diagnose
        from reconciler.doctor.subject import Subject
        from reconciler.settings import load_settings
        class Off:
            def now(self): return time.time() + {shift}
            def sleep(self, seconds): ...
        found = diagnose(Subject(sys.argv[1], load_settings(sys.argv[1]), Off()))
        print(json.dumps([asdict(f) for f in found if f.check == "clock"]))
    """)
    with http_backend(host.remote.path.parent) as web:
        host.config.write_text(host.config.read_text().replace(host.remote.url, web.url()))
        command = [sys.executable, "-c", code, str(host.config)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)

    (found,) = json.loads(done.stdout)
    assert (found["level"], "10 years fast" in found["what"]) == ("fail", True)
    assert found["mend"].startswith("date '--set=")
    harmless = found["mend"].replace("--set=", "--date=") + " +%s"
    now = int(subprocess.run(["sh", "-c", harmless], capture_output=True, text=True, check=True).stdout)
    assert abs(now - (time.time() - shift)) < 60
