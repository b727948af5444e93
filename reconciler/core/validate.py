"""Manifests checked for every host of their fleet, without any of the hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.core.assemble import HostSide, assemble, fleet_of
from reconciler.core.compose.problems import LacksHostValue
from reconciler.errors import ReconcilerError
from reconciler.ports import Tree


@dataclass(frozen=True, slots=True)
class Checked:
    """`hosts`: the stacks of each host by name. `sets`: what each package set that is well asks for."""

    hosts: Mapping[str, tuple[str, ...]]
    problems: tuple[ReconcilerError, ...]
    warnings: tuple[str, ...]
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def validate_tree(
    tree: Tree, manifests: str, environment: Callable[[str], Mapping[str, bytes]], *, with_host_files: bool
) -> Checked:
    """Every problem once, in the order of hosts and stacks. What lacks only a host's own file is a warning."""
    hosts: dict[str, tuple[str, ...]] = {}
    problems: dict[str, ReconcilerError] = {}
    warnings: dict[str, None] = {}
    sets: dict[str, tuple[str, ...]] = {}
    try:
        fleet = fleet_of(tree, manifests)
    except ReconcilerError as error:
        return Checked({}, (error,), ())
    for host in fleet.hosts:
        if host.connect != "local":
            warnings[f"host {host.name}: reached by {host.connect}, which this version does not do yet"] = None
        side = HostSide(host.name, environment, lambda stack: f"<config>/env/{stack}")
        made = assemble(tree, manifests, side, revision="0" * 40, owner="", checking=True)
        hosts[host.name] = tuple(stack.name for stack in made.desired.stacks)
        warnings |= dict.fromkeys(made.warnings)
        if wanted := made.desired.packages:
            sets = {each.name: tuple(map(str, each.atoms)) for each in wanted.sets}
        for problem in made.problems:
            if isinstance(problem, LacksHostValue) and not with_host_files:
                warnings[f"{problem} (a host may have it)"] = None
            else:
                problems.setdefault(f"{problem}", problem)
    return Checked(hosts, tuple(problems.values()), tuple(warnings), sets)
