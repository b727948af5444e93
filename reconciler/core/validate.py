"""Manifests checked for every host of their fleet, without any of the hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import filterfalse

from reconciler.core.assemble import HostSide, assemble_for
from reconciler.core.compose.problems import LacksHostValue
from reconciler.core.fleet_file import fleet_of
from reconciler.core.guard import twice
from reconciler.errors import Position, ReconcilerError
from reconciler.model.fleet import Fleet, Host
from reconciler.ports import Tree

_OF_A_KEY = ("E-COMPOSE-KEY", "E-COMPOSE-UNSUPPORTED")


_STAND_IN = Host("any", "local", "/checkout")
"""The host for which stacks are checked while the fleet file cannot be read."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`hosts`: the stacks of each host by name. `problems`: in the order of files and lines.

    `sets`: what each package set that is well asks for.
    """

    hosts: Mapping[str, tuple[str, ...]]
    problems: tuple[ReconcilerError, ...]
    warnings: tuple[str, ...]
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def validate_tree(
    tree: Tree, manifests: str, environment: Callable[[str], Mapping[str, bytes]], *, with_host_files: bool
) -> Checked:
    """Every problem once. What lacks only a host's own file is a warning."""
    hosts: dict[str, tuple[str, ...]] = {}
    warnings: dict[str, None] = {}
    found: list[ReconcilerError] = []
    fleet = Fleet((_STAND_IN,))
    sets: dict[str, tuple[str, ...]] = {}
    try:
        fleet = fleet_of(tree, manifests)
    except ReconcilerError as error:
        found += error.each
    known = not found
    for host in fleet.hosts:
        if host.connect != "local":
            warnings[f"host {host.name}: reached by {host.connect}, which this version does not do yet"] = None
        side = HostSide(host.name, environment, lambda stack: f"<config>/env/{stack}")
        made = assemble_for(tree, manifests, side, fleet, host, revision="0" * 40, owner="", checking=True)
        if known:
            hosts[host.name] = tuple(stack.name for stack in made.desired.stacks)
        warnings |= dict.fromkeys(made.warnings)
        if wanted := made.desired.packages:
            sets = {each.name: tuple(map(str, each.atoms)) for each in wanted.sets}
        found += [problem for problem in made.problems if known or problem.code != "E-MANIFEST-HOST"]
        if known and not any(problem.code == "E-MANIFEST-TWICE" for problem in made.problems):
            found += twice(made.desired)

    def forgivable(problem: ReconcilerError) -> bool:
        return isinstance(problem, LacksHostValue) and not with_host_files

    warnings |= {f"{problem} (a host may have it)": None for problem in filter(forgivable, found)}
    return Checked(hosts, tuple(_once(filterfalse(forgivable, found))), tuple(warnings), sets)


def _once(problems: Iterable[ReconcilerError]) -> list[ReconcilerError]:
    """By file and line. One key is wrong once, however many services get it by `extends`."""
    unique: dict[object, ReconcilerError] = {}
    for problem in problems:
        by_place = problem.at and problem.code in _OF_A_KEY
        unique.setdefault((problem.code, problem.at) if by_place else f"{problem}", problem)
    return sorted(unique.values(), key=lambda each: each.at or Position(""))
