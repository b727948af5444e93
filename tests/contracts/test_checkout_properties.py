"""Any history, any meddling on the host: a check-out refuses and touches nothing, or is exact and loses nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import Refused
from tests.support.gitremote import Content, Executable, Remote, Symlink
from tests.support.gitrepository import repository

NAMES = (
    "a",
    "b",
    "c",
    "a/x",
    "a/y",
    "b/x",
    "b/x/z",
    "c/x/z",
)  # short, so that files and folders get into each other's way
CONTENTS: tuple[Content, ...] = ("1", "2", Executable("1"), Symlink("b"))
revisions = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CONTENTS), min_size=1, max_size=5)
meddling = st.lists(
    st.tuples(
        st.sampled_from((*NAMES, "a/mine")), st.sampled_from(("write", "copy", "delete", "folder", "link", "forget"))
    ),
    max_size=4,
)


def possible(files: dict[str, Content]) -> bool:
    """A path is not a folder and a file at once, and nothing lies below a link."""
    return not any(path.startswith(f"{other}/") for path in files for other in files)


def meddle(tree: Path, state: Path, path: str, how: str, unique: int) -> None:
    place = tree / path
    with contextlib.suppress(OSError):  # what cannot be done is not done
        match how:
            case "write" | "copy":
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(f"written on the host {unique}" if how == "write" else "1")
            case "delete" if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            case "delete":
                place.unlink(missing_ok=True)
            case "folder":
                place.mkdir(parents=True)
            case "link" if place.parent.is_dir() and not os.path.lexists(place):
                place.symlink_to("b")
            case "forget":
                for record in state.glob("repository.git.checkout-*"):
                    record.unlink()


def look(root: Path) -> dict[str, bytes]:
    found = {}
    for here, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(here, name)
            if path.is_symlink():
                found[str(path.relative_to(root))] = b"-> " + os.fsencode(os.readlink(path))
            elif path.is_file():
                found[str(path.relative_to(root))] = path.read_bytes()
    return found


def on_disk(content: Content) -> bytes:
    match content:
        case Symlink(target):
            return b"-> " + str(target).encode()
        case Executable(text):
            return str(text).encode()
        case _:
            return str(content).encode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.lists(st.tuples(revisions.filter(possible), meddling), min_size=2, max_size=4))
def test_exact_or_refused_and_nothing_is_lost(steps: list[tuple[dict[str, Content], list[tuple[str, str]]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        remote, state, tree = Remote(Path(folder) / "srv"), Path(folder) / "state", Path(folder) / "tree"
        repo = repository(state, remote.url)
        tree.mkdir()
        before: dict[str, Content] = {}
        for number, (files, changes) in enumerate(steps):
            sha = remote.commit({path: None for path in before if path not in files} | files)
            before = files
            repo.fetch(f"r{number}")
            for unique, (path, how) in enumerate(changes):
                meddle(tree, state, path, how, number * 10 + unique)
            seen = look(tree)
            obstacles = repo.checkout_obstacles(sha, str(tree))
            assert look(tree) == seen
            try:
                report = repo.checkout(sha, str(tree), f"r{number}")
            except Refused:
                assert obstacles and look(tree) == seen
                assert all(os.path.lexists(tree / path) for path in obstacles)
                continue
            assert not obstacles
            now = look(tree)
            assert {path: now.get(path) for path in files} == {path: on_disk(files[path]) for path in files}
            assert repo.checkout_drift(sha, str(tree)) == ()
            aside = set(look(state / "displaced" / f"r{number}").values())
            known = {on_disk(content) for content in CONTENTS}
            for path, content in seen.items():
                assert now.get(path) == content or content in aside | known, f"{path} was lost"
            assert all(path in now for path in report.kept)
            assert not any(".reconciler-" in path for path in now)
            assert repo.checkout(sha, str(tree), "again").written == ()
