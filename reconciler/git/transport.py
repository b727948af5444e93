"""How git is called against a remote: no secrets in argv, no surprising configuration, failures told apart."""

from __future__ import annotations

import base64
import os
import re
import shlex
import tempfile
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from reconciler import process
from reconciler.errors import BadConfiguration, ReconcilerError, Terminal, Unreachable

_INHERITED = ("GIT_SSL_", "GIT_PROXY_")  # a host's own CA or proxy; every other GIT_* would be a surprise
_SSH_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
)
_BASE_CONFIG = (
    ("core.fsync", "all"),
    ("core.hooksPath", "/dev/null"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("credential.helper", ""),
    ("http.followRedirects", "false"),  # a redirect would carry the credentials to whoever it names
    ("protocol.ext.allow", "never"),
)


def is_http(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def is_local(url: str) -> bool:
    if "://" in url:
        return url.startswith("file://")
    return ":" not in url.partition("/")[0]  # git's rule: host:path only when the colon comes first


def redact(text: str) -> str:
    """`text` without the `user:password@` of any URL in it; rather too much than a password with a slash too little."""
    return re.sub(r"(\w+://)[^\s'\"]*@", r"\1***@", text)


@dataclass(frozen=True, slots=True)
class Transport:
    """One remote. `deadline`s are in seconds; the URL's own user and password are honoured, `token` goes first."""

    url: str
    token: str | None = field(default=None, repr=False)
    ssh_key: Path | None = None
    known_hosts: Path | None = None

    def git(self, directory: Path, *args: str, until: float, trace: Path | None = None) -> process.Completed:
        """Run git on the bare repository `directory`; Unreachable [E-GIT-TIMEOUT] when the clock passes `until`."""
        env = self.environment()
        if trace is not None:
            env |= {"GIT_TRACE_CURL": str(trace), "GIT_TRACE_CURL_NO_DATA": "1"}
        left = max(until - time.monotonic(), 0.01)
        try:
            return process.run(["git", f"--git-dir={directory}", *args], deadline=left, env=env)
        except process.DeadlineExceeded as late:
            raise Unreachable(
                "E-GIT-TIMEOUT",
                f"{self.shown} did not answer in time",
                why=self._last_lines(late.stderr) or f"git {args[0]} was ended at its deadline",
                next="the next tick tries again; check the network, or raise the fetch deadline if the host is slow",
            ) from None

    @property
    def shown(self) -> str:
        """The URL as people may read it."""
        return redact(self.url)

    def environment(self) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(_INHERITED)}
        config = self._config()
        for number, (key, value) in enumerate(config):
            env[f"GIT_CONFIG_KEY_{number}"] = key
            env[f"GIT_CONFIG_VALUE_{number}"] = value
        return env | {
            "GIT_CONFIG_COUNT": str(len(config)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_DEFAULT_HASH": "sha1",
            "GIT_DEFAULT_REF_FORMAT": "files",
            "GIT_SSH_VARIANT": "ssh",
            "GIT_SSH_COMMAND": self._ssh_command(),
            "LC_ALL": "C",
        }

    def _config(self) -> list[tuple[str, str]]:
        bare_url, credentials = self._split()
        config = [*_BASE_CONFIG, ("safe.directory", "*"), ("remote.origin.url", bare_url)]
        if is_local(self.url):  # the serving side checks the owner too, and inherits no configuration
            config.append(("remote.origin.uploadpack", "git -c 'safe.directory=*' upload-pack"))
        if credentials:
            origin = "/".join(bare_url.split("/")[:3])
            config.append((f"http.{origin}/.extraHeader", f"Authorization: Basic {credentials}"))
        return config

    def _split(self) -> tuple[str, str]:
        """The URL without secrets (git shows it in its children's argv), and the Basic credentials."""
        if is_local(self.url) or "://" not in self.url:
            return self.url, ""
        scheme, _, rest = self.url.partition("://")
        netloc, slash, path = rest.partition("/")
        user_info, at, host = netloc.rpartition("@")
        if not re.fullmatch(r"(\[[^]]*\]|[^:]*)(:\d*)?", host):
            raise BadConfiguration(
                "E-GIT-URL",
                f"the URL {self.shown} has no valid host and port",
                why="what follows the colon is no port; perhaps a slash in a password ends it too early",
                next="write / in a user name or password as %2F and @ as %40",
            )
        if not is_http(self.url):
            user = user_info.partition(":")[0]
            return f"{scheme}://{user}{at}{host}{slash}{path}", ""
        pair = ""
        if self.token:
            pair = f"x-access-token:{self.token}"
        elif user_info:
            user, _, password = user_info.partition(":")
            pair = f"{urllib.parse.unquote(user)}:{urllib.parse.unquote(password)}"
        return f"{scheme}://{host}{slash}{path}", base64.b64encode(pair.encode()).decode()

    def _ssh_command(self) -> str:
        options = list(_SSH_OPTIONS)
        if self.known_hosts is not None:
            options += [f"UserKnownHostsFile={_ssh_path(self.known_hosts)}", f"GlobalKnownHostsFile={os.devnull}"]
        if self.ssh_key is not None:  # -i would look for the path with its %% unexpanded
            options += [f"IdentityFile={_ssh_path(self.ssh_key)}", "IdentitiesOnly=yes"]
        return shlex.join(["ssh", *(word for option in options for word in ("-o", option))])

    def failure(self, branch: str, failed: process.Completed, until: float) -> ReconcilerError | None:
        """Why a fetch failed; None when the remote is well and has the branch, so that the fault is on our side."""
        with tempfile.TemporaryDirectory(prefix="reconciler-git-") as folder:
            trace = Path(folder) / "curl"
            ref = f"refs/heads/{branch}"
            nowhere = Path(folder)  # a clone of ours that is broken must not spoil the answer
            probe = self.git(nowhere, "ls-remote", "--exit-code", "origin", ref, until=until, trace=trace)
            status = _last_http_status(trace)
        if probe.code == 0:
            return None
        if probe.code == 2:  # documented: no matching refs in a remote that did answer
            return Terminal(
                "E-GIT-BRANCH",
                f"{self.shown} has no branch {branch}",
                why="the remote answered, and the branch is not among its refs",
                next="push the branch again, or set the branch in the host's configuration",
                unchanged="what runs stays at the last verified revision",
            )
        said = probe.stderr or failed.stderr
        why = self._last_lines(said)
        return self._http_failure(status, why) or self._ssh_failure(why) or self.unexplained(said)

    def _http_failure(self, status: int, why: str) -> ReconcilerError | None:
        if status in (401, 403):
            return Terminal(
                "E-GIT-AUTH",
                f"{self.shown} refused our credentials (HTTP {status})",
                why=why,
                next="set a token that may read this repository; check that it has not expired",
            )
        if 300 <= status < 400:
            return Terminal(
                "E-GIT-REDIRECT",
                f"{self.shown} redirects elsewhere (HTTP {status}); not followed, since credentials would follow too",
                why=why,
                next="set the URL that it redirects to, if you trust it (git ls-remote shows it)",
            )
        return None

    def _ssh_failure(self, why: str) -> ReconcilerError | None:
        # OpenSSH ends with 255 for everything; its untranslated words are the only fact it gives.
        if is_http(self.url) or is_local(self.url):
            return None
        if "Host key verification failed" in why:
            return Terminal(
                "E-GIT-HOSTKEY",
                f"the SSH host key of {self.shown} is unknown or has changed",
                why=why,
                next="compare the key's fingerprint with the one its owner publishes, then put it into known_hosts",
            )
        if "Permission denied" in why:
            return Terminal(
                "E-GIT-AUTH",
                f"{self.shown} refused our SSH key",
                why=why,
                next="add the public key as a deploy key that may read this repository",
            )
        return None

    def unexplained(self, stderr: bytes) -> Unreachable:
        """A failed fetch of which git's own words are all that is known."""
        return Unreachable(
            "E-GIT-FETCH",
            f"fetching from {self.shown} failed",
            why=self._last_lines(stderr) or "git said nothing",
            next="the next tick tries again; run git ls-remote with this URL on this host to see more",
        )

    def _last_lines(self, stderr: bytes) -> str:
        text = redact(stderr.decode("utf-8", "replace"))
        for secret in filter(None, (self.token, self._split()[1], self._url_password())):
            text = text.replace(secret, "***")
        return "\n".join(text.strip().splitlines()[-8:])

    def _url_password(self) -> str:
        return re.sub(r"^\w+://[^/@:]*:?|@.*$", "", self.url) if "@" in self.url and "://" in self.url else ""


def _ssh_path(path: Path) -> str:
    """A path as a value of ssh_config: quoted, since it is split at blanks; `%` begins a token there."""
    quoted = str(path).replace("%", "%%")
    return f'"{quoted}"'


def _last_http_status(trace: Path) -> int:
    """The status of the last answer in a curl trace; 0 when there was none (the trace names each header line)."""
    if not trace.exists():
        return 0
    found = re.findall(rb"Recv header: HTTP/[\d.]+ (\d{3})", trace.read_bytes())
    return int(found[-1]) if found else 0
