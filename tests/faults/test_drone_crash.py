"""A drone that dies before or after each of its effects, and its next start: one outcome, and what it tells of."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from reconciler.adapters.swarm.drone_memory import TakenFile
from reconciler.model.swarm import Outcome, Result
from reconciler.swarm.drone.at_work import DroneRules, Surroundings
from reconciler.swarm.drone.builder import Builder
from reconciler.swarm.drone.loop import Drone
from tests.conftest import Tell
from tests.support.clock import FakeClock
from tests.support.seam import Died, Seam
from tests.swarm.test_drone_loop import OFFER, Hands, Link, Up


class FinishingLink(Link):
    EFFECTS: ClassVar[tuple[str, ...]] = ("finish",)


class Uploads(Up):
    EFFECTS: ClassVar[tuple[str, ...]] = ("upload",)


class Site:
    """What outlives the drone: the engine's end, what was uploaded, and the folder."""

    def __init__(self, folder: Path) -> None:
        self.link, self.up, self.folder = FinishingLink([OFFER]), Uploads(), folder

    def start(self, boot: str, seam: Seam) -> bool:
        """Whether it came to its end; it stops by itself once nothing is left to do."""
        hands = Hands(self.folder)
        world = Surroundings(
            link=seam.wrap("link", self.link),
            uplink=seam.wrap("uplink", self.up),
            builder=seam.wrap("builder", hands),
            memory=seam.wrap("memory", TakenFile(self.folder)),
            clock=FakeClock(),
            load=lambda: 0.0,
            say=lambda _: None,
        )
        assert hands.EFFECTS == Builder.EFFECTS
        drone = Drone(DroneRules("tau", "amd64", 1, 1 << 30, heartbeat=3, patience=0.01), boot, world)
        self.link.idle = drone.stopping.ask
        try:
            drone.run()
        except Died:
            return False
        return True


@pytest.mark.parametrize("built", ["succeeded", "failed"])
def test_wherever_it_dies_its_next_start_ends_what_it_began(built: Result, tmp_path: Path, tell: Tell) -> None:
    for point in range(200):
        folder = tmp_path / f"{built}-{point}"
        folder.mkdir()
        site = Site(folder)
        if built == "failed":
            (folder / "fail").touch()
        ended = site.start("boot-1", Seam(point))
        if not ended:
            assert site.start("boot-2", Seam())
        outcomes = site.link.outcomes

        assert outcomes, point
        assert told_and_there(outcomes[0], site.up.uploads), point
        assert len({each.result for each in outcomes}) == 1, "the first one counts, and no other says otherwise"
        assert TakenFile(folder).taken() is None
        if ended:
            tell(f"drone: died at {point} points of a build that {built}")
            return
    raise AssertionError("it never came to its end")


def told_and_there(outcome: Outcome, uploads: list[str]) -> bool:
    return outcome.result != "succeeded" or all(each.path in uploads for each in outcome.artifacts)
