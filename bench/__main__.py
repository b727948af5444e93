"""`python -m bench`: see bench/README.md."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from bench.contest import Contest, Rounds, Sample
from bench.fleet import Layout
from bench.measure import machine
from bench.peers import PEERS
from bench.table import document, machine_line, text, watch_text
from bench.watch import Mark
from tests.support.engine import private_engine

_NOTE = """Medians; times in seconds. cpu: of the command and all it starts; dockerd: with containerd; shims: with runc.
needless: services that moved without need, missed: that should have moved and did not (the most of any run);
events: what Docker says was changed. The verify window is 0s: nobody waits to see whether a container stays up."""


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(143))  # the engine goes, however this ends
    samples: list[Sample] = []
    marks: list[Mark] = []
    engine = private_engine()
    try:
        folder = engine.folder / "bench"  # goes with the engine
        folder.mkdir()
        about = machine(engine.cli("version", "--format", "{{.Server.Version}}"))
        for layout in options.layouts:
            begun = time.monotonic()
            contest = Contest(engine, folder, layout, options.peers)
            samples += contest.run(options.rounds)
            if options.watch and layout == max(options.layouts):
                marks += contest.watched()
            print(f"{layout}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
        about["load at end"] = machine("")["load"]
    finally:
        engine.down()
    if options.json:
        print(document(samples, marks, about))
        return
    tables = [text(samples), *([watch_text(marks)] if marks else [])]
    print("\n\n".join([machine_line(about), *tables, _NOTE]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="What a pass costs, beside a floor and a peer."
    )
    parser.add_argument(
        "layouts", nargs="*", type=Layout.parse, default=[Layout(10), Layout(100)], metavar="N[/STACKS]"
    )
    parser.add_argument(
        "--peers", nargs="*", choices=[name for name in PEERS if name != "reconciler"], default=["floor", "compose"]
    )
    parser.add_argument("--rounds", type=int, default=3, help="cold converges of each peer")
    parser.add_argument("--each", type=int, default=2, help="passes of every other scenario in a round")
    parser.add_argument(
        "--watch", action="store_true", help="a thousand passes of a watcher, too, on the largest fleet"
    )
    parser.add_argument("--json", action="store_true", help="every sample, for records")
    options = parser.parse_args()
    options.peers = ["reconciler", *options.peers]
    options.rounds = Rounds(options.rounds, options.each)
    return options


if __name__ == "__main__":
    main()
