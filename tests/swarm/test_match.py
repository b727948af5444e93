"""Atoms and the packages that they mean, as Portage has it; and what of a binhost has had its day."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from reconciler.core.packages.atoms import read_atom
from reconciler.core.packages.match import matches
from reconciler.core.packages.version import split_cpv
from reconciler.model.package import Package
from reconciler.model.queue import Stored
from reconciler.model.swarm import Request
from reconciler.swarm.binhost.retention import Retention, superseded, wanted_by_sets

HAS = Package("dev-libs", "liba", "1.10_p2-r3", "0/2", "gentoo", ("-debug", "nls"))

ATOMS = (
    *(
        "dev-libs/liba",
        "dev-libs/libb",
        "=dev-libs/liba-1.10_p2-r3",
        "=dev-libs/liba-1.10_p2",
        "~dev-libs/liba-1.10_p2",
    ),
    *(
        "~dev-libs/liba-1.10_p3",
        "=dev-libs/liba-1*",
        "=dev-libs/liba-1.1*",
        "=dev-libs/liba-1.10*",
        "=dev-libs/liba-01*",
    ),
    *("=dev-libs/liba-1.10_p*", "=dev-libs/liba-1.10_p2-r3*", ">dev-libs/liba-1.9"),
    *(">=dev-libs/liba-1.10_p2-r3", ">dev-libs/liba-1.10_p2-r3", "<dev-libs/liba-1.11", "<=dev-libs/liba-1.10"),
    *("dev-libs/liba:0", "dev-libs/liba:0/2", "dev-libs/liba:0/1", "dev-libs/liba:2", "dev-libs/liba::gentoo"),
    *("dev-libs/liba::overlay", "dev-libs/liba[nls]", "dev-libs/liba[-nls]", "dev-libs/liba[-debug]"),
    *("dev-libs/liba[debug]", "dev-libs/liba[gone(+)]", "dev-libs/liba[gone(-)]", "dev-libs/liba[-gone(+)]"),
    *("dev-libs/liba[-gone(-)]", "dev-libs/liba[nls,-debug]", "dev-libs/liba[nls,debug]", "dev-libs/liba[nls(-)]"),
)

PORTAGE = """
import json, sys
from portage.dep import match_from_list
from portage.versions import _pkg_str

class Use:
    enabled = frozenset(["nls"])

class Iuse:
    all = frozenset(["nls", "debug"])
    def is_valid_flag(self, flags):
        flags = [flags] if isinstance(flags, str) else flags
        return all(flag in self.all for flag in flags)
    def get_real_flag(self, flag):
        return flag if flag in self.all else None
    def get_missing_iuse(self, flags):
        return [flag for flag in flags if flag not in self.all]
    alias_mapping = {}

cpv = _pkg_str("dev-libs/liba-1.10_p2-r3", slot="0/2", repo="gentoo")
class Pkg(str):
    pass
pkg = Pkg(cpv)
for name in ("cp", "slot", "sub_slot", "repo", "version", "cpv_split", "build_id", "revision"):
    setattr(pkg, name, getattr(cpv, name, None))
pkg.cpv, pkg.use, pkg.iuse, pkg.built, pkg.__class__.__eq__ = cpv, Use, Iuse(), True, str.__eq__
pkg.__class__.__hash__ = str.__hash__
print(json.dumps([bool(match_from_list(atom, [pkg])) for atom in json.load(sys.stdin)]))
"""


def test_atoms_mean_what_portage_says_they_mean() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PORTAGE], input=json.dumps(ATOMS), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    theirs = dict(zip(ATOMS, json.loads(done.stdout), strict=True))

    assert {atom: matches(read_atom(atom), HAS) for atom in ATOMS} == theirs
    assert 10 < sum(theirs.values()) < len(ATOMS) - 10


def test_without_an_operator_a_version_is_no_other() -> None:
    assert matches(read_atom("dev-libs/liba-1.0"), replace(HAS, version="1.0-r0"))
    assert not matches(read_atom("dev-libs/liba-1.0"), replace(HAS, version="1.0-r1"))


# ---- what has had its day


def on_the_shelf(cpv: str, number: int = 1, *, use: tuple[str, ...] = (), slot: str = "0", built: float = 0) -> Stored:
    parts = split_cpv(cpv)
    assert parts is not None
    return Stored(Package(*parts, slot, "gentoo", use), f"{cpv}-{number}.gpkg.tar", number, built=built or number)


def gone(packages: list[Stored], retention: Retention) -> set[str]:
    return {each.path for each, _ in superseded(packages, retention)}


def test_the_newest_builds_of_each_set_of_flags_stay() -> None:
    plain = [on_the_shelf("a/b-1", number) for number in (1, 2, 3)]
    fancy = [on_the_shelf("a/b-1", number, use=("x",)) for number in (4, 5)]

    assert gone([*plain, *fancy], Retention(builds=2)) == {"a/b-1-1.gpkg.tar"}
    assert gone([*plain, *fancy], Retention(builds=1)) == {f"a/b-1-{n}.gpkg.tar" for n in (1, 2, 4)}
    assert gone([*plain, *fancy], Retention(builds=0)) == set()


def test_what_was_built_last_stays_whatever_its_number() -> None:
    assert gone([on_the_shelf("a/b-1", 1, built=9), on_the_shelf("a/b-1", 2, built=5)], Retention(builds=1)) == {
        "a/b-1-2.gpkg.tar"
    }


def test_the_greatest_versions_of_each_slot_stay() -> None:
    packages = [on_the_shelf(f"a/b-{version}") for version in ("1.9", "1.10", "1.11_rc1", "1.11")]
    packages += [on_the_shelf("a/b-0.1", slot="old/7"), on_the_shelf("a/c-1")]

    assert gone(packages, Retention(versions=2)) == {"a/b-1.9-1.gpkg.tar", "a/b-1.10-1.gpkg.tar"}


def test_what_a_set_wants_stays_though_newer_is_there() -> None:
    packages = [on_the_shelf(f"a/b-{version}") for version in ("1", "2", "3", "4")]
    wanted = (read_atom("<a/b-3"), read_atom("a/b"))

    assert gone(packages, Retention(versions=1, wanted=wanted)) == {"a/b-1-1.gpkg.tar", "a/b-3-1.gpkg.tar"}


def test_what_sets_asked_for_last_is_wanted() -> None:
    def request(id: str, origin: str, *atoms: str, profile: str = "amd64") -> Request:
        return Request(id, id, origin, "ana", profile, 0.0, atoms)

    newest_first = [
        request("r5", "emerge", "a/no-1"),
        request("r4", "set:web", "a/b", "=a/c-1"),
        request("r3", "set:desk", "a/d", "no atom at all"),
        request("r2", "set:web", "a/gone"),
        request("r1", "set:desk", "a/other", profile="musl"),
    ]

    assert [str(atom) for atom in wanted_by_sets(newest_first, "amd64")] == ["a/b", "=a/c-1", "a/d"]
    assert [str(atom) for atom in wanted_by_sets(newest_first, "musl")] == ["a/other"]


@pytest.mark.parametrize("retention", [Retention(), Retention(1, 1), Retention(0, 1), Retention(1, 0)])
def test_pruning_twice_is_pruning_once_and_every_reason_is_told(retention: Retention) -> None:
    packages = [on_the_shelf(f"a/b-{version}", number) for version in range(1, 6) for number in range(1, 5)]

    first = superseded(packages, retention)
    left = [each for each in packages if each.path not in {package.path for package, _ in first}]

    assert left
    assert all(why for _, why in first)
    assert superseded(left, retention) == ()
