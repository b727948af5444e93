"""What is blocked is deployed by no door, after no restart and no loss of the ledger (I3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from reconciler.adapters.signals import SentinelSignals
from tests.support.crash import CrashHost
from tests.support.crash_scenarios import BAD
from tests.support.crash_stacks import APP, BEFORE, EXTRA, app
from tests.support.seam import Seam

IMAGE = "box/web:1"


@dataclass
class Held:
    """A host on which something is blocked, and what must never run there."""

    host: CrashHost
    good: str
    bad: str
    image: str

    @property
    def signals(self) -> SentinelSignals:
        return SentinelSignals(self.host.state / "sentinels")

    def look(self, point: str) -> None:
        made = [c.name for c in self.host.engine.containers() if self.image in (c.image, c.image_id)]
        assert not made, f"{made} is there, {point}"

    @property
    def seam(self) -> Seam:
        return Seam(look=self.look)


def by_its_name(host: CrashHost) -> Held:
    return _failed(host, tree=False, desired=False)


def by_its_files(host: CrashHost) -> Held:
    """Amended: another commit with the same tree."""
    held = _failed(host, tree=True, desired=False)
    host.remote.force(held.good)
    host.remote.commit(BAD, "the same in other words")
    return held


def by_what_it_wants(host: CrashHost) -> Held:
    """Documentation on top of it: another tree that wants the same of the host."""
    held = _failed(host, tree=False, desired=True)
    host.remote.commit({"README.md": "words"})
    return held


def by_its_image(host: CrashHost) -> Held:
    """Somebody moved a tag to an image that does not start."""
    good = host.commit(BEFORE)
    host.converge()
    image = host.engine.moves(IMAGE)
    host.engine.refuses.add(image)
    assert host.converge().outcome == "rolled-back"
    return Held(host, good, good, image)


def _failed(host: CrashHost, *, tree: bool, desired: bool) -> Held:
    good = host.commit(BEFORE)
    host.converge()
    bad = host.commit(BAD)
    assert host.converge().outcome == "rolled-back"
    held = Held(host, good, bad, "box/bad:1")
    (block,) = held.signals.blocks()
    assert block.tree and block.desired
    held.signals.block(replace(block, tree=block.tree if tree else "", desired=block.desired if desired else ""))
    return held


def converges(held: Held) -> None:
    held.host.converge(held.seam)


def deploys_the_head(held: Held) -> None:
    result = held.host.take("deploy", held.host.remote.head, held.seam)
    if held.bad != held.good:
        assert result.error and result.error.code == "E-BLOCKED"


def rolls_back_to_it(held: Held) -> None:
    held.host.converge(held.seam)  # it knows the commit by now
    result = held.host.take("rollback", held.host.remote.head, held.seam)
    if held.bad != held.good:
        assert result.error and result.error.code == "E-BLOCKED"


def heals_drift(held: Held) -> None:
    held.host.engine.stop(held.host.engine.by_name()["app-web-1"].id, None)
    held.host.converge(held.seam)
    assert held.host.engine.by_name()["app-web-1"].running


DOORS = (converges, deploys_the_head, rolls_back_to_it, heals_drift)


def nothing(_held: Held) -> None:
    """Just the next process."""


def a_reboot(held: Held) -> None:
    held.host.engine.reboot()
    held.host.clock.booted = "the next boot"


def a_loss_of_the_ledger(held: Held) -> None:
    for file in held.host.state.glob("ledger.db*"):
        file.unlink()


def a_ledger_of_zeros(held: Held) -> None:
    a_loss_of_the_ledger(held)
    (held.host.state / "ledger.db").write_bytes(bytes(8192))


AFTER = (nothing, a_reboot, a_loss_of_the_ledger, a_ledger_of_zeros)
KINDS = (by_its_name, by_its_files, by_what_it_wants, by_its_image)


@pytest.mark.parametrize("after", AFTER, ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", KINDS, ids=lambda f: f.__name__)
def test_what_is_blocked_is_deployed_by_no_door(
    host: CrashHost, kind: Callable[[CrashHost], Held], after: Callable[[Held], None]
) -> None:
    held = kind(host)
    begin = host.save()
    for door in DOORS:
        host.restore(begin)
        after(held)
        for _ in range(2):
            door(held)
        held.look(f"after {door.__name__}")
        assert held.signals.stamp() == held.good
        assert held.signals.blocked(), "the block is gone"


@pytest.mark.parametrize("kind", KINDS[:3], ids=lambda f: f.__name__)
def test_once_it_is_cleared_it_is_tried_again(host: CrashHost, kind: Callable[[CrashHost], Held]) -> None:
    """The doors above were shut by the block, and by nothing else."""
    held = kind(host)
    host.engine.behaviour.pop("box/bad:1")  # good now
    held.signals.clear(held.bad)

    assert host.converge().outcome == "succeeded"
    assert held.signals.stamp() == host.remote.head


def test_a_newer_revision_that_wants_something_else_is_deployed_and_ends_the_block(host: CrashHost) -> None:
    held = by_what_it_wants(host)
    newer = host.commit({APP: app(web="box/web:3", more=EXTRA)})

    assert host.converge(held.seam).outcome == "succeeded"

    assert held.signals.stamp() == newer and not held.signals.blocked()
