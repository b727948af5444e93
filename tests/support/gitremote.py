"""Real git remotes in temporary folders, and real servers in front of them: HTTP, SSH, and ones that misbehave."""

from __future__ import annotations

import base64
import contextlib
import getpass
import http.server
import os
import socket
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_ENV = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "LC_ALL": "C",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "tester"), ("EMAIL", "tester@example.org"), ("DATE", "1700000000 +0000"))
    },
}


@dataclass(frozen=True)
class Executable:
    content: str | bytes


@dataclass(frozen=True)
class Symlink:
    target: str | bytes


@dataclass(frozen=True)
class Submodule:
    commit: str


Content = str | bytes | Executable | Symlink | Submodule | None


class Remote:
    """A bare repository. Commits are made from objects alone, so no working tree gets in the way."""

    def __init__(self, folder: Path, name: str = "remote.git", branch: str = "main") -> None:
        self.path, self.branch_name = folder / name, branch
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--bare", f"--initial-branch={branch}", str(self.path), where=())
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    @property
    def head(self) -> str:
        return self.git("rev-parse", f"refs/heads/{self.branch_name}").decode().strip()

    def git(self, *args: str, input: bytes = b"", where: tuple[str, ...] | None = None, **env: str) -> bytes:
        where = (f"--git-dir={self.path}",) if where is None else where
        done = subprocess.run(["git", *where, *args], input=input, capture_output=True, env=_ENV | env)
        if done.returncode:
            raise AssertionError(f"git {' '.join(args)}: {done.stderr.decode('utf-8', 'replace')}")
        return done.stdout

    def commit(
        self,
        files: Mapping[str, Content],
        message: str = "a change",
        *,
        parent: str | None = None,
        parents: tuple[str, ...] = (),
        branch: str = "",
    ) -> str:
        """Commit `files` (None deletes) on the branch, or on `parent` ("": on nothing), and move the branch there."""
        ref = f"refs/heads/{branch or self.branch_name}"
        if parent is None:
            parent = self.git("for-each-ref", "--format=%(objectname)", ref).decode().strip()
        index = str(self.path / "index.tests")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(index)
        if parent:
            self.git("read-tree", parent, GIT_INDEX_FILE=index)
        lines = b"".join(self._index_line(path, content) for path, content in files.items())
        self.git("update-index", "-z", "--index-info", input=lines, GIT_INDEX_FILE=index)
        tree = self.git("write-tree", "--missing-ok", GIT_INDEX_FILE=index).decode().strip()
        above = [word for each in ((parent, *parents) if parent else parents) for word in ("-p", each)]
        sha = self.git("commit-tree", tree, *above, "-m", message).decode().strip()
        self.git("update-ref", ref, sha)
        return sha

    def _index_line(self, path: str, content: Content) -> bytes:
        name = os.fsencode(path)
        match content:
            case None:
                return b"0 " + b"0" * 40 + b"\t" + name + b"\0"
            case Submodule(commit):
                return b"160000 " + commit.encode() + b"\t" + name + b"\0"
            case Symlink(target):
                return b"120000 " + self._blob(target) + b"\t" + name + b"\0"
            case Executable(text):
                return b"100755 " + self._blob(text) + b"\t" + name + b"\0"
            case _:
                return b"100644 " + self._blob(content) + b"\t" + name + b"\0"

    def _blob(self, content: str | bytes) -> bytes:
        raw = os.fsencode(content) if isinstance(content, str) else content
        return self.git("hash-object", "-w", "--stdin", input=raw).strip()

    def force(self, sha: str, branch: str = "") -> None:
        """Move a branch anywhere, as a force push does."""
        self.git("update-ref", f"refs/heads/{branch or self.branch_name}", sha)

    def branch(self, name: str, sha: str = "") -> None:
        self.git("update-ref", f"refs/heads/{name}", sha or self.head)

    def delete_branch(self, name: str = "") -> None:
        self.git("update-ref", "-d", f"refs/heads/{name or self.branch_name}")


class _Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


@contextlib.contextmanager
def tcp(handle: Callable[[socket.socket], object]) -> Iterator[int]:
    """A loopback server on a free port; `handle` gets each connection in a thread of its own."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                handle(self.request)

    with _Threads(("127.0.0.1", 0), Handler) as server:
        yield from _serving(server)


def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def hanging() -> Iterator[int]:
    """Accepts and never answers."""
    over = threading.Event()
    with tcp(lambda _: over.wait()) as port:
        yield port
        over.set()


@contextlib.contextmanager
def half_closed() -> Iterator[int]:
    """Accepts, closes its own sending side at once, and goes on listening."""

    def handle(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with tcp(handle) as port:
        yield port


@contextlib.contextmanager
def slow(every: float = 0.05) -> Iterator[int]:
    """Answers HTTP one byte at a time, for ever: never silent long enough for a timeout between two reads."""
    over = threading.Event()

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n")
        while not over.wait(every):
            connection.sendall(b"0")

    with tcp(handle) as port:
        yield port
        over.set()


@dataclass
class Web:
    """A running HTTP server; `seen` are the request headers it got."""

    port: int
    seen: list[dict[str, str]]

    def url(self, name: str = "remote.git", user_info: str = "") -> str:
        return f"http://{user_info}127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def http_backend(root: Path, token: str | None = None, *, user: str = "x-access-token") -> Iterator[Web]:
    """`git http-backend` over the repositories below `root`; with `token`, only for who knows it."""
    wanted = "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode() if token else ""

    class Handler(_Quiet):
        def answer(self) -> None:
            if wanted and self.headers.get("Authorization") != wanted:
                self.reply(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"no")
                return
            status, headers, body = self._cgi()
            self.reply(status, headers, body)

        def _cgi(self) -> tuple[int, dict[str, str], bytes]:
            path, _, query = self.path.partition("?")
            env = _ENV | {
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": "127.0.0.1",
            }
            length = int(self.headers.get("Content-Length") or 0)
            done = subprocess.run(["git", "http-backend"], input=self.rfile.read(length), capture_output=True, env=env)
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
            return int(headers.pop("Status", "200").split()[0]), headers, body

    with _web(Handler) as web:
        yield web


@contextlib.contextmanager
def redirecting(to: str) -> Iterator[Web]:
    """Sends everybody to the same path below `to`."""

    class Handler(_Quiet):
        def answer(self) -> None:
            self.reply(302, {"Location": to + self.path}, b"")

    with _web(Handler) as web:
        yield web


@contextlib.contextmanager
def answering(status: int) -> Iterator[Web]:
    """Answers every request with one status."""

    class Handler(_Quiet):
        def answer(self) -> None:
            self.reply(status, {}, b"")

    with _web(Handler) as web:
        yield web


class _Quiet(http.server.BaseHTTPRequestHandler):
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        self.answer()

    do_POST = do_GET

    def answer(self) -> None:
        raise NotImplementedError

    def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def _web(handler: type[_Quiet]) -> Iterator[Web]:
    handler.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        for port in _serving(server):
            yield Web(port, handler.seen)


@dataclass
class Ssh:
    """A private sshd: who may come in with `key`, and what a client has to know of it."""

    port: int
    folder: Path
    key: Path
    known_hosts: Path

    def url(self, repository: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"

    def new_host_key(self) -> None:
        """As after a reinstallation, or with somebody in between."""
        make_key(self.folder / "host")


def make_key(path: Path) -> Path:
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Ssh]:
    """One `sshd -i` for each connection to a loopback port, with its own host key and authorized key."""
    folder.mkdir(parents=True)
    os.makedirs("/run/sshd", exist_ok=True)  # its privilege separation wants it
    make_key(folder / "host")
    key = make_key(folder / "client")
    (folder / "authorized").write_bytes(key.with_name("client.pub").read_bytes())
    config = folder / "sshd_config"
    config.write_text(
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
    )

    def handle(connection: socket.socket) -> None:
        command = ["/usr/sbin/sshd", "-i", "-e", "-f", str(config)]
        with (folder / "log").open("ab") as log:
            subprocess.run(command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=log)

    with tcp(handle) as port:
        known_hosts = folder / "known_hosts"
        public = (folder / "host.pub").read_text().split()
        known_hosts.write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
        yield Ssh(port, folder, key, known_hosts)
