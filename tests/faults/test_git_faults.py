"""Remotes that hang, lie or vanish, and clones that a crash or a bad disk left broken."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler import process
from reconciler.adapters.git import GitRepository
from reconciler.errors import BadConfiguration, ReconcilerError, Terminal, Transient, Unreachable
from tests.support import gitremote
from tests.support.gitremote import Remote, http_backend, make_key, sshd
from tests.support.gitrepository import repository


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "srv")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def bare(state: Path) -> Path:
    return state / "repository.git"


def refused(repo: GitRepository, run: str = "r9") -> ReconcilerError:
    with pytest.raises(ReconcilerError) as caught:
        repo.fetch(run)
    error = caught.value
    assert error.why and error.next, "an error carries its reason and its advice"
    return error


def words(error: ReconcilerError) -> str:
    return " ".join((str(error), repr(error), error.why, error.next, error.unchanged, repr(error.__cause__)))


# ---- remotes that do not answer


@pytest.mark.parametrize("server", [gitremote.hanging, gitremote.slow])
def test_a_remote_that_never_finishes_is_left_at_the_deadline(
    state: Path, server: Callable[[], contextlib.AbstractContextManager[int]]
) -> None:
    with server() as port:
        error = refused(repository(state, f"http://127.0.0.1:{port}/remote.git", deadline=0.6))
    assert isinstance(error, Unreachable) and error.code == "E-GIT-TIMEOUT"


@pytest.mark.parametrize("scheme", ["http", "git", "ssh"])
def test_a_half_closed_connection_is_a_failed_fetch(state: Path, scheme: str) -> None:
    with gitremote.half_closed() as port:
        error = refused(repository(state, f"{scheme}://127.0.0.1:{port}/remote.git"))
    assert isinstance(error, Unreachable) and error.code == "E-GIT-FETCH"


def test_a_hanging_ssh_server_is_left_at_the_deadline(state: Path) -> None:
    with gitremote.hanging() as port:
        error = refused(repository(state, f"ssh://127.0.0.1:{port}/remote.git", deadline=0.6))
    assert error.code == "E-GIT-TIMEOUT"


def test_an_ssh_child_that_ignores_term_is_killed(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    deaf = tools / "ssh"
    deaf.write_text(f"#!/bin/sh\ntrap '' TERM\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    deaf.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert refused(repository(state, "ssh://host/x.git", deadline=1)).code == "E-GIT-TIMEOUT"
    wait_until_gone(int((tmp_path / "pid").read_text()))


def wait_until_gone(pid: int) -> None:
    """The kernel needs a moment between a KILL and the end; what is left as a zombie has ended."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
    raise AssertionError(f"{pid} is still there")


def test_the_group_dies_with_a_child_that_ends_by_itself(tmp_path: Path) -> None:
    done = process.run(["sh", "-c", "sleep 600 & echo $!"], deadline=10)
    assert done.code == 0
    wait_until_gone(int(done.stdout))


def test_a_talkative_child_is_bounded() -> None:
    done = process.run(
        ["sh", "-c", "yes out | head -c 3000000; yes err | head -c 3000000 >&2; exit 3"], deadline=20, limit=5000
    )
    assert (done.code, len(done.stdout), len(done.stderr), done.truncated) == (3, 5000, 5000, True)


def test_input_larger_than_a_pipe_arrives() -> None:
    sent = bytes(range(256)) * 4096
    assert process.run(["cat"], deadline=20, input=sent, limit=len(sent)).stdout == sent
    assert process.run(["true"], deadline=20, input=sent).code == 0  # and may be left unread


def test_a_missing_program_is_named() -> None:
    with pytest.raises(Terminal) as caught:
        process.run(["no-such-program"], deadline=1)
    assert caught.value.code == "E-COMMAND-MISSING" and "no-such-program" in str(caught.value)


def test_the_pass_after_a_timeout_is_fine(remote: Remote, state: Path) -> None:
    sha = remote.commit({"a": "1"})
    with gitremote.hanging() as port:
        refused(repository(state, f"http://127.0.0.1:{port}/remote.git", deadline=0.3))
    assert repository(state, remote.url).fetch("r1") == sha
    assert not list(state.glob("*.new-*"))


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_server_in_trouble_is_unreachable(state: Path, status: int) -> None:
    with gitremote.answering(status) as web:
        error = refused(repository(state, web.url()))
    assert isinstance(error, Unreachable) and error.code == "E-GIT-FETCH"


def test_a_remote_that_is_not_there(state: Path, tmp_path: Path) -> None:
    assert refused(repository(state, f"file://{tmp_path}/nothing.git")).code == "E-GIT-FETCH"


# ---- trust and credentials


@pytest.fixture
def server(tmp_path: Path) -> Iterator[gitremote.Ssh]:
    with sshd(tmp_path / "ssh") as running:
        yield running


def test_an_unknown_host_key_is_never_trusted(remote: Remote, state: Path, server: gitremote.Ssh) -> None:
    remote.commit({"a": "1"})
    server.known_hosts.write_text("")
    error = refused(repository(state, server.url(remote.path), ssh_key=server.key, known_hosts=server.known_hosts))
    assert isinstance(error, Terminal) and error.code == "E-GIT-HOSTKEY"
    assert server.known_hosts.read_text() == ""


def test_a_changed_host_key_is_never_trusted_again(remote: Remote, state: Path, server: gitremote.Ssh) -> None:
    remote.commit({"a": "1"})
    repo = repository(state, server.url(remote.path), ssh_key=server.key, known_hosts=server.known_hosts)
    repo.fetch("r1")
    known = server.known_hosts.read_text()
    server.new_host_key()
    error = refused(repo)
    assert isinstance(error, Terminal) and error.code == "E-GIT-HOSTKEY"
    assert server.known_hosts.read_text() == known


def test_a_wrong_ssh_key(remote: Remote, state: Path, server: gitremote.Ssh, tmp_path: Path) -> None:
    remote.commit({"a": "1"})
    other = make_key(tmp_path / "other key")
    error = refused(repository(state, server.url(remote.path), ssh_key=other, known_hosts=server.known_hosts))
    assert isinstance(error, Terminal) and error.code == "E-GIT-AUTH"


def test_known_hosts_may_lie_anywhere(remote: Remote, state: Path, server: gitremote.Ssh, tmp_path: Path) -> None:
    sha = remote.commit({"a": "1"})
    odd = tmp_path / "a folder 100%d"
    odd.mkdir()
    known_hosts, key = odd / "known hosts", odd / "key"
    shutil.copy(server.known_hosts, known_hosts)
    shutil.copy(server.key, key)
    key.chmod(0o600)
    assert repository(state, server.url(remote.path), ssh_key=key, known_hosts=known_hosts).fetch("r1") == sha


@pytest.mark.parametrize("token", ["wrong-token", None])
def test_a_wrong_or_missing_token(remote: Remote, state: Path, token: str | None) -> None:
    remote.commit({"a": "1"})
    with http_backend(remote.path.parent, "right") as web:
        error = refused(repository(state, web.url(), token=token))
    assert isinstance(error, Terminal) and error.code == "E-GIT-AUTH"
    assert "wrong-token" not in words(error)
    assert len(web.seen) < 6, "a refused credential is not tried over and over"


def test_a_redirect_does_not_carry_the_token(remote: Remote, state: Path) -> None:
    remote.commit({"a": "1"})
    with http_backend(remote.path.parent) as other, gitremote.redirecting(f"http://127.0.0.1:{other.port}") as web:
        error = refused(repository(state, web.url(), token="s3cret"))
    assert isinstance(error, Terminal) and error.code == "E-GIT-REDIRECT"
    assert any("Authorization" in headers for headers in web.seen)
    assert other.seen == []


@pytest.mark.parametrize("server", ["auth", "gone", "broken", "redirect", "hang"])
def test_the_password_of_a_url_is_never_in_an_error(remote: Remote, state: Path, server: str) -> None:
    remote.commit({"a": "1"})
    with contextlib.ExitStack() as stack:
        match server:
            case "auth":
                port = stack.enter_context(http_backend(remote.path.parent, "other")).port
            case "gone":
                port = 1
            case "broken":
                port = stack.enter_context(gitremote.half_closed())
            case "redirect":
                port = stack.enter_context(gitremote.redirecting("http://ann:hunter2@127.0.0.1:1")).port
            case _:
                port = stack.enter_context(gitremote.hanging())
        error = refused(repository(state, f"http://ann:hunter2@127.0.0.1:{port}/remote.git", deadline=1))
    assert "hunter2" not in words(error)
    assert base64.b64encode(b"ann:hunter2").decode() not in words(error)


def test_a_password_with_a_bare_slash_is_refused_without_being_shown(state: Path) -> None:
    error = refused(repository(state, "https://ann:hun/ter2@example.org/x.git"))
    assert isinstance(error, BadConfiguration) and error.code == "E-GIT-URL"
    assert "hun" not in words(error) and "ter2" not in words(error)


def test_no_secret_is_in_the_arguments_of_any_child(
    remote: Remote, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git and its helper are wrapped, so that each says how it was called."""
    remote.commit({"a": "1"})
    log = tmp_path / "argv"
    tools = tmp_path / "bin"
    tools.mkdir()
    git = shutil.which("git")
    core = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    for name, real in (("git", git), ("git-remote-http", f"{core}/git-remote-http")):
        wrapper = tools / name
        wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0 $*" >> {log}\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
    for each in Path(core).iterdir():
        if not (tools / each.name).exists():
            (tools / each.name).symlink_to(each)
    with http_backend(remote.path.parent, "hunter2", user="ann") as web:
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        url = web.url(user_info="ann:hunter2@")
        command = process.run  # every git of ours goes through here

        def watched(argv: list[str], **options: object) -> process.Completed:
            env = dict(options.pop("env"))  # type: ignore[call-overload]
            return command(argv, env=env | {"GIT_EXEC_PATH": str(tools)}, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(process, "run", watched)
        repository(state, url).fetch("r1")
    said = log.read_text()
    assert "git-remote-http" in said and "hunter2" not in said
    assert base64.b64encode(b"ann:hunter2").decode() not in said
    kept = subprocess.run(["grep", "-r", "hunter2", str(state)], capture_output=True)
    assert kept.returncode == 1, "nor is it anywhere in the clone"


# ---- branches


def test_a_deleted_branch_is_told_from_an_unreachable_remote(remote: Remote, state: Path) -> None:
    sha = remote.commit({"a": "1"})
    repo = repository(state, remote.url)
    repo.fetch("r1")
    remote.delete_branch()
    error = refused(repo)
    assert isinstance(error, Terminal) and error.code == "E-GIT-BRANCH" and "main" in str(error)
    assert repo.has(sha)


def test_an_empty_remote_has_no_branch_yet(remote: Remote, state: Path) -> None:
    assert refused(repository(state, remote.url)).code == "E-GIT-BRANCH"


def test_a_force_push_is_seen_as_no_descendant(remote: Remote, state: Path) -> None:
    # main: c1 - c2, rewritten to c1 - c3
    c1 = remote.commit({"a": "1"})
    c2 = remote.commit({"a": "2"})
    repo = repository(state, remote.url)
    repo.fetch("r1")
    c3 = remote.commit({"a": "3"}, parent=c1)
    assert repo.fetch("r2") == c3
    assert not repo.is_descendant(c3, c2) and repo.is_descendant(c3, c1)
    assert repo.has(c2), "the verified revision is still there to go back to"


# ---- broken clones


def filled(remote: Remote, state: Path) -> tuple[GitRepository, str]:
    sha = remote.commit({"a": "1", "b/c": "2" * 5000})
    repo = repository(state, remote.url)
    assert repo.fetch("r1") == sha
    return repo, sha


@pytest.mark.parametrize(
    "lock",
    ["index.lock", "config.lock", "HEAD.lock", "packed-refs.lock", "refs/reconciler/runs/r2.lock", "shallow.lock"],
)
def test_a_stale_lock_does_not_stop_a_fetch(remote: Remote, state: Path, bare: Path, lock: str) -> None:
    repo, _ = filled(remote, state)
    (bare / lock).touch()
    sha = remote.commit({"a": "2"})
    assert repo.fetch("r2") == sha
    assert not list(bare.rglob("*.lock"))


def empty_file(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"")


def scramble(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(bytes(byte ^ 0xFF for byte in path.read_bytes()))


def test_the_wreck_of_a_swap_is_finished(remote: Remote, state: Path, bare: Path) -> None:
    """Killed between the two renames: only the broken clone is there, under its other name."""
    repo, old = filled(remote, state)
    bare.rename(state / "repository.git.broken-r1")
    sha = remote.commit({"a": "2"}, parent="")
    assert repo.fetch("r2") == sha
    assert repo.has(old), "what only we had was taken over"
    assert [path.name for path in state.iterdir()] == ["repository.git"]


def test_what_a_kill_left_beside_the_clone_is_swept_away(remote: Remote, state: Path, bare: Path) -> None:
    repo, sha = filled(remote, state)
    shutil.copytree(bare, state / "repository.git.broken-r0")
    shutil.copytree(bare, state / "repository.git.new-r0")
    assert repo.fetch("r2") == sha
    assert [path.name for path in state.iterdir()] == ["repository.git"]


@pytest.mark.parametrize("harm", [empty_file, scramble, Path.unlink])
@pytest.mark.parametrize("part", ["HEAD", "config", "refs/reconciler/runs/r1"])
def test_a_broken_clone_is_replaced(
    remote: Remote, state: Path, bare: Path, part: str, harm: Callable[[Path], None]
) -> None:
    repo, _ = filled(remote, state)
    harm(bare / part)
    sha = remote.commit({"a": "2"})
    assert repo.fetch("r2") == sha
    assert repo.tree(sha).read("a") == b"2"
    assert [path.name for path in state.iterdir()] == ["repository.git"]


def objects_of(bare: Path) -> list[Path]:
    return [path for path in (bare / "objects").rglob("*") if path.is_file()]


@pytest.mark.parametrize("harm", [empty_file, scramble, Path.unlink])
def test_broken_objects_are_found_and_replaced(
    remote: Remote, state: Path, bare: Path, harm: Callable[[Path], None]
) -> None:
    """At the latest the pass after the one that stumbled over them has whole ones."""
    filled(remote, state)
    for path in objects_of(bare):
        harm(path)
    sha = remote.commit({"a": "2"})
    repo = repository(state, remote.url)
    with contextlib.suppress(Transient):
        repo.fetch("r2")
        repo.tree(sha).read("b/c")
    repo = repository(state, remote.url)
    assert repo.fetch("r3") == sha
    assert repo.tree(sha).read("b/c") == b"2" * 5000
    assert [path.name for path in state.iterdir()] == ["repository.git"]


def test_a_clone_without_objects_is_replaced(remote: Remote, state: Path, bare: Path) -> None:
    repo, sha = filled(remote, state)
    shutil.rmtree(bare / "objects")
    assert repo.fetch("r2") == sha
    assert repo.tree(sha).read("a") == b"1"


def test_a_broken_clone_stays_while_the_remote_is_away(remote: Remote, state: Path, bare: Path) -> None:
    repo, sha = filled(remote, state)
    empty_file(bare / "HEAD")
    away = remote.path.rename(remote.path.with_name("away"))
    assert refused(repo).code == "E-GIT-FETCH"
    assert objects_of(bare), "nothing is deleted before its replacement is there"
    away.rename(remote.path)
    assert repo.fetch("r3") == sha


def test_half_a_pack_of_a_killed_fetch_is_swept_away(remote: Remote, state: Path, bare: Path) -> None:
    repo, sha = filled(remote, state)
    (bare / "objects/pack").mkdir(exist_ok=True)
    (bare / "objects/pack/tmp_pack_Xy12").write_bytes(b"PACK" * 1000)
    assert repo.fetch("r2") == sha
    assert not (bare / "objects/pack/tmp_pack_Xy12").exists()


def test_a_full_disk_is_no_fault_of_the_remote(remote: Remote, tmp_path: Path) -> None:
    remote.commit({"big": os.urandom(3_000_000)})
    state = tmp_path / "small"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(state)], check=True)
    try:
        error = refused(repository(state, remote.url))
        assert isinstance(error, Transient) and error.code == "E-DISK-FULL"
        subprocess.run(["mount", "-o", "remount,size=20m", str(state)], check=True)
        assert repository(state, remote.url).fetch("r2") == remote.head
    finally:
        subprocess.run(["umount", str(state)], check=True)
