"""Rows as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.swarm.bound import Bound
from bench.swarm.contest import Pass, Row
from bench.swarm.instance import Instance
from reconciler.model.build import Drone

_HEAD = ("", "exact", "error 35 %", "min..max", "drones lost", "min..max", "begun again", "cpu s")
_PASSES = ("built", "graph s", "rank s", "place s")


def contest_text(instance: Instance, drones: Sequence[Drone], lower: Bound, rows: Sequence[Row]) -> str:
    edges = sum(map(len, instance.graph.before.values()))
    title = (
        f"{instance.name}: {len(instance.jobs)} packages, {edges} edges, {len(drones)} drones;"
        f" longest chain {lower.chain:.0f} s, area {lower.area:.0f} s"
    )
    return "\n".join([title, *_aligned([_HEAD, *map(_cells, rows)])])


def passes_text(passes: Sequence[Pass]) -> str:
    title = f"one pass: {passes[0].name}, {passes[0].drones} drones; CPU seconds"
    cells = [(f"{p.done:.0%}", f"{p.graph:.2f}", f"{p.rank:.2f}", f"{p.place:.2f}") for p in passes]
    return "\n".join([title, *_aligned([_PASSES, *cells])])


def _cells(row: Row) -> tuple[str, ...]:
    repeated = str(row.repeated) if row.lost else "-"
    return (row.policy, f"{row.exact:.3f}", *_spread(row.noisy), *_spread(row.lost), repeated, f"{row.seconds:.0f}")


def _spread(values: Sequence[float]) -> tuple[str, str]:
    return (f"{median(values):.3f}", f"{min(values):.3f}..{max(values):.3f}") if values else ("-", "-")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
