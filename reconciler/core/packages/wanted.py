"""What the manifests want of the build swarm, as one host of the fleet sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconciler.core.manifest.nearest import near
from reconciler.core.packages.sets import load_sets
from reconciler.errors import ReconcilerError
from reconciler.model.fleet import Fleet, Host
from reconciler.model.sets import Packages, PackageSet
from reconciler.ports import Tree


@dataclass(frozen=True, slots=True)
class Wanted:
    packages: Packages
    warnings: tuple[str, ...] = ()
    problems: tuple[ReconcilerError, ...] = ()


def packages_of(tree: Tree, manifests: str, fleet: Fleet, host: Host) -> Wanted:
    """Every set of the manifests; which host hands them over is for its own file to say, and for its site to advise."""
    sets, problems = load_sets(tree, manifests)
    by_site = dict(fleet.orchestrators)
    near_by = by_site.get(dict(host.labels).get("site", ""), by_site.get("", ""))
    packages = Packages(sets, fleet.binhost, near_by, elsewhere=bool(by_site) and not near_by)
    return Wanted(packages, tuple(_unbuilt(sets, fleet.profiles)), problems)


def _unbuilt(sets: Iterable[PackageSet], profiles: tuple[str, ...]) -> Iterator[str]:
    """A fleet that lists no drones does not say what they build for."""
    for each in sets:
        if profiles and each.profile not in profiles:
            known = ", ".join(sorted(profiles))
            hint = near(each.profile, list(profiles))
            yield f"{each.file}: no drone of the fleet builds for {each.profile} (they build for {known}{hint})"


def packages_at(tree: Tree, manifests: str, host: str) -> Packages | None:
    """The same of a revision that was loaded before; None when it has no sets, or they are no good."""
    from reconciler.core.fleet_file import fleet_of

    try:
        fleet = fleet_of(tree, manifests)
    except ReconcilerError:
        return None
    found = next((each for each in fleet.hosts if each.name == host), None)
    wanted = packages_of(tree, manifests, fleet, found) if found else None
    return None if wanted is None or wanted.problems or not wanted.packages.sets else wanted.packages
