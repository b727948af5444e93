"""Whatever becomes of notices, a pass ends as it does; nothing is lost but by policy, and no secret leaves the host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from reconciler import durable
from reconciler.adapters.notices.discord import DiscordNotifier
from reconciler.adapters.notices.outbox import NAME, FileOutbox
from reconciler.cli.progress import Silent
from reconciler.convergence.long import Announced
from reconciler.convergence.tell import BUDGET, Teller
from reconciler.core.redact import redactor
from reconciler.errors import BadConfiguration, Terminal
from reconciler.model.mail import Mailbox
from reconciler.model.notice import Delivery, DiscordChannel, Notice, Notifications, Secret
from reconciler.model.plan import Action
from reconciler.model.report import Run
from reconciler.model.result import Result
from tests.support.clock import FakeClock
from tests.support.discord import Discord, discord
from tests.support.host import until
from tests.support.notices import NEW, OLD, failure, nothing, plan, success
from tests.support.seam import Died, Seam

SECRET = "p@ss 'word\" & <more>"
TROUBLE = ["429", "global", "html429", "500", "closed", "hang", "drip", "401", "404", "redirect"]
WANTED = Notifications(DiscordChannel(Secret("hook"), "<@&42>"))


@dataclass
class Office:
    """A host's outbox and the clock that its passes live by; every pass has a teller of its own, as a process would."""

    state: Path
    there: Discord
    clock: FakeClock = field(default_factory=FakeClock)
    said: list[str] = field(default_factory=list)
    wanted: Notifications = WANTED
    runs: int = 0

    def teller(self, seam: Seam | None = None) -> Teller:
        wrap = (seam or Seam()).wrap
        notifier = DiscordNotifier(self.there.address, "<@&42>")
        return Teller(
            wrap("outbox", FileOutbox(self.state)),
            lambda wanted: [wrap("discord", notifier)] if wanted.discord else [],
            lambda: redactor([SECRET, self.there.address]),
            self.clock,
            self.said.append,
            "caroline",
            "https://github.com/o/n",
        )

    def run(self, result: Result) -> Result:
        """The result as that of a new run."""
        self.runs += 1
        return replace(result, run=f"run-{self.runs:04}", started=self.clock.now() - result.seconds)

    def tell(self, result: Result, history: tuple[Run, ...] = (), seam: Seam | None = None) -> int:
        waiting = self.teller(seam).tell(self.run(result), history, lambda _: self.wanted)
        self.clock.sleep(900)
        return waiting

    def has_more_than(self, count: int) -> bool:
        return len(self.there.messages) > count

    @property
    def box(self) -> Mailbox:
        return FileOutbox(self.state).load()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with discord() as there:
        yield Office(tmp_path / "state", there)


def test_who_wants_no_notices_has_none(office: Office) -> None:
    office.wanted = Notifications()

    assert office.tell(failure()) == 0
    assert office.tell(success()) == 0
    assert not office.there.asked


def test_a_failure_its_repeats_and_the_recovery(office: Office) -> None:
    for _ in range(3):
        office.tell(failure())
    office.tell(success())

    assert office.there.titles == [
        "caroline · core: failed, and rolled back ×3",
        "caroline · core: deployed 4f2c1ab, well again after 3 failures, 45 min",
    ]
    assert office.there.pings == []  # an edit takes the call out of the text; whoever was called knows
    assert office.there.asked[0].body["content"] == "<@&42>"
    assert not office.there.refused


@pytest.mark.parametrize("mode", TROUBLE)
def test_trouble_of_any_kind_is_over_in_a_short_time_and_loses_nothing(office: Office, mode: str) -> None:
    office.there.mode, office.there.retry_after = mode, 60.0
    notifier = DiscordNotifier(office.there.address)
    teller = Teller(
        FileOutbox(office.state),
        lambda _: [_Hasty(notifier)],
        lambda: redactor([]),
        office.clock,
        office.said.append,
        "caroline",
        "",
    )
    begun = office.clock.now()

    assert teller.tell(office.run(failure()), (), lambda _: WANTED) == 1
    assert office.clock.now() - begun <= BUDGET
    assert any(line.startswith("notice to discord") for line in office.said)
    assert len(office.box.waiting) == 1
    assert not any(office.there.address in line or "token" in line for line in office.said)


class _Hasty(DiscordNotifier):
    """One second is as long as five, for what never answers."""

    def __init__(self, inner: DiscordNotifier) -> None:
        self.__dict__.update(inner.__dict__)

    def post(self, notice: Notice, seconds: float) -> Delivery:
        return super().post(notice, min(seconds, 0.3))


def test_a_limit_that_is_over_soon_is_waited_for(office: Office) -> None:
    office.there.once, office.there.retry_after = ["429", "global"], 2.0

    assert office.tell(failure()) == 0
    assert len(office.there.messages) == 1
    assert len(office.there.asked) == 3


def test_a_webhook_that_is_gone_is_not_asked_again_until_it_has_another_address(office: Office) -> None:
    office.there.mode = "404"
    for _ in range(50):
        office.tell(failure())
    assert len(office.there.asked) == 1
    assert office.box.stopped["discord"].why == "Discord answered 404: Unknown Webhook"

    office.there.mode = "ok"
    stopped = {"discord": replace(office.box.stopped["discord"], address="what it was before")}
    FileOutbox(office.state).save(replace(office.box, stopped=stopped))
    assert office.tell(failure()) == 0
    assert len(office.there.messages) == 1


def test_an_outage_of_a_day_ends_in_few_messages_and_none_is_refused(office: Office) -> None:
    office.there.mode = "500"
    for number in range(96):
        deploy = replace(success(plan(Action.REPLACE, new_image=f"app:{number}")), base=OLD)
        assert office.tell(failure() if number % 3 else deploy) > 0
        assert len(office.box.waiting) <= 10
    tries = len(office.there.asked)
    office.there.mode = "ok"
    while office.tell(nothing()):
        assert len(office.there.asked) < tries + 40

    assert tries < 200
    assert len(office.there.messages) <= 10
    assert sum("could not be delivered in time" in title for title in office.there.titles) == 1
    assert "well again" in office.there.titles[-1]
    assert not office.there.refused


def test_a_storm_of_pushes_is_a_message_or_two(office: Office) -> None:
    office.tell(success())
    teller = office.teller()
    for _ in range(60):
        teller.tell(office.run(success()), (), lambda _: WANTED)
        office.clock.sleep(1)

    assert len(office.there.messages) == 2
    assert office.there.titles[-1] == "caroline · core: 60 deploys, now 4f2c1ab"


def test_no_secret_is_in_any_body_or_line(office: Office) -> None:
    hook = office.there.address
    leak = Terminal("E-X", f"what {SECRET} {hook}", why=f"why {SECRET}", next=f"curl {hook}", unchanged=SECRET)
    office.there.once = ["500"]
    for result in (failure(), replace(failure(), outcome="halted"), success()):
        office.tell(replace(result, reason=f"r {SECRET}", log=(SECRET, hook), actor=SECRET, error=leak, held=""))
    kept = (office.state / NAME).read_bytes()

    for body in (*(asked.raw for asked in office.there.asked), kept, "\n".join(office.said).encode()):
        assert SECRET.encode() not in body
        assert b"webhook_token_that_nobody" not in body
        assert b"word" not in body


def test_the_fleet_of_a_bad_commit_does_not_silence_the_failure(office: Office) -> None:
    office.tell(success())

    def bad(_revision: str) -> Notifications:
        raise BadConfiguration("E-MANIFEST-KEY", "unknown key")

    result = replace(
        failure(), revision=OLD, plan=None, error=BadConfiguration("E-MANIFEST-KEY", "unknown key 'hsots'")
    )
    office.teller().tell(office.run(result), (), bad)

    assert len(office.there.messages) == 2


def run_of(result: Result) -> Run:
    return Run(
        result.run,
        "converge",
        "timer",
        NEW,
        OLD,
        1.0,
        9.0,
        result.outcome,
        result.exit_code,
        result.reason,
        "",
        "caroline",
    )


def test_a_run_that_died_before_it_could_tell_is_told_by_the_next_and_once(office: Office) -> None:
    office.tell(success())
    died = office.run(failure())
    office.tell(nothing(), (run_of(died),))
    office.tell(nothing(), (run_of(died),))

    told = [title for title in office.there.titles if "rolled back" in title]
    assert len(told) == 1
    (late,) = [m for m in office.there.messages.values() if m["embeds"][0]["title"] in told]
    assert "told late" in late["embeds"][0]["footer"]["text"]


def test_what_was_before_the_first_notice_is_nobodys_news(office: Office) -> None:
    old = run_of(office.run(failure()))
    office.tell(success(), (old,))

    assert len(office.there.messages) == 1


def test_a_pass_that_dies_at_any_point_of_telling_is_told_once_or_says_that_it_may_be_twice(office: Office) -> None:
    learning = Seam()
    office.tell(failure(), seam=learning)
    assert len(learning.trace) >= 8

    for point in range(len(learning.trace)):
        with discord() as there:
            other = Office(office.state.with_name(f"state-{point}"), there)
            died = other.run(failure())
            other.runs -= 1
            try:
                other.tell(failure(), seam=Seam(point))
            except Died:
                other.clock.sleep(900)
            since = replace(other.box, memory=replace(other.box.memory, since="run-0000"), wanted=WANTED, revision=NEW)
            FileOutbox(other.state).save(since)  # that of a host that told people before
            for _ in range(2):
                other.tell(replace(nothing(), held="blocked"), (run_of(died),))

            bodies = [m["embeds"][0] for m in there.messages.values()]
            assert len(bodies) in (1, 2), learning.trace[point]
            if len(bodies) == 2:
                assert "may have been told before" in bodies[1]["footer"]["text"], learning.trace[point]
            assert not other.box.waiting


def test_a_process_that_is_killed_between_outbox_and_delivery_is_told_by_the_next(office: Office) -> None:
    office.there.mode = "hang"
    script = """
        import sys; from pathlib import Path
        from tests.faults.test_notice_faults import Office, failure, WANTED
        from tests.support.discord import Discord
        office = Office(Path(sys.argv[1]), Discord(sys.argv[2]))
        office.teller().tell(office.run(failure()), (), lambda _: WANTED)
        """
    lines = "\n".join(line.strip() for line in script.strip().splitlines())
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen([sys.executable, "-c", lines, office.state, office.there.url], cwd=root)
    until(lambda: office.there.asked)
    child.send_signal(signal.SIGKILL)
    assert child.wait(30) == -signal.SIGKILL
    office.there.mode, office.runs = "ok", 1
    office.there.released.set()
    (letter,) = office.box.waiting
    assert letter.begun

    office.tell(replace(nothing(), held="blocked"))

    assert office.there.titles == ["caroline · core: failed, and rolled back"]
    assert not office.box.waiting


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB of its own (needs root)."""
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_on_a_full_disk_what_is_urgent_is_told_and_what_was_kept_is_whole(office: Office, small_disk: Path) -> None:
    office.state = small_disk
    office.tell(success())
    before = office.box
    with pytest.raises(OSError, match="No space"), open(small_disk / "filler", "wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)
    office.tell(failure())
    assert any("E-NOTICE-OUTBOX" in line for line in office.said)
    assert office.box == before
    assert office.there.titles[-1] == "caroline · core: failed, and rolled back"

    os.unlink(small_disk / "filler")
    assert office.tell(failure()) == 0


def test_a_damaged_outbox_is_begun_anew(office: Office) -> None:
    office.tell(success())
    durable.put(office.state / NAME, b"garbage")

    assert office.tell(failure()) == 0
    assert "rolled back" in office.there.titles[-1]


def test_a_long_pass_says_so_and_its_end_takes_that_place(office: Office) -> None:
    office.tell(success())
    for result, title in ((success(), "deployed 4f2c1ab"), (nothing(), "unchanged"), (failure(), "rolled back")):
        run, teller = office.run(result), office.teller()
        progress = Announced(Silent(), partial(teller.deploying, run.run), after=0.0)
        progress.phase("plan")
        count = len(office.there.messages)
        progress.phase("apply")
        until(partial(office.has_more_than, count))
        progress.close(5)
        assert office.there.titles[-1] == "caroline: deploying"
        assert list(office.there.messages.values())[-1]["flags"] == 4096
        teller.tell(run, (), lambda _: WANTED)
        assert title in office.there.titles[count]

    assert office.there.pings == ["<@&42>"]
    assert "deploying" not in " ".join(office.there.titles)


def test_what_a_pass_that_died_said_is_ended_by_the_next(office: Office) -> None:
    office.tell(success())
    office.teller().deploying("run-0002", "apply")
    office.runs = 2
    office.tell(nothing())

    assert office.there.titles[-1] == "caroline: a pass broke off"


def test_a_short_pass_and_one_that_only_looks_are_not_announced() -> None:
    said: list[str] = []
    short = Announced(Silent(), said.append, after=60)
    short.phase("apply")
    short.close(5)
    looking = Announced(Silent(), said.append, after=0)
    looking.phase("fetch")
    looking.phase("plan")
    looking.close(5)

    assert said == []
