"""Samples as tables for people, and as one JSON document for records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import median

from bench.contest import REMEMBERED, SCENARIOS, Sample
from bench.watch import Mark

_HEAD = (
    "",
    "",
    "runs",
    "wall s",
    "min..max",
    "cpu s",
    "dockerd s",
    "shims s",
    "peak MB",
    "needless",
    "missed",
    "events",
)


def machine_line(machine: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in machine.items())


def text(samples: Sequence[Sample]) -> str:
    """One table for each layout: medians, and how far the wall times spread."""
    blocks = []
    for layout in dict.fromkeys(sample.layout for sample in samples):
        services, _, stacks = layout.partition("/")
        rows = [_HEAD, *_rows([sample for sample in samples if sample.layout == layout])]
        blocks.append("\n".join([f"{services} services, {stacks or 1} stacks", *_aligned(rows)]))
    return "\n\n".join(blocks)


def watch_text(marks: Sequence[Mark]) -> str:
    lines = [f"{m.passes:>5} passes  {m.cpu * 1000:6.1f} ms cpu each  {m.memory / 1e6:4.0f} MB resident" for m in marks]
    return "\n".join([f"watch, nothing to do, {marks[0].layout} services", *lines])


def document(samples: Sequence[Sample], marks: Sequence[Mark], machine: Mapping[str, object]) -> str:
    rows, watch = [asdict(sample) for sample in samples], [asdict(mark) for mark in marks]
    return json.dumps({"machine": machine, "samples": rows, "watch": watch}, indent=1)


def _rows(samples: Sequence[Sample]) -> Iterator[tuple[str, ...]]:
    for scenario in SCENARIOS:
        named = scenario
        for peer in dict.fromkeys(sample.peer for sample in samples):
            mine = [s for s in samples if (s.scenario, s.peer) == (scenario, peer)]
            if mine:
                yield named, peer, *_numbers(mine)
                named = ""


def _numbers(samples: Sequence[Sample]) -> tuple[str, ...]:
    walls = [s.cost.wall for s in samples]
    return (
        str(len(samples)),
        f"{median(walls):.2f}",
        f"{min(walls):.2f}..{max(walls):.2f}",
        f"{median(s.cost.cpu for s in samples):.2f}",
        f"{median(s.cost.daemon for s in samples):.2f}",
        f"{median(s.cost.shims for s in samples):.2f}",
        f"{median(s.cost.memory for s in samples) / 1e6:.0f}",
        str(max(s.needless for s in samples)),
        str(max(s.missed for s in samples)),
        _events(median(s.events for s in samples)),
    )


def _events(count: float) -> str:
    return f"{count:.0f}" if count < REMEMBERED else f"{REMEMBERED}+"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Names to the left, numbers to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEAD))]
    for row in rows:
        cells = [
            f"{cell:<{width}}" if n < 2 else f"{cell:>{width}}"
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
