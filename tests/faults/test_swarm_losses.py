"""What a restarted orchestrator could not mend is told: in its log, and where people ask how the swarm is."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.serving import eventually, listing, orchestrator_at


def test_a_damaged_engine_and_a_damaged_index_are_told(tmp_path: Path) -> None:
    with orchestrator_at(tmp_path) as swarm:
        tau = swarm.drone()
        swarm.submit(listing("app-misc/foo-1.0"))
        tau.build(tau.take())
        eventually(lambda: swarm.get("/api/packages").data["packages"], "it is stored")
        tau.leave()
        swarm.stop()
        for name in ("engine.db", "binhost/default/Packages", "binhost/default/Packages.gz"):
            (swarm.state / name).write_bytes(b"what it is not" * 100)

        swarm.start()

        (trouble,) = swarm.get("/api/status").data["trouble"]
        assert trouble.startswith("the engine had to be begun anew, and drones to be enrolled: ")
        swarm.stop()
        assert "the index of default was broken and is made again" in "".join(swarm.said)


def test_an_engine_that_is_cut_to_nothing_is_begun_anew_by_who_runs(tmp_path: Path) -> None:
    with orchestrator_at(tmp_path) as swarm:
        tau = swarm.drone()
        (id,) = (each["build"] for each in swarm.submit(listing("app-misc/foo-1.0"))["accepted"])
        tau.take()
        tau.leave()

        os.truncate(swarm.state / "engine.db", 0)

        eventually(lambda: swarm.get("/api/status").data["trouble"], "it is told")
        (trouble,) = swarm.get("/api/status").data["trouble"]
        assert trouble.startswith("the engine had to be begun anew, and drones to be enrolled: ")
        tau = swarm.drone()
        tau.build(tau.take())
        eventually(lambda: swarm.get(f"/api/builds/{id}").data["build"]["state"] == "succeeded", "it is built")
        tau.leave()
