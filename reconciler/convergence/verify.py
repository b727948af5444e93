"""The probes of stacks: side by side, each until it holds or its time is over.

They see the host as the pass leaves it. One good sample is enough for what was verified before; a new revision has to
hold as often as the probe says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from reconciler.convergence.gather import Picture
from reconciler.convergence.wait import Failures
from reconciler.convergence.world import World
from reconciler.core import guard, probes
from reconciler.core.counting import count
from reconciler.core.guard import Policy
from reconciler.core.probes import Sample, Standing
from reconciler.core.redact import redactor
from reconciler.core.verdict import State
from reconciler.core.wanted import Want
from reconciler.errors import ReconcilerError, Unreachable
from reconciler.model.desired import Desired
from reconciler.model.observed import Container, Slot
from reconciler.model.probe import ContainersCheck, ExecCheck, FileCheck, HttpCheck, Probe, TcpCheck

_TOGETHER = 16
"""So many probes are tried at once; they mostly wait."""

Serving = Callable[[], Mapping[Slot, Container]]
"""The container of each slot as it is now; only asked when a probe looks at containers."""


def in_view(picture: Picture, target: str) -> set[str]:
    """The stacks that a pass may judge: of its target, with nothing of them left out of its plan."""
    planned = {step.slot for step in picture.plan.steps}
    left_out = {step.slot.stack for step in picture.whole.steps if step.slot not in planned}
    only = target.split("/")[1:2]
    return {stack.name for stack in picture.desired.stacks if only in ([], [stack.name])} - left_out


def probed(picture: Picture, base: str, target: str) -> set[str]:
    """The stacks that a pass probes: a new revision as a whole, and what it healed of the one verified last."""
    seen, plan = in_view(picture, target), picture.plan
    if picture.desired.revision != base:
        return seen
    return seen & {slot.stack for slot in (*(step.slot for step in plan.steps), *plan.unverified)}


class Verify:
    """What `desired` says must hold, asked of this host. Changes nothing but what commands of probes change."""

    def __init__(
        self, world: World, policy: Policy, desired: Desired, wants: Mapping[Slot, Want], serving: Serving
    ) -> None:
        self._world, self._policy, self._desired = world, policy, desired
        self._wants, self._serving = wants, serving

    def run(self, stacks: Collection[str], *, once: bool = False) -> Failures:
        """What does not hold, by slot; of paused stacks nothing is asked. `once`: one good sample is enough."""
        todo = [
            (Slot(stack.name, probe.service), probe)
            for stack in self._desired.stacks
            if stack.verify and stack.name in stacks and not self._world.signals.paused(stack.name, alone=True)
            for probe in stack.verify
        ]
        if not todo:
            return {}
        clean = redactor(self._world.files.confidential()).clean
        self._world.progress.phase("verify", count(len(todo), "probe"))
        with ThreadPoolExecutor(min(len(todo), _TOGETHER)) as pool:
            futures = [pool.submit(self._until_it_holds, slot, probe, 1 if once else 0) for slot, probe in todo]
        failures: Failures = {}
        for (slot, probe), future in zip(todo, futures, strict=True):
            if error := self._failure(probe, slot, future.result, clean):
                self._world.progress.step(slot, "failed", clean(error.what))
                failures.setdefault(slot, error)
        return failures

    def smoke(self) -> str:
        """What does not hold of all that there is, in words; "" when all does. For the end of a way back (I9)."""
        failures = self.run([stack.name for stack in self._desired.stacks], once=True)
        return "; ".join(error.what for error in failures.values())

    def _failure(
        self, probe: Probe, slot: Slot, judged: Callable[[], Standing], clean: Callable[[str], str]
    ) -> ReconcilerError | None:
        try:
            standing = judged()
        except ReconcilerError as error:
            return error
        if standing.verdict.state is not State.BAD:
            return None
        return probes.failure(probe, slot, standing, clean(standing.bad.came))

    def _until_it_holds(self, slot: Slot, probe: Probe, needed: int) -> Standing:
        clock, standing = self._world.clock, Standing()
        begun = clock.now()
        while True:
            sample = self._sample(slot.stack, probe)
            standing = standing.after(sample, probe, clock.now() - begun, needed or probe.samples)
            if standing.verdict.state is not State.WAITING:
                return standing
            clock.sleep(probe.interval)

    def _sample(self, stack: str, probe: Probe) -> Sample:
        """What the engine refuses is an answer: a container may not be there yet. Raises Unreachable."""
        try:
            return self._looked(stack, probe)
        except Unreachable:
            raise
        except ReconcilerError as error:
            return Sample("the engine refuses it", error.what)

    def _looked(self, stack: str, probe: Probe) -> Sample:
        probing = self._world.probing
        match probe.check:
            case HttpCheck() as check:
                answer = probing.http(check.url, dict(check.headers), probe.timeout, insecure=check.insecure)
                return probes.http(check, answer)
            case TcpCheck(host=host, port=port):
                trouble = probing.tcp(host, port, probe.timeout)
                return Sample("nobody takes connections", trouble) if trouble else Sample()
            case ExecCheck() as check:
                return self._executed(stack, check, probe.timeout)
            case FileCheck() as check:
                return self._read(check)
            case ContainersCheck() as check:
                return self._containers(stack, check)

    def _executed(self, stack: str, check: ExecCheck, timeout: float) -> Sample:
        running = [
            c for s, c in self._serving().items() if (s.stack, s.service) == (stack, check.service) and c.running
        ]
        for container in running:
            sample = probes.command(*self._world.engine.exec(container.id, check.command, timeout))
            if not sample.good:
                return sample
        return Sample() if running else Sample("no container of the service runs")

    def _read(self, check: FileCheck) -> Sample:
        """The place is judged at every look: what a container writes may have become a link since."""
        files, policy = self._world.files, self._policy
        real = {p: files.real(p) for p in guard.paths(self._desired, policy)}
        if not guard.may_look_at(check.path, self._desired, policy, real):
            return Sample("it leads out of what this host lets manifests see")
        return probes.file(check, self._world.probing.read(real[check.path]))

    def _containers(self, stack: str, check: ContainersCheck) -> Sample:
        wanted = [
            (slot, want.job)
            for slot, want in self._wants.items()
            if slot.stack == stack and (not check.services or slot.service in check.services)
        ]
        ids = {container.id: slot for slot, container in self._serving().items() if slot.stack == stack}
        seen = {ids[container.id]: container for container in self._world.engine.look(list(ids))}
        return probes.containers(wanted, seen)
