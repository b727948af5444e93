"""A scenario that is learned once, uncut, and then run again and again to die at each of its points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from reconciler.adapters.ledger.sqlite import SqliteLedger
from reconciler.model.report import Run
from reconciler.model.result import Result
from tests.support.crash import CrashHost, Outcome, Saved, Watch
from tests.support.crash_scenarios import Scenario
from tests.support.seam import Died, Seam


@dataclass
class Case:
    """A scenario, ready to be run from its beginning. `rows`: how many migrations the uncut pass ran.

    `left`: what a death of that pass would leave at its points. Nobody has to go all the way there anew to die.
    """

    host: CrashHost
    scenario: Scenario
    begin: Saved
    trace: list[str]
    expected: Outcome
    ran: set[str]
    jobs: set[tuple[str, str]]
    rows: int = 0
    deaths: int = 0
    left: dict[int, Saved] = field(default_factory=dict)

    @property
    def points(self) -> list[int]:
        """Before each effect, and after the last: between two effects nothing lasting happens.

        A rollback counts from where it is written down; one that died before was never asked for.
        """
        asked = self.first("after ledger.begin") if self.scenario.command == "rollback" else 0
        points = [n for n, point in enumerate(self.trace) if not point.startswith("after")]
        return [n for n in (*points, len(self.trace) - 1) if n >= asked]

    def first(self, point: str) -> int:
        return next(n for n, each in enumerate(self.trace) if each.startswith(point))

    def died_at(self, point: int, parallel: int = 1) -> None:
        """The pass that was asked for has died there: as the uncut one came by, or, otherwise, from the beginning."""
        self.host.parallel, self.deaths = parallel, 0
        if parallel == 1 and (found := self.left.get(point)):
            self.host.restore(found)
            self.deaths = 1
            return
        self.host.restore(self.begin)
        self._dies(lambda seam: ask(self.host, self.scenario, seam), point)

    def dies(self, point: int) -> bool:
        """The timer's next pass dies, too; whether it did not come to its end before."""
        return self._dies(self.host.converge, point)

    def _dies(self, go: Callable[[Seam], object], point: int) -> bool:
        try:
            go(Seam(point, look=self.watch))
        except Died:
            self.deaths += 1
            return True
        return False

    @property
    def watch(self) -> Callable[[str], None]:
        """What must hold at every point."""
        watch = Watch(self.host, frozenset({"solo", "new", "ill"}))

        def look(point: str) -> None:
            watch(point)
            if point.startswith("before signals.write_stamp"):
                assert self._rows() >= self.rows, "verified, and never migrated"

        return look

    def carry_on(self, *, patient: bool = False) -> None:
        """Two more passes of the timer; after the first everything that ran before runs, unless we are `patient`."""
        self.host.converge(Seam(look=self.watch))
        running = {c.name for c in self.host.engine.containers() if c.running}
        assert patient or self.ran <= running, f"{self.ran - running} are down after the first pass"
        self.host.converge(Seam(look=self.watch))
        self.check()

    def check(self) -> None:
        """All is as if nothing had died."""
        assert self.host.outcome() == self._as_expected()
        assert self.jobs_done() == self.jobs, "a job ran that the uncut pass does not run, or did not run"
        assert self.rows <= self._rows() <= self.rows * (1 + self.deaths), (
            "a migration was left out, or ran for nothing"
        )

    def _as_expected(self) -> Outcome:
        """A deploy's pause outlives its failure; when it died first, whoever finishes its work ends the pause."""
        sentinels = dict(self.expected.sentinels)
        run = self.written_down
        if self.scenario.command == "deploy" and (run is None or run.outcome == "interrupted"):
            sentinels.pop("paused", None)
        return replace(self.expected, sentinels=sentinels)

    @property
    def written_down(self) -> Run | None:
        """The pass of the scenario as the ledger knows it; None when it died before that."""
        ledger = SqliteLedger(self.host.state / "ledger.db")
        try:
            return ledger.run(f"run-{self.begin.runs + 1}")[0]
        except KeyError:
            return None
        finally:
            ledger.close()

    def jobs_done(self) -> set[tuple[str, str]]:
        past = len(self.begin.engine.started)
        return {(str(s), print_) for s, print_ in self.host.engine.started[past:] if s.service == "seed"}

    def _rows(self) -> int:
        return len(self.host.engine.rows) - len(self.begin.engine.rows)

    def learn(self) -> None:
        """Run it uncut, with two passes of the timer after it, and remember how it ends."""
        before = {c.name for c in self.host.engine.containers() if c.running}
        watch = self.watch

        def look(point: str) -> None:
            watch(point)
            if not point.startswith("after"):
                self.left[len(seam.trace)] = self.host.save()

        seam = Seam(look=look)
        result, ill = ask(self.host, self.scenario, seam), ("undone", "halted", "so healed")
        good = not any(word in self.scenario.name for word in ill)
        assert (result.error is None) == good, f"{self.scenario} is not what it says: {result.reason}"
        for _ in range(2):
            self.host.converge(Seam(look=self.watch))
        after = {c.name for c in self.host.engine.containers() if c.running}
        self.trace, self.expected, self.ran = seam.trace, self.host.outcome(), before & after
        self.jobs, self.rows = self.jobs_done(), self._rows()


def learned(host: CrashHost, scenario: Scenario) -> Case:
    """The host as the scenario begins, and how it goes when nothing dies."""
    for files in scenario.deployed:
        host.commit(files)
        good = host.converge().error is None
        assert good or "box/bad" in str(files), f"{scenario} never stood on its feet"
        host.converge()
    if scenario.change is not None:
        host.commit(scenario.change)
    scenario.happens(host)
    case = Case(host, scenario, host.save(), [], host.outcome(), set(), set())
    case.learn()
    return case


def ask(host: CrashHost, scenario: Scenario, seam: Seam) -> Result:
    """The pass of the scenario."""
    back = scenario.command == "rollback"
    revision = host.remote.git("rev-parse", "main~1").decode().strip() if back else host.remote.head
    return host.take(scenario.command, "" if scenario.command == "converge" else revision, seam)


def told(case: Case, how: str, *, patient: bool = False) -> None:
    """Carry on; what is wrong then says how it came to that."""
    try:
        case.carry_on(patient=patient)
    except AssertionError as error:
        error.add_note(f"{case.scenario}: {how}")
        raise
