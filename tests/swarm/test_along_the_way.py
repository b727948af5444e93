"""What a drone had to build for a package, because the binhost did not have it, is stored with it."""

from __future__ import annotations

from pathlib import Path

from reconciler.model.swarm import Outcome
from tests.support.binhost import artifact, upload
from tests.support.orchestrated import PROFILE, Swarm


def test_what_was_built_along_the_way_is_stored_with_what_was_asked_for(tmp_path: Path) -> None:
    swarm = Swarm(tmp_path)
    drone = swarm.drone("tau")
    swarm.submit({"app-misc/foo-1": []})
    swarm.tick()
    offer = drone.take()
    assert offer is not None
    needed = upload(swarm.binhost, (offer.build, offer.attempt), artifact("dev-libs/liba-1", b"liba"), b"liba")
    made = (needed, *drone.upload(offer))

    drone.link.finish(offer, Outcome(offer.build, offer.attempt, "tau", "succeeded", 5.0, artifacts=made))
    swarm.tick()

    build = swarm.build_of("app-misc/foo-1")
    assert (build.state, build.stored) == ("succeeded", "app-misc/foo/foo-1-1.gpkg.tar")
    assert {each.package.cpv for each in swarm.binhost.index(PROFILE)} == {"app-misc/foo-1", "dev-libs/liba-1"}
    assert swarm.binhost.staged() == []
    swarm.close()
