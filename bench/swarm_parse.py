"""`python -m bench.swarm_parse`: how long it takes to read what emerge printed, and what somebody prints to do harm.

The long lists are made of the entries of the real samples, again and again. The best of several readings is told: what
else the machine does can only add to it.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

from reconciler.core.packages.atoms import read_atoms
from reconciler.swarm.emerge.output import read_listing
from reconciler.swarm.submitted import form_of

SAMPLES = Path(__file__).resolve().parents[1] / "tests/swarm/samples"
MEGABYTES = 10_000_000


def entries(*samples: str) -> Iterator[str]:
    """The lines of these samples that are entries, without end."""
    lines = (line for sample in samples for line in (SAMPLES / f"{sample}.txt").read_text().split("\n"))
    return cycle([line for line in lines if re.match(r"\[(ebuild|binary|.\[3)|[ I][ N][ R]   [^ ]|    U  ", line)])


def texts(count: int) -> Iterator[tuple[str, Callable[[str], object], str]]:
    def several(*samples: str) -> str:
        return "\n".join(islice(entries(*samples), count))

    entry = "[ebuild  N     ] "
    yield (
        f"{count} entries, -pv",
        read_listing,
        several("01-pv-new", "48-world-subslot-rebuild", "b1-getbinpkgonly-pretend"),
    )
    yield f"{count} entries, --tree", read_listing, several("05-pv-new-tree", "44-world-update-tree")
    yield f"{count} entries, in colour", read_listing, several("45-world-update-color-y", "r10-colour-tree")
    yield f"{count} entries, --columns --quiet", read_listing, several("08-p-columns-quiet", "r03-columns-quiet-update")
    yield (
        f"{count} atoms",
        read_atoms,
        "\n".join(f">=app-misc/foo{at}-1.{at}:0/2::gentoo[doc,-ssl]  # {at}" for at in range(count)),
    )
    yield "10 MB: one line of [", read_listing, "[" * MEGABYTES
    yield "10 MB: one line of [ebuild", read_listing, "[ebuild " * (MEGABYTES // 8)
    yield "10 MB: one entry, blanks", read_listing, entry + " " * MEGABYTES + "a/b-1"
    yield "10 MB: one word", form_of, "a" * MEGABYTES + "[ebuild  N     ] a/b-1"
    yield "10 MB: escapes without end", read_listing, "\x1b[" * (MEGABYTES // 2)
    yield "10 MB: indented ever deeper", read_listing, "\n".join(f"{entry}{' ' * at}a/b{at}-1" for at in range(4400))
    yield "1 MB: entries with a thousand brackets", read_listing, f"{entry}a/b-1 {'[' * 1000}{']' * 1000}\n" * 500
    yield "1 MB: lines that are no entries", read_listing, f"{entry}a/b\n" * (MEGABYTES // 210)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.swarm_parse", description=__doc__)
    parser.add_argument("--entries", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for name, read, text in texts(options.entries):
        walls, cpus = zip(*(timed(read, text) for _ in range(options.rounds)), strict=True)
        rows.append({"text": name, "bytes": len(text), "wall": min(walls), "cpu": min(cpus)})
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'':42}{'MB':>8}{'wall s':>9}{'cpu s':>9}")
    for row in rows:
        print(f"{row['text']:42}{row['bytes'] / 1e6:8.2f}{row['wall']:9.3f}{row['cpu']:9.3f}")


def timed(read: Callable[[str], object], text: str) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    read(text)
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
