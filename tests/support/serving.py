"""`reconciler serve` as a process of its own, asked over HTTP, and drones that do what a test says."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from reconciler.adapters.swarm.engine_embedded import EmbeddedLink
from reconciler.model.swarm import Artifact, Beat, Offer, Outcome, Result
from tests.support.cli import COMMAND, Done, environment, run

HEARTBEAT = 2.0


@dataclass(frozen=True)
class Got:
    """An answer over HTTP; `headers` by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        told = json.loads(self.body)
        assert set(told) == {"schema", "ok", "data", "error"}
        assert told["ok"] == (self.status < 300) == (told["error"] is None)
        return told

    @property
    def data(self) -> Any:
        assert self.status < 300, (self.status, self.body[:500])
        return self.json["data"]

    @property
    def error(self) -> Any:
        error = self.json["error"]
        assert set(error) == {"code", "what", "why", "next"}
        return error

    @property
    def code(self) -> str:
        return str(self.error["code"])


@dataclass
class Orchestrator:
    """A running `reconciler serve`."""

    folder: Path
    token: str = ""
    more: str = ""
    serve: str = ""
    heartbeat: float = HEARTBEAT
    process: subprocess.Popen[str] | None = None
    port: int = 0
    env: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    drones: list[ScriptedDrone] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "reconciler.toml"

    @property
    def state(self) -> Path:
        return self.folder / "swarm"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Until it answers. The port of the first time is kept."""
        process = self.begin()
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            self.said.append(line)
            if told.get("event") == "listening":
                self.port = int(told["address"].rpartition(":")[2])
                break
        else:
            raise AssertionError((self.folder / "serve.err").read_text())
        self._listening = threading.Thread(target=self._listen, args=(process.stdout,), daemon=True)
        self._listening.start()

    def begin(self) -> subprocess.Popen[str]:
        """It is not waited for: it may be killed before it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ours = f'listen = "127.0.0.1:{self.port}"\ndirectory = "{self.state}"\nheartbeat = {self.heartbeat}\n'
        inbox = f'[inbox]\ndirectory = "{self.folder}/inbox"\n'
        self.config.write_text(f"[serve]\n{ours}{self.serve}{inbox}{self.more}")
        env = environment(**self.env, **({"SWARM_ADMIN_KEY": self.token} if self.token else {}))
        words = [*COMMAND, "serve", "--config", str(self.config), "--json"]
        log = (self.folder / "serve.err").open("a")
        with log:
            self.process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        return self.process

    def _listen(self, out: IO[str]) -> None:
        with out:
            self.said += list(out)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(30)
        self._listening.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def trouble(self) -> list[str]:
        """What it said that it should not have: mistakes of ours."""
        text = "".join(self.said) + (self.folder / "serve.err").read_text()
        return [line for line in text.splitlines() if "Traceback" in line or "E-INTERNAL" in line or "mistake" in line]

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 30
    ) -> Got:
        """With the token. Text and bytes are sent as they are, everything else as JSON."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None and not isinstance(body, (bytes, str)):
            body, sent = json.dumps(body).encode(), {**sent, "Content-Type": "application/json"}
        elif isinstance(body, str):
            body, sent = body.encode(), {**sent, "Content-Type": "text/plain"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers={**sent, **(headers or {})})
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Got(answer.status, told, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Got:
        return self.ask("GET", path, headers=headers)

    def submit(self, text: str, **more: Any) -> Any:
        """What is answered to the text of a list."""
        return self.ask("POST", "/api/queue", {"text": text, **more}).data

    def run(self, *words: str | Path, **how: Any) -> Done:
        """A command of the program that asks this orchestrator."""
        env = environment(ORCHESTRATOR_URL=self.url, RECONCILER_CONFIG=str(self.config), **how.pop("env", {}))
        env |= {"SWARM_ADMIN_KEY": self.token} if self.token else {}
        return run(*words, env=env, **how)

    def drone(self, name: str = "tau", **more: Any) -> ScriptedDrone:
        self.drones.append(ScriptedDrone(self, name, **more))
        return self.drones[-1]


@contextmanager
def orchestrator_at(
    folder: Path,
    token: str = "",
    more: str = "",
    serve: str = "",
    env: Mapping[str, str] | None = None,
    heartbeat: float = HEARTBEAT,
) -> Iterator[Orchestrator]:
    """`more`: sections of its file; `serve`: lines of the section of that name; `heartbeat` in seconds."""
    made = Orchestrator(folder, token, more, serve, heartbeat, env=dict(env or {}))
    made.start()
    try:
        yield made
        assert made.trouble() == []
    finally:
        for drone in made.drones:
            drone.leave()
        if made.process is not None:
            made.stop(signal.SIGKILL)


class ScriptedDrone:
    """A drone over the real link and real HTTP; what it builds is what the test gives it. It beats by itself."""

    def __init__(self, orchestrator: Orchestrator, name: str, profile: str = "default", cores: int = 4) -> None:
        self.orchestrator, self.name, self.profile, self.cores = orchestrator, name, profile, cores
        self.credential = orchestrator.ask("POST", f"/api/drones/{name}/enroll").data["credential"]
        self.link = EmbeddedLink(orchestrator.state / "engine.db", self.credential)
        self.boot, self.phase, self.tail = os.urandom(4).hex(), "", ""
        self.synced = 0.0
        self.at_work: Offer | None = None
        self._stop = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self.beat()
        self._beating.start()

    def beat(self) -> None:
        offer, now = self.at_work, time.time()
        beat = Beat(
            self.name,
            self.boot,
            now,
            self.cores,
            8 << 30,
            self.profile,
            1.5,
            phase=self.phase,
            log=self.tail,
            synced=self.synced,
        )
        if offer:
            beat = replace(beat, build=offer.build, attempt=offer.attempt, package=offer.atoms[0].lstrip("="))
        self.link.beat(beat)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT / 4):
            with suppress(Exception):
                self.beat()

    def leave(self) -> None:
        """No word any more."""
        self._stop.set()
        self._beating.join()
        self.link.close()

    def take(self, timeout: float = 20) -> Offer:
        """The next offer, begun."""
        offer = self.link.next(timeout)
        assert offer is not None, "no offer came"
        self.at_work, self.phase = offer, "compile"
        assert self.link.working(offer)
        self.beat()
        return offer

    def headers(self, offer: Offer, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credential}", "X-Reconciler-Lease": offer.lease, **more}

    def put(self, offer: Offer, path: str, data: bytes, **more: str) -> Got:
        """An upload."""
        told = {"X-Reconciler-Sha256": hashlib.sha256(data).hexdigest(), "Content-Type": "application/octet-stream"}
        headers = self.headers(offer, **{**told, **more})
        return self.orchestrator.ask("PUT", f"/binhost/{offer.profile or self.profile}/{path}", data, headers)

    def wrote(self, offer: Offer, offset: int, data: bytes) -> Got:
        """A piece of the log."""
        headers = self.headers(offer, **{"X-Reconciler-Offset": str(offset)})
        return self.orchestrator.ask("POST", f"/api/builds/{offer.build}/log", data, headers)

    def build(self, offer: Offer, content: bytes = b"a binary package") -> tuple[Artifact, ...]:
        """Upload one package for each atom of the offer, and say that it is done."""
        artifacts = tuple(self._artifact(offer, atom, content) for atom in offer.atoms)
        self.finish(offer, "succeeded", artifacts=artifacts)
        return artifacts

    def _artifact(self, offer: Offer, atom: str, content: bytes) -> Artifact:
        cpv = atom.lstrip("=").partition("::")[0].partition(":")[0]
        category, _, pf = cpv.partition("/")
        name = pf.rsplit("-", 2)[0] if pf.rpartition("-")[2].startswith("r") else pf.rpartition("-")[0]
        path = f"{category}/{name}/{pf}-1.gpkg.tar"
        data = content + cpv.encode()
        assert self.put(offer, path, data).status == 201
        entry = {"CPV": cpv, "PATH": path, "BUILD_ID": "1", "SIZE": str(len(data)), "SLOT": "0", "EAPI": "8"}
        return Artifact(path, len(data), hashlib.sha256(data).hexdigest(), entry)

    def finish(self, offer: Offer, result: Result, **more: Any) -> None:
        outcome = Outcome(offer.build, offer.attempt, self.name, result, more.pop("seconds", 1.0), **more)
        self.link.finish(offer, outcome)
        self.at_work, self.phase = None, ""
        self.beat()


def listing(*packages: str, repository: str = "gentoo") -> str:
    """What `emerge -p --verbose --tree` prints: each package needs the ones that are indented below it."""
    head = "These are the packages that would be merged, in reverse order:\n\n"
    rows = [f"[ebuild  N     ] {' ' * (len(p) - len(p.lstrip()))}{p.strip()}::{repository}  0 KiB" for p in packages]
    return head + "".join(f"{row}\n" for row in rows)


def eventually(holds: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """The first true thing that it gives."""
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
    return found
