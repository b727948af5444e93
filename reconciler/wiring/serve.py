"""What `reconciler serve` is made of: store, engine, binhost, the orchestrator over them, its clock, and its routes."""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.adapters.binhost.folder import BinhostFolder
from reconciler.adapters.swarm.build_logs import LogFolder
from reconciler.adapters.swarm.engine_embedded import EmbeddedEngine
from reconciler.adapters.swarm.store import SqliteStore
from reconciler.durable import put
from reconciler.errors import BadConfiguration, ReconcilerError, Terminal, Transient
from reconciler.model.settings import Serve, Settings
from reconciler.model.swarm import Build, Request
from reconciler.swarm.orchestrator import Orchestrator
from reconciler.swarm.rules import Rules
from reconciler.wiring.pruning import EVERY, Pruning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.web.orchestrator.serving import Serving

ERROR, WARNING, NOTICE = 3, 4, 5
"""Priorities of syslog."""
PATIENCE = 60.0
"""Seconds without a whole tick after which the orchestrator is called stalled."""

Say = Callable[[str, int], None]


def serve_orchestrator(settings: Settings, token: str, say: Say, listening: Callable[[str], None]) -> None:
    """Until it is asked to stop. `listening` is told the address once it can be asked."""
    refuse_open_without_token(settings.serve, token)
    with ExitStack() as closing:
        listener = closing.enter_context(listener_at(settings.serve.listen))
        rules = Rules(heartbeat=settings.serve.heartbeat, lease=settings.serve.heartbeat)
        orchestrator, serving = make_orchestrator(settings, rules, token, closing)
        assert isinstance(serving.files, BinhostFolder)
        pruning = Pruning(serving.files, orchestrator.requests, settings.serve, say)
        pruning.tell_losses()
        closing.enter_context(ticking(orchestrator, rules.every, say, pruning))
        from reconciler.web.app import orchestrator_app
        from reconciler.web.orchestrator.events import Events
        from reconciler.web.server import serve

        events = Events(orchestrator.events)
        app = orchestrator_app(serving, events, say)
        listening(address_of(listener))
        serve(app, listener, say, events.close)


def make_orchestrator(settings: Settings, rules: Rules, token: str, closing: ExitStack) -> tuple[Orchestrator, Serving]:
    """Opens the files of `serve.directory`, and makes them where they are missing. Terminal, Busy, Transient."""
    from reconciler.web.auth import Admins
    from reconciler.web.orchestrator.serving import Serving

    directory = Path(settings.serve.directory)
    _make(directory)
    store = SqliteStore(directory / "swarm.db")
    closing.callback(store.close)
    engine = EmbeddedEngine(directory / "engine.db")
    engine.open(rules.site)
    closing.callback(engine.close)
    binhost = BinhostFolder(settings.serve.packages)
    closing.callback(binhost.close)
    # The lock of the binhost lets one process of this machine in, so who comes after a killed one goes on as the same.
    orchestrator = Orchestrator(store, engine, binhost, rules, holder=socket.gethostname(), ended=_Trigger(settings))
    logs = LogFolder(directory / "logs")
    patience = max(PATIENCE, 10 * rules.every)
    return orchestrator, Serving(orchestrator, binhost, binhost, logs, Admins(token), engine.whose, time.time, patience)


class _Trigger:
    """A request is done: a pass is asked for, so that hosts that wait for its packages converge."""

    def __init__(self, settings: Settings) -> None:
        self._trigger = Path(settings.inbox.trigger)

    def __call__(self, request: Request, builds: Sequence[Build]) -> None:
        if request.state != "complete" or not self._trigger.parent.is_dir():
            return  # no reconciler on this machine
        try:
            put(self._trigger, f"swarm: request {request.id} is built\n".encode(), 0o660)
        except OSError as error:
            raise Transient(
                "E-INBOX",
                "a pass cannot be asked for",
                why=str(error),
                next=f"let this user write {self._trigger.parent}",
            ) from error


@contextmanager
def ticking(orchestrator: Orchestrator, every: float, say: Say, pruning: Pruning) -> Iterator[None]:
    """APScheduler is the clock, and nothing else: the queue is the truth, no job of its own is remembered."""
    from reconciler.wiring.pace import Pace

    scheduler = Pace(every)
    tick = _Tick(orchestrator, say)
    scheduler.add_job(tick, "interval", seconds=every, max_instances=1, coalesce=True, misfire_grace_time=None)
    scheduler.add_job(pruning, "interval", seconds=EVERY, max_instances=1, coalesce=True, misfire_grace_time=None)
    tick()  # a restart resumes before anybody is answered
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=True)


class _Tick:
    """One step; nothing that goes wrong in it ends the clock, and the same trouble is told once."""

    def __init__(self, orchestrator: Orchestrator, say: Say) -> None:
        self._orchestrator, self._say, self._told = orchestrator, say, ""

    def __call__(self) -> None:
        try:
            self._orchestrator.tick(time.time())
        except ReconcilerError as error:
            self._tell(str(error), [str(error), f"  why        {error.why}", f"  next       {error.next}"])
        except Exception as error:  # noqa: BLE001  a mistake of ours must not end the clock
            self._tell(repr(error), "".join(traceback.format_exception(error)).splitlines())
        else:
            if self._told:
                self._say("the queue goes on", NOTICE)
            self._told = ""

    def _tell(self, key: str, lines: list[str]) -> None:
        if key != self._told:
            for line in lines:
                self._say(line, ERROR)
        self._told = key


def refuse_open_without_token(serve: Serve, token: str) -> None:
    """Whoever can reach it could have anything built: beyond this machine a token has to be asked for."""
    from reconciler.web.auth import open_to_others

    if token or not open_to_others(serve.listen):
        return
    raise BadConfiguration(
        "E-SERVE-OPEN",
        f"{serve.listen} can be reached from other machines, and there is no token",
        why="whoever reaches it could queue, cancel and enroll",
        next="write a secret (openssl rand -hex 32) and name it in serve.token, or listen on 127.0.0.1",
    )


def listener_at(listen: str) -> socket.socket:
    """A socket that listens there. Terminal (E-SERVE-LISTEN)."""
    host, _, port = listen.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise Terminal(
            "E-SERVE-LISTEN",
            f"cannot listen on {listen}",
            why=error.strerror or str(error),
            next="stop what is there (ss -ltnp shows it), or set serve.listen",
        ) from error
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise Terminal(
            "E-SERVE-STATE",
            f"cannot make {directory}",
            why=error.strerror or str(error),
            next="set serve.directory to a folder that this user may write",
        ) from error
