"""An end of a dispatch engine in a process of its own, that can be killed between any two calls and amid one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from reconciler.errors import ReconcilerError
from reconciler.ports.swarm import DispatchEngine, DroneLink

End = DispatchEngine | DroneLink
Make = Callable[[], End]
_PROCESSES = multiprocessing.get_context("forkserver")  # each begins with what is imported here, and nothing else
_PROCESSES.set_forkserver_preload([__name__, "pytest", "reconciler.adapters.swarm.engine_embedded"])


class CallFailed(Exception):
    """The call raised over there: the name of the type, and the code of an error of ours."""


class EndProcess:
    """`make`: makes the end over there; it has to be picklable."""

    def __init__(self, make: Make) -> None:
        self._here, there = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_serve, args=(there, make), daemon=True)
        self._process.start()
        there.close()

    def call(self, method: str, *given: Any) -> Any:
        self.send(method, *given)
        return self.answer()

    def send(self, method: str, *given: Any) -> None:
        """Without waiting for the answer."""
        self._here.send((method, given))

    def answer(self) -> Any:
        good, value = self._here.recv()
        if not good:
            raise CallFailed(*value)
        return value

    def kill(self) -> None:
        """SIGKILL, wherever it is."""
        self._process.kill()
        self._process.join()
        self._here.close()
        self._process.close()


def _serve(pipe: Connection, make: Make) -> None:
    """`outcomes` gives what was delivered, `ack` acknowledges the n-th of that."""
    end = make()
    delivered: Any = ()
    while True:
        method, given = pipe.recv()
        try:
            if method == "ack":
                answer: Any = delivered[given[0]].ack()
            else:
                answer = getattr(end, method)(*given)
            if method == "outcomes":
                delivered = answer
                answer = [each.outcome for each in delivered]
        except ReconcilerError as error:
            pipe.send((False, (type(error).__name__, error.code)))
        except Exception as error:  # noqa: BLE001 - told to the test, whatever it is
            pipe.send((False, (type(error).__name__, str(error))))
        else:
            pipe.send((True, answer))
