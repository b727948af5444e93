"""A check-out that leaves some paths as they are: neither written, nor removed, nor forgotten."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import Refused
from reconciler.model.repository import CheckoutReport, LeftAlone
from tests.contracts.test_checkout import Bench, files, snapshot
from tests.contracts.test_checkout_properties import NAMES, look, meddle, meddling, on_disk, possible, revisions
from tests.support.gitremote import Content, Remote
from tests.support.gitrepository import repository

ONE: dict[str, Content] = {"web/conf": "1", "web/gone": "1", "side/conf": "1", "top": "1"}
TWO: dict[str, Content] = {"web/conf": "2", "web/gone": None, "web/new": "2", "side/conf": "2", "top": "2"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def left(bench: Bench, sha: str, *below: str, but: tuple[str, ...] = ()) -> CheckoutReport:
    return bench.repo.checkout(sha, str(bench.tree), "left", LeftAlone(below, but))


def content(bench: Bench) -> dict[str, str]:
    return {name: (bench.tree / name).read_text() for name in sorted(files(bench.tree))}


def test_what_is_left_alone_stays_and_the_rest_is_exact(bench: Bench) -> None:
    bench.checkout(bench.commit(ONE))
    inode = (bench.tree / "web/conf").stat().st_ino
    sha = bench.commit(TWO)

    report = left(bench, sha, "web")

    assert report == CheckoutReport(written=("side/conf", "top"), left=("web/conf", "web/gone", "web/new"))
    assert content(bench) == {"side/conf": "2", "top": "2", "web/conf": "1", "web/gone": "1"}
    assert (bench.tree / "web/conf").stat().st_ino == inode
    assert bench.drift(sha) == ("web/conf", "web/new")
    assert left(bench, sha, "web").written == ()


def test_the_next_one_makes_up_for_it_and_takes_nothing_for_somebody_elses(bench: Bench) -> None:
    bench.checkout(bench.commit(ONE))
    sha = bench.commit(TWO)
    left(bench, sha, "web")

    report = bench.checkout(sha)

    assert report == CheckoutReport(
        written=("web/conf", "web/new"), removed=("web/gone",), aside=str(bench.state / "displaced" / "run")
    )
    assert content(bench) == {"side/conf": "2", "top": "2", "web/conf": "2", "web/new": "2"}
    assert bench.drift(sha) == ()


def test_it_is_remembered_over_several_revisions(bench: Bench) -> None:
    bench.checkout(bench.commit(ONE))
    for number in ("2", "3", "4"):
        left(bench, bench.commit({**TWO, "web/conf": number, "top": number}), "web")
    assert content(bench)["web/conf"] == "1"

    report = bench.checkout(bench.commit({"web/conf": "5"}))

    assert report.displaced == () and report.kept == ()
    assert content(bench) == {"side/conf": "2", "top": "4", "web/conf": "5", "web/new": "2"}


def test_what_somebody_changed_there_is_kept_now_and_copied_aside_later(bench: Bench) -> None:
    bench.checkout(bench.commit(ONE))
    (bench.tree / "web/conf").write_text("mine")
    sha = bench.commit(TWO)

    assert "web/conf" in left(bench, sha, "web").left
    assert content(bench)["web/conf"] == "mine"
    assert bench.checkout(sha).displaced == ("web/conf",)
    assert bench.aside("web/conf") == b"mine"


def test_what_is_right_already_is_not_left(bench: Bench) -> None:
    sha = bench.commit(ONE)
    bench.checkout(sha)

    assert left(bench, sha, "web", "side", "top") == CheckoutReport()
    assert bench.drift(sha) == ()


def test_the_exceptions_are_written(bench: Bench) -> None:
    bench.checkout(bench.commit(ONE))

    report = left(bench, bench.commit(TWO), "", but=("web/conf", "side"))

    assert report.written == ("side/conf", "web/conf")
    assert report.left == ("top", "web/gone", "web/new")


def test_a_name_that_only_begins_like_it_is_another_one(bench: Bench) -> None:
    bench.checkout(bench.commit({"web": "1", "web2": "1", "webs/a": "1"}))

    assert left(bench, bench.commit({"web": "2", "web2": "2", "webs/a": "2"}), "web").left == ("web",)


def test_a_file_where_it_has_a_folder_waits_as_well(bench: Bench) -> None:
    bench.checkout(bench.commit({"d/e/f": "1"}))
    sha = bench.commit({"d/e/f": None, "d": "a file by now"})

    assert left(bench, sha, "d/e").left == ("d", "d/e/f")
    assert content(bench) == {"d/e/f": "1"}
    bench.checkout(sha)
    assert content(bench) == {"d": "a file by now"}


def test_a_first_check_out_may_leave_something_alone(bench: Bench) -> None:
    sha = bench.commit(ONE)

    assert left(bench, sha, "web").left == ("web/conf", "web/gone")
    assert content(bench) == {"side/conf": "1", "top": "1"}
    assert bench.checkout(sha).written == ("web/conf", "web/gone")
    assert snapshot(bench.tree)["web"] == ("folder", None)


prefixes = st.lists(st.sampled_from(("", "a", "b", "c", *NAMES)), max_size=3, unique=True).map(tuple)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.lists(st.tuples(revisions.filter(possible), meddling, prefixes, prefixes), min_size=2, max_size=4))
def test_whatever_is_left_alone_does_not_change_and_nothing_is_lost(
    steps: list[tuple[dict[str, Content], list[tuple[str, str]], tuple[str, ...], tuple[str, ...]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        remote, state, tree = Remote(Path(folder) / "srv"), Path(folder) / "state", Path(folder) / "tree"
        repo = repository(state, remote.url)
        tree.mkdir()
        before: dict[str, Content] = {}
        wanted, sha = before, ""
        for number, (wanted, changes, below, but) in enumerate(steps):
            sha = remote.commit({path: None for path in before if path not in wanted} | wanted)
            before = wanted
            repo.fetch(f"r{number}")
            for unique, (path, how) in enumerate(changes):
                meddle(tree, state, path, how, number * 10 + unique)
            seen, leave = look(tree), LeftAlone(below, but)
            try:
                report = repo.checkout(sha, str(tree), f"r{number}", leave)
            except Refused:
                assert look(tree) == seen
                continue
            now, aside = look(tree), set(look(state / "displaced" / f"r{number}").values())
            for path in {*seen, *wanted}:
                if path in leave:
                    assert now.get(path) == seen.get(path), f"{path} was touched"
                elif path in wanted:
                    assert now.get(path) == on_disk(wanted[path]), f"{path} was not written"
            for path, was in seen.items():
                assert now.get(path) == was or was in aside or not was.startswith(b"written"), f"{path} was lost"
            assert all(path in leave for path in report.left)
            assert set(repo.checkout_drift(sha, str(tree))) <= set(report.left)
        try:
            repo.checkout(sha, str(tree), "last")
        except Refused:
            assert all(os.path.lexists(tree / path) for path in repo.checkout_obstacles(sha, str(tree)))
        else:
            assert {path: look(tree).get(path) for path in wanted} == {p: on_disk(c) for p, c in wanted.items()}
