"""One step of everything, again and again: what came back, who is there, what is stored, what is next, what is done."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.errors import ReconcilerError, Stale, Transient
from reconciler.model.queue import Ticked
from reconciler.model.swarm import Beat, Build
from reconciler.ports.swarm import Binhost, Delivery, RequestEnded
from reconciler.swarm import submit
from reconciler.swarm.compare import compare
from reconciler.swarm.desk import Desk
from reconciler.swarm.dispatch import Dispatcher, offer
from reconciler.swarm.draft import Draft
from reconciler.swarm.presence import was_away
from reconciler.swarm.rules import Rules
from reconciler.swarm.settle import settle, store
from reconciler.swarm.troubles import Troubles
from reconciler.swarm.watch import Overdue, watch

LEADER = "orchestrator"
"""The name under which orchestrators lead."""

LATE = 50
"""Builds by which estimates may lag behind: they change slowly, and take a while to make."""

_PRUNE = 300.0
"""Seconds between two times of forgetting."""


class Ticking:
    """`looked`: when it last heard what the drones say; `fence`: of its leadership, 0 without."""

    def __init__(
        self,
        desk: Desk,
        binhost: Binhost,
        rules: Rules,
        dispatcher: Dispatcher,
        holder: str,
        ended: RequestEnded | None,
    ) -> None:
        self._desk, self._engine, self._binhost = desk, desk.engine, binhost
        self._rules, self._dispatcher, self._holder, self._ended = rules, dispatcher, holder, ended
        self.looked: float | None = None
        self.fence = 0
        self.troubles = Troubles()
        self._overdue = Overdue()
        self._beats: dict[str, Beat] = {}
        self._compared: float | None = None
        self._pruned: float | None = None
        self._loaded = 0

    def tick(self, now: float) -> Ticked:
        """Errors as `Orchestrator.tick`. What it had not come to is found by the next one, which compares first."""
        try:
            if not self._lead():
                return Ticked(leading=False)
            ticked = self._step(now)
            self.troubles.over("queue")
            return ticked
        except Stale as error:
            self.troubles.note("store", error)
            self._compared = None
            return Ticked(leading=error.code != "E-SWARM-DEPOSED")
        except BaseException as error:
            self._compared = None
            if isinstance(error, ReconcilerError):  # nothing goes on, and whoever asks how the swarm is has to see it
                self.troubles.note("queue", error)
            raise

    def stand_down(self) -> None:
        """Whoever stands by may lead at once."""
        if self.fence:
            self._engine.lease(LEADER, self._holder, 0.0)
            self.fence = 0

    def forget(self, drone: str) -> None:
        """What it said last counts no more."""
        self._beats.pop(drone, None)

    def _lead(self) -> bool:
        lease = self._engine.lease(LEADER, self._holder, self._rules.lease)
        fence = lease.fence if lease is not None else 0
        if fence != self.fence:
            self.fence, self.looked, self._compared = fence, None, None
            self._desk.forget()
        return lease is not None

    def _step(self, now: float) -> Ticked:
        deliveries = self._without_answers_too_soon(self._engine.outcomes())
        stale, lost = self._hear(now, deliveries)
        published = self._store(now)
        self._compare_now_and_then(now)
        offered = self._place(now)
        finished = self._tell_ends(now)
        self._desk.send_events()
        self.troubles.over("store")
        return Ticked(True, len(deliveries), stale, lost, published, offered, finished)

    def _hear(self, now: float, deliveries: Sequence[Delivery]) -> tuple[int, int]:
        """Outcomes and beats, and the silence of those that are gone; the outcomes are acknowledged once that holds."""
        rules = self._rules
        self._beats |= {beat.drone: beat for beat in self._engine.beats()}  # told once: kept until that is committed
        draft = self._desk.draft(now)
        draft.every_request, self._loaded = self._loaded != self._desk.loaded, self._desk.loaded
        settled = settle(draft, [each.outcome for each in deliveries], self._answered, rules.limits.retries)
        away = was_away(self.looked, now, rules.heartbeat)
        lost = watch(draft, tuple(self._beats.values()), rules, away=away)
        lost += self._overdue.fail(draft, rules, away=away)
        self._desk.commit(draft, self.fence)
        self._beats.clear()
        self.looked = now
        for delivery in deliveries:
            delivery.ack()
        for lease in lost:
            self._engine.withdraw(lease.drone, lease.build, lease.attempt)
        with self.troubles.noting("staging"):
            for build, attempt in (*settled.discard, *((lease.build, lease.attempt) for lease in lost)):
                self._binhost.discard(build, attempt)
        return settled.stale, len(lost)

    def _without_answers_too_soon(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """While nobody can tell what the binhost has, answers to questions wait; nothing else waits for them."""
        builds = self._desk.board.builds
        asked = {each.outcome.build: builds[each.outcome.build] for each in deliveries if each.outcome.build in builds}
        questions = {id: build for id, build in asked.items() if build.kind == "resolve"}
        known: set[str] = set()
        with self.troubles.noting("questions"):
            for build in questions.values():
                self._binhost.index(build.profile)
                known.add(build.id)
        return [each for each in deliveries if each.outcome.build not in questions.keys() - known]

    def _answered(self, draft: Draft, question: Build, text: str) -> None:
        submit.answered(draft, question, text, self._binhost.index, self._desk.times().work)

    def _store(self, now: float) -> int:
        draft = self._desk.draft(now)
        count = 0
        with self.troubles.noting("binhost"):
            count, error = store(draft, self._binhost, self._rules.limits.retries)
            if error is not None:
                raise error
        self._desk.commit(draft, self.fence)
        return count

    def _compare_now_and_then(self, now: float) -> None:
        if self._compared is not None and 0 <= now - self._compared < self._rules.compare:
            return
        draft = self._desk.draft(now)
        for lease in compare(draft.board, self._engine, self._rules.timeout):
            draft.lose(lease, "lost", "the engine does not have its offer any more")
        self._desk.commit(draft, self.fence)
        self._compared = now
        with self.troubles.noting("staging"):
            self._clear_staging()
        if self._pruned is None or not 0 <= now - self._pruned < _PRUNE:
            self._desk.prune()
            self._pruned = now

    def _clear_staging(self) -> None:
        live = {(lease.build, lease.attempt) for lease in self._desk.board.leases.values()}
        for build, attempt in self._binhost.staged():
            if (build, attempt) not in live:
                self._binhost.discard(build, attempt)

    def _place(self, now: float) -> int:
        """Whoever gets what is durable before anybody is told."""
        draft = self._desk.draft(now)
        back = self._dispatcher.take_back(draft, self._desk.times(LATE))
        self._desk.commit(draft, self.fence)
        for lease in back:
            self._engine.withdraw(lease.drone, lease.build, lease.attempt)
        draft = self._desk.draft(now)
        leases = self._dispatcher.assign(draft, self._desk.times(LATE))
        self._desk.commit(draft, self.fence)
        if leases:
            self._engine.offer_all([(lease.drone, offer(draft.board, lease, self._rules.timeout)) for lease in leases])
        return len(leases)

    def _tell_ends(self, now: float) -> int:
        """One notice for each request: again after a crash in between, hence with the request's id.

        All go the same way: when one does not get out, the others wait with it, or each tick would try them all.
        """
        told = 0
        for request in list(self._desk.board.untold.values()):
            try:
                if self._ended is not None:
                    self._ended(request, self._desk.store.builds(request.builds))
            except Transient as error:
                self.troubles.note("notice", error)
                break
            draft = self._desk.draft(now)
            draft.tell(request.id)
            self._desk.commit(draft, self.fence)
            self.troubles.over("notice")
            told += 1
        return told
