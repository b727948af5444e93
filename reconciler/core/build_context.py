"""What a build reads: the files of its context in git, less `.dockerignore`, as an archive and as one id.

The id changes only when something that the build can see changes, so an unrelated commit builds nothing.
Pattern rules: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

from reconciler.errors import BadConfiguration
from reconciler.model.desired import Build
from reconciler.model.repository import Entry
from reconciler.model.resources import BuildOptions
from reconciler.ports import Tree

_OUTSIDE = ".reconciler.dockerfile"
Patterns = tuple[tuple[re.Pattern[str], bool], ...]
"""Each with whether it excludes; a line with `!` takes back in."""


@dataclass(frozen=True, slots=True)
class Context:
    """Files by their path in the archive: path in the repository and entry. `dockerfile` is its path in the archive."""

    files: tuple[tuple[str, str, Entry], ...]
    dockerfile: str
    inline: bytes | None = None


def read_context(tree: Tree, build: Build) -> Context:
    """Raises BadConfiguration when the context or its Dockerfile is not in git."""
    root = tree.entry(build.context)
    if build.context and (root is None or root.kind != "directory"):
        raise BadConfiguration(
            "E-BUILD-CONTEXT",
            f"the build context {build.context} is not a folder of the repository",
            why="images are built from git alone, at exactly the revision that is deployed",
            next="commit it, or mend build.context",
        )
    files = {path: (path_in_repo, entry) for path, path_in_repo, entry in _walk(tree, build.context)}
    dockerfile = posixpath.normpath(build.dockerfile)
    if build.dockerfile_inline:
        dockerfile = _OUTSIDE
    elif dockerfile not in files:
        dockerfile = _add_outside(tree, build, files)
    ignored = _ignore_patterns(tree, build.context)
    chosen = [(p, *f) for p, f in sorted(files.items()) if p == dockerfile or not is_ignored(p, ignored)]
    return Context(tuple(chosen), dockerfile, build.dockerfile_inline.encode() or None)


def build_id(context: Context, build: Build, platform: str) -> str:
    """One short text for all that the image is made of."""
    material = {
        "files": [(path, entry.kind, entry.id) for path, _, entry in context.files],
        "dockerfile": [context.dockerfile, build.dockerfile_inline],
        "args": build.args,
        "target": build.target,
        "labels": build.labels,
        "platform": platform or build.options.platform,
    }
    # Where its parts are taken from changes nothing of what is made.
    options = replace(build.options, cache_from=(), platform="")
    if options != BuildOptions():
        material["options"] = asdict(options)
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()[:40]


def archive(tree: Tree, context: Context) -> bytes:
    """The context as a tar archive; owners and times are fixed, so equal files give equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, path_in_repo, entry in context.files:
            _add(tar, path, tree.read(path_in_repo), entry)
        if context.inline is not None:
            _add(tar, context.dockerfile, context.inline, Entry("file", ""))
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, path: str, content: bytes, entry: Entry) -> None:
    info = tarfile.TarInfo(path)
    info.mode = 0o755 if entry.kind == "executable" else 0o644
    if entry.kind == "symlink":
        info.type, info.linkname = tarfile.SYMTYPE, content.decode(errors="surrogateescape")
        tar.addfile(info)
        return
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _walk(tree: Tree, folder: str, inside: str = "") -> Iterator[tuple[str, str, Entry]]:
    for name in tree.children(folder):
        path, path_in_repo = posixpath.join(inside, name), posixpath.join(folder, name)
        entry = tree.entry(path_in_repo)
        if entry is None or entry.kind == "submodule":
            continue
        if entry.kind == "directory":
            yield from _walk(tree, path_in_repo, path)
        else:
            yield path, path_in_repo, entry


def _add_outside(tree: Tree, build: Build, files: dict[str, tuple[str, Entry]]) -> str:
    """A Dockerfile beside the context travels with it under a name of its own, as the docker CLI does."""
    path = posixpath.normpath(posixpath.join(build.context, build.dockerfile))
    entry = None if path.startswith("../") else tree.entry(path)
    if entry is None or entry.kind not in ("file", "executable"):
        raise BadConfiguration(
            "E-BUILD-DOCKERFILE",
            f"there is no {path} in the repository",
            why=f"the build of {build.context or 'the repository'} asks for it",
            next="commit it, or mend build.dockerfile",
        )
    files[_OUTSIDE] = (path, entry)
    return _OUTSIDE


def _ignore_patterns(tree: Tree, context: str) -> Patterns:
    path = posixpath.join(context, ".dockerignore")
    entry = tree.entry(path)
    return ignore_patterns(tree.read(path)) if entry and entry.kind in ("file", "executable") else ()


def ignore_patterns(dockerignore: bytes) -> Patterns:
    """The lines of a .dockerignore."""
    lines = (line.strip() for line in dockerignore.decode(errors="replace").splitlines())
    return tuple(_pattern(line) for line in lines if line and not line.startswith("#"))


def is_ignored(path: str, patterns: Patterns) -> bool:
    """The last pattern that matches the path or a folder above it decides."""
    ignored = False
    for pattern, excludes in patterns:
        if excludes != ignored and pattern.match(path):
            ignored = excludes
    return ignored


@lru_cache(maxsize=256)
def _pattern(line: str) -> tuple[re.Pattern[str], bool]:
    excludes = not line.startswith("!")
    text = posixpath.normpath(line.removeprefix("!").strip()).lstrip("/")
    tokens = re.findall(r"\*\*/?|\*|\?|\[[^\]]*\]|\\.|.", text)
    try:
        return re.compile("".join(map(_token, tokens)) + r"(?:/.*)?\Z", re.DOTALL), excludes
    except re.error:  # a class that is none (`[z-a]`): the engine's own builder refuses the line, we take it literally
        return re.compile(re.escape(text) + r"(?:/.*)?\Z"), excludes


def _token(token: str) -> str:
    if token == "**/":
        return "(?:.*/)?"
    if token == "**":
        return ".*"
    if token == "*":
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if token.startswith("[") and token.endswith("]") and len(token) > 2:
        return _class(token[1:-1])
    if token.startswith("\\") and len(token) == 2:
        return re.escape(token[1])
    return re.escape(token)


def _class(members: str) -> str:
    """A class of characters: only `^` in front and `-` between two mean something."""
    inverted, members = members.startswith("^"), members.removeprefix("^")
    ranges = "--" not in members
    body = "".join(c if c == "-" and ranges else re.escape(c) for c in members)
    return f"[{'^' if inverted else ''}{body}]"
