"""The plan is carried out: make everything first, then take old out and new in, level by level.

All containers are made under temporary names before the first running one is touched, so that whatever the
engine refuses (a name, an address, a device) is refused while nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from reconciler.convergence.exchange import NO_RESTART, REMOVE, REPLACE, Exchange, grace, policy_settings
from reconciler.convergence.migrate import Pattern
from reconciler.convergence.migrations import Due
from reconciler.convergence.networks import make_network
from reconciler.convergence.renew import tell
from reconciler.convergence.wait import Awaited, Failures, Waiting
from reconciler.core.fingerprint import volume_fingerprint
from reconciler.core.order import awaited, entangled, levels
from reconciler.core.overlap import in_the_way, may_overlap
from reconciler.core.wanted import Want
from reconciler.core.wording import verb
from reconciler.errors import ReconcilerError
from reconciler.model import labels
from reconciler.model.desired import RestartPolicy
from reconciler.model.observed import Container, Slot, made_name
from reconciler.model.plan import Action, ContainerSpec, Plan, Step, VolumeStep
from reconciler.model.report import StepRecord
from reconciler.ports import Clock, ContainerEngine, Ledger, Progress


@dataclass(frozen=True, slots=True)
class Tools:
    """What applying works with. `parallel`: how many containers are worked on at once."""

    engine: ContainerEngine
    ledger: Ledger
    clock: Clock
    progress: Progress
    waiting: Waiting
    parallel: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What has to be watched now, and what went wrong on the way."""

    touched: tuple[Awaited, ...]
    failures: Failures


class Apply:
    """One plan for one host within one run. `isolate`: a stack that fails does not stop the others.

    `existing`: the container of every slot that has one, also of those that the plan leaves alone: new containers
    join their namespaces, and wait for them.
    """

    def __init__(
        self,
        tools: Tools,
        plan: Plan,
        wants: Mapping[Slot, Want],
        existing: Mapping[Slot, Container],
        owner: str,
        run: str,
        *,
        isolate: bool,
    ) -> None:
        self._engine, self._tools, self._plan, self._wants = tools.engine, tools, plan, wants
        self._owner, self._run = owner, run
        self._exchange = Exchange(tools.engine, tools.ledger, tools.clock, run)
        self._steps = {step.slot: step for step in plan.steps if step.action is not Action.REMOVE}
        self._removals = [step for step in plan.steps if step.action is Action.REMOVE]
        self._existing = existing
        self._ids = {slot: container.id for slot, container in existing.items() if slot in wants}
        self._ours = self._steps.keys() | {done.slot for done in plan.satisfied}
        self._retired: set[Slot] = set()
        self._removed: list[Step] = []
        self._failures: Failures = {}
        self._isolate = isolate
        self._bring_by: Mapping[Action, Callable[[Step], None]] = {
            Action.CREATE: self._create,
            Action.REPLACE: self._replace,
            Action.START: self._start,
            Action.RESTART: self._restart,
            Action.UPDATE: self._update,
            Action.ADOPT: self._update,
            Action.KEEP: self._update,
            Action.SIGNAL: self._renew,
            Action.EXEC: self._renew,
        }

    def run(self, migrating: Due | None = None) -> Applied:
        """Everything that was touched, up and with its restart policy, ready to be watched; and what failed.

        Raises what the engine raises while containers are made: nothing that runs was touched then.
        """
        self._make_room()
        self._stage()
        first = migrating.needs(self._wants) if migrating else []
        if any(slot in self._steps and self._steps[slot].starts_new for slot in first):
            self._make_way()
        self._bring_up(slot for slot in self._steps if slot in first)
        if migrating:
            self._migrate(migrating, first)
        self._make_way()
        self._bring_up(slot for slot in self._steps if slot not in first)
        touched = self._sound([*self._steps, *self._plan.unverified])
        self._failures |= self._tools.waiting.until_started(self._awaited(slot) for slot in touched)
        self._together(self._settle, [self._steps[slot] for slot in self._sound(self._steps)])
        return Applied(tuple(self._awaited(slot) for slot in self._sound(touched)), self._failures)

    def _sound(self, slots: Iterable[Slot]) -> list[Slot]:
        """Those whose stack has not failed; when one failure is to undo all, none once there was one."""
        if self._failures and not self._isolate:
            return []
        failed = entangled({slot.stack for slot in self._failures}, self._wants)
        return [slot for slot in slots if slot.stack not in failed]

    # Before anything that runs is touched; a network that is made anew is the one exception.

    def _make_room(self) -> None:
        for volume in self._plan.volumes:
            self._make_volume(volume)
        going = {step.current.name: step.current.id for step in self._plan.networks if step.current and step.goes_first}
        if going:
            self._together(self._remove, [s for s in self._removals if self._attached(s, going)])
            self._together(self._retire, [s for s in self._steps.values() if self._attached(s, going)])
        for network in going.values():
            self._engine.remove_network(network)
        for step in self._plan.networks:
            if step.network:
                make_network(self._engine, step.network, step.stack, self._owner)

    def _attached(self, step: Step, networks: Iterable[str]) -> bool:
        return bool(step.current and set(networks) & set(step.current.networks))

    def _make_volume(self, step: VolumeStep) -> None:
        ours = {labels.OWNER: self._owner, labels.FINGERPRINT: volume_fingerprint(step.volume)}
        compose = {labels.PROJECT: step.stack, labels.VOLUME: step.volume.key}
        self._engine.create_volume(step.volume, {**ours, **compose})

    def _stage(self) -> None:
        new = [slot for slot, step in self._steps.items() if step.starts_new]
        made: list[str] = []
        try:
            for level in levels(new, self._wants):
                with ThreadPoolExecutor(self._tools.parallel) as pool:
                    list(pool.map(lambda slot: self._make(self._steps[slot], made), level))
        except Exception:
            for container in made:
                self._engine.remove(container)
            raise

    def _make(self, step: Step, made: list[str]) -> None:
        assert step.spec is not None
        name = made_name(step.spec.name, self._run)
        container = self._engine.create(name, self._complete(step.spec, step.current), step.spec.platform)
        made.append(container)
        self._ids[step.slot] = container
        for network in list(step.spec.endpoints)[1:]:
            self._engine.connect(network, container, step.spec.endpoints[network])

    def _complete(self, spec: ContainerSpec, old: Container | None) -> dict[str, Any]:
        """The create request with what only the host knows: namespaces by container id, volumes that carry over."""
        host = {**spec.body["HostConfig"], **NO_RESTART}
        host |= {key: f"container:{self._ids[slot]}" for key, slot in spec.namespaces.items()}
        host["Binds"] = [*host.get("Binds", []), *_carried_over(host, old)]
        body = {**spec.body, "HostConfig": host}
        if spec.endpoints:
            first = next(iter(spec.endpoints))
            body["NetworkingConfig"] = {"EndpointsConfig": {first: dict(spec.endpoints[first])}}
        return body

    # From here on running containers are touched.

    def _make_way(self) -> None:
        """What goes, goes; and of services that exchange a name, a port or an address the old ones, before any new."""
        self._together(self._remove, [step for step in self._removals if step not in self._removed])
        retiring = in_the_way(list(self._steps.values())) - self._retired
        self._together(self._retire, [self._steps[slot] for slot in self._sound(retiring)])

    def _bring_up(self, slots: Iterable[Slot]) -> None:
        for level in levels(slots, self._wants):
            self._wait_for(self._sound(level))
            self._together(self._bring, [self._steps[slot] for slot in self._sound(level)])

    def _migrate(self, migrating: Due, first: Sequence[Slot]) -> None:
        """Once what they need is up and healthy; one after the other, since nobody knows what they share."""
        self._failures |= self._tools.waiting.until_started(self._awaited(slot) for slot in self._sound(first))
        for stack in migrating.stacks:
            slot = Slot(stack.name, "")
            if not self._sound([slot]):
                continue
            self._tools.progress.phase("migrate", stack.name)
            try:
                migrating.run(
                    stack,
                    {m.service: self._pattern(Slot(stack.name, m.service)) for m in stack.migrations if m.service},
                )
            except ReconcilerError as error:
                self._failures[slot] = error

    def _pattern(self, slot: Slot) -> Pattern:
        """What a migration's container is made like: the service as it is wanted, with the volumes that it has."""
        step, want = self._steps.get(slot), self._wants[slot]
        body = self._complete(want.spec, step.current if step else self._existing.get(slot))
        body["NetworkingConfig"] = {"EndpointsConfig": {name: {} for name in want.spec.endpoints}}
        return Pattern(body, want.spec.image, {}, want.spec.platform)

    def _bring(self, step: Step) -> None:
        begun = self._tools.clock.now()
        state = "adopting" if step.action is Action.ADOPT else "starting"
        self._tools.progress.step(step.slot, state, f"{verb(step.action)}: {'; '.join(step.reasons)}")
        self._bring_by[step.action](step)
        self._record(step, begun)

    def _create(self, step: Step) -> None:
        assert step.spec is not None
        self._exchange.install(self._ids[step.slot], step.spec.name)

    def _replace(self, step: Step) -> None:
        assert step.spec is not None
        assert step.current is not None
        new = self._ids[step.slot]
        if step.slot not in self._retired and may_overlap(self._wants[step.slot]) and step.current.running:
            self._engine.start(new)
            for failure in self._tools.waiting.until_started([self._awaited(step.slot)]).values():
                raise failure
            self._exchange.retire(step.current, REPLACE)
            self._engine.rename(new, step.spec.name)
            return
        if step.slot not in self._retired:
            self._exchange.retire(step.current, REPLACE)
        self._exchange.install(new, step.spec.name)

    def _start(self, step: Step) -> None:
        assert step.current is not None
        self._reconnect(step, step.current)
        if step.current.state == "paused":
            self._engine.unpause(step.current.id)
        else:
            self._engine.start(step.current.id)

    def _restart(self, step: Step) -> None:
        assert step.current is not None
        self._reconnect(step, step.current)
        self._engine.stop(step.current.id, grace(step.current))
        self._engine.start(step.current.id)

    def _update(self, step: Step) -> None:
        assert step.current is not None
        self._reconnect(step, step.current)

    def _renew(self, step: Step) -> None:
        assert step.current is not None
        self._reconnect(step, step.current)
        tell(self._engine, step)

    def _reconnect(self, step: Step, container: Container) -> None:
        for network in step.disconnect:
            self._engine.disconnect(network, container.id)
        for network in step.connect:
            assert step.spec is not None
            self._engine.connect(network, container.id, step.spec.endpoints[network])

    def _retire(self, step: Step) -> None:
        assert step.current is not None
        self._exchange.retire(step.current, REPLACE)
        self._retired.add(step.slot)

    def _remove(self, step: Step) -> None:
        assert step.current is not None
        begun = self._tools.clock.now()
        self._tools.progress.step(step.slot, "removing", "; ".join(step.reasons))
        self._exchange.retire(step.current, REMOVE)
        self._removed.append(step)
        self._record(step, begun)

    def _settle(self, step: Step) -> None:
        """A container gets its restart policy only when it is up (and what `docker update` changed is put right)."""
        assert step.service is not None
        settings = step.settings
        if step.starts_new and step.service.restart != RestartPolicy():
            settings = policy_settings(step.service.restart)
        if settings:
            self._engine.update(self._ids[step.slot], settings)
        self._tools.progress.step(step.slot, "up")

    def _wait_for(self, level: Iterable[Slot]) -> None:
        """Dependencies that must be healthy, or be done, before the next level may start."""
        conditions = awaited(level, self._wants)
        strict = [slot for slot, asked in conditions.items() if asked - {"service_started"} and slot in self._ids]
        self._failures |= self._tools.waiting.until_started(self._awaited(slot) for slot in strict)

    def _awaited(self, slot: Slot) -> Awaited:
        want = self._wants[slot]
        restarts = want.service.restart.name != "no" and not want.job and slot in self._ours
        return Awaited(slot, self._ids[slot], want.job, restarts)

    def _record(self, step: Step, begun: float) -> None:
        slot, now = step.slot, self._tools.clock.now()
        self._tools.ledger.step(
            StepRecord(self._run, slot.stack, slot.service, step.action, step.reasons, begun, now, "ok")
        )

    def _together(self, work: Callable[[Step], None], steps: Sequence[Step]) -> None:
        """In parallel; what fails is noted. All that began is finished, also when the pass is asked to stop."""
        self._tools.clock.sleep(0)
        with ThreadPoolExecutor(self._tools.parallel) as pool:
            futures = {step.slot: pool.submit(work, step) for step in steps}
        for slot, future in futures.items():
            try:
                future.result()
            except ReconcilerError as error:
                if not error.what.startswith(f"{slot}: "):
                    error.what = f"{slot}: {error.what}"
                self._failures[slot] = error
                self._tools.progress.step(slot, "failed", error.what)


def _carried_over(host: Mapping[str, Any], old: Container | None) -> list[str]:
    """Anonymous volumes of the old container, for destinations that nothing else is mounted at."""
    taken = {bind.split(":")[1] for bind in host.get("Binds", [])} | {m["Target"] for m in host.get("Mounts", [])}
    taken |= set(host.get("Tmpfs", {}))
    volumes = old.anonymous_volumes if old else {}
    return [f"{name}:{target}:rw" for target, name in sorted(volumes.items()) if target not in taken]
