"""`python -m bench.swarm`: see bench/README.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.swarm.bound import bound
from bench.swarm.contest import contest, passes
from bench.swarm.debian import NoIndex, write
from bench.swarm.graphs import layered, load, shipped
from bench.swarm.instance import EIGHT, FIFTY, FIVE, THREE, Instance, without_largest
from bench.swarm.tables import contest_text, passes_text
from reconciler.model.build import Drone

_NOTE = """Lower bound / makespan: 1 is perfect, and may be out of reach. exact: estimates are the truth; error: median
of all seeds, each estimate off by a lognormal factor; drones lost: the same, and two drones die for half an hour.
begun again: builds that were lost with their drone, of all seeds. cpu s: of all simulations of the row."""

_DEBIAN = (1000, 5000, 20000)


def main() -> None:
    options = _options()
    print(_NOTE, flush=True)
    for instance, drones, seeds, losses in _small(options.seeds, options.quick):
        _show(instance, drones, seeds, losses)
    if not options.quick:
        _large(options)
    big = layered(20_000, 30)
    for drones in (FIVE, FIFTY):
        print("\n" + passes_text(list(passes(big, drones))), flush=True)


def _small(seeds: int, quick: bool) -> Iterator[tuple[Instance, Sequence[Drone], int, bool]]:
    for name in ("base", "server"):
        yield shipped(name), EIGHT, seeds, True
        yield without_largest(shipped(name)), EIGHT, seeds, True
    yield without_largest(shipped("server")), THREE, min(seeds, 5), False
    for drones in (FIVE, FIFTY):
        yield layered(200 if quick else 1000, 10), drones, min(seeds, 3), False


def _large(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            files = write(options.folder or Path(folder), options.debian)
        except NoIndex as error:
            print(f"no graphs of Debian: {error}", file=sys.stderr)
            return
        for file in files:
            instance = load(file, file.stem)
            for drones in (FIVE, FIFTY):
                _show(instance, drones, 3 if len(instance.jobs) < 2000 else 1, losses=False)


def _show(instance: Instance, drones: Sequence[Drone], seeds: int, losses: bool) -> None:
    rows = list(contest(instance, drones, seeds, losses))
    print("\n" + contest_text(instance, drones, bound(instance, drones), rows), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.swarm", description="How well packages are placed on drones."
    )
    parser.add_argument("--seeds", type=int, default=20, help="different errors of the estimates")
    parser.add_argument("--quick", action="store_true", help="small graphs only, nothing is fetched")
    parser.add_argument(
        "--debian", type=int, nargs="*", default=_DEBIAN, metavar="N", help="packages of Debian's graphs"
    )
    parser.add_argument("--folder", type=Path, help="where the graphs of Debian are kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
