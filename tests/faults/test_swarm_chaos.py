"""SIGKILL for orchestrator, drones and `emerge`, at random: nothing is lost or stored twice, and all ends as ever.

Real processes, files and HTTP throughout; emerge alone is a script that is done in a moment.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Tell
from tests.support.chaos import KINDS, Ran, Wanted, layered, run

RUNS = int(os.environ.get("RECONCILER_CHAOS", "0"))
"""Of 200 packages each; 0 for one run of 40."""

PACKAGES = 200 if RUNS else 40
EVERY = {"orchestrator": 20, "drone": 10, "emerge": 8} if RUNS else {"orchestrator": 12, "drone": 8, "emerge": 8}
"""Builds between two deaths."""

PATIENCE = 1800 if RUNS else 240
BESIDE = 3
"""Swarms at a time: most of a run is waiting."""


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """No power fails here, so that nothing has to be on a real disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.timeout(max(1, RUNS) * 300)
def test_whatever_is_killed_and_when_all_is_built_and_stored_once(in_memory: Path, tell: Tell) -> None:
    wanted = layered(PACKAGES, random.Random(7))

    def begin(seed: int | None) -> Ran:
        ran = run(in_memory / f"run-{seed}", wanted, seed, EVERY, PATIENCE)
        print(f"seed {seed}: {ran.told}", flush=True)
        return ran

    seeds = range(1, max(1, RUNS) + 1)
    with ThreadPoolExecutor(BESIDE) as pool:
        undisturbed, *disturbed = pool.map(begin, (None, *seeds))

    insist_on_all(undisturbed, wanted)
    for seed, ran in zip(seeds, disturbed, strict=True):
        tell(f"swarm, deaths of seed {seed}: {ran.told}")
        assert ran.ending == undisturbed.ending, f"seed {seed}"
        assert min(ran.killed[kind] for kind in KINDS) >= 1, f"seed {seed}"


def insist_on_all(ran: Ran, wanted: Wanted) -> None:
    assert ran.ending["requests"] == ["complete"]
    assert [each[:2] for each in ran.ending["builds"]] == [(cpv, "succeeded") for cpv in sorted(wanted.needs)]
    assert [each[0] for each in ran.ending["stored"]] == sorted(wanted.needs)
