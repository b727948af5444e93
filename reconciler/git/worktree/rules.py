"""What a revision may not contain if it is to be checked out, and which of its paths it tells git to ignore."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from reconciler import process
from reconciler.errors import Refused, Transient
from reconciler.git.objects import Objects
from reconciler.model.repository import EntryKind

Files = Mapping[str, tuple[EntryKind, str]]
_MOST_HOPS = 40  # as many symlinks as the kernel follows


def require_safe_paths(files: Files) -> None:
    """Refused [E-CHECKOUT-PATH] when a path would touch git's own folder or leave the working tree."""
    bad = [path for path in files if any(part.lower() in ("", ".", "..", ".git") for part in path.split("/"))]
    if bad:
        raise Refused(
            "E-CHECKOUT-PATH",
            f"the revision holds paths that are never checked out: {listed(bad)}",
            why="`.`, `..` and `.git` lead out of the working tree or into git's own folder",
            next="remove them from the repository",
            unchanged="the working tree",
        )


def require_inner_links(files: Files, objects: Objects) -> None:
    """Refused [E-CHECKOUT-LINK] when a symlink leads out of the repository, also by way of another one."""
    links = {path: os.fsdecode(objects.blob(id)) for path, (kind, id) in files.items() if kind == "symlink"}
    bad = [path for path, target in links.items() if not target or "\0" in target or _leaves(path, links)]
    if bad:
        raise Refused(
            "E-CHECKOUT-LINK",
            f"symlinks lead out of the repository: {listed(bad)}",
            why="what they would show is on the host and not in git, and a container that mounts them could reach it",
            next="point them at files of the repository, with relative targets",
            unchanged="the working tree",
        )


def _leaves(path: str, links: Mapping[str, str]) -> bool:
    """Whether following the link at `path` steps above the root; links on the way are followed as a kernel would."""
    here = path.split("/")[:-1]
    ahead = [links[path]]
    for _ in range(_MOST_HOPS):
        target = ahead.pop()
        if target.startswith("/"):
            return True
        parts = target.split("/")
        for number, part in enumerate(parts):
            if part == "..":
                if not here:
                    return True
                here.pop()
            elif part not in ("", "."):
                here.append(part)
                if (met := "/".join(here)) in links:
                    here.pop()
                    rest = "/".join(parts[number + 1 :])
                    ahead.append(f"{links[met]}/{rest}" if rest else links[met])
                    break
        if not ahead:
            return False
    return False  # a loop leads nowhere


def ignored(objects: Objects, files: Files, paths: Collection[str]) -> frozenset[str]:
    """Those of `paths` that the revision's own .gitignore files name; git itself reads them."""
    rules = {
        path: id for path, (kind, id) in files.items() if path.rpartition("/")[2] == ".gitignore" and kind != "symlink"
    }
    if not rules or not paths:
        return frozenset()
    with tempfile.TemporaryDirectory(prefix="ignore-", dir=objects.directory.parent) as folder:
        for path, id in rules.items():
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(objects.blob(id))
        return _check_ignore(objects.directory, Path(folder), paths)


def _check_ignore(bare: Path, folder: Path, paths: Collection[str]) -> frozenset[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
    done = process.run(
        ["git", "-c", "core.bare=false", f"--git-dir={bare.absolute()}", f"--work-tree={folder}",
         "check-ignore", "--no-index", "-z", "--stdin"],
        deadline=60, env=env, cwd=folder, input=b"".join(os.fsencode(path) + b"\0" for path in paths), limit=1 << 28,
    )  # fmt: skip
    if done.code not in (0, 1):  # 1: none of them is ignored
        raise Transient(
            "E-GIT-CORRUPT",
            "the rules of .gitignore could not be read",
            why=done.stderr.decode("utf-8", "replace").strip()[-500:],
            next="nothing: the next tick tries again",
        )
    return frozenset(os.fsdecode(path) for path in done.stdout.split(b"\0") if path)


def listed(paths: Collection[str], most: int = 10) -> str:
    """Paths for people: the first few, without what a terminal could trip over."""
    shown = [path.encode("unicode_escape").decode() if not path.isprintable() else path for path in sorted(paths)]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
