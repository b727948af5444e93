"""`build`: a folder of the repository, as git holds it."""

from __future__ import annotations

from reconciler.core.compose import keys, read, service_parts
from reconciler.core.compose.paths import Paths, join
from reconciler.core.compose.problems import check_keys, fail, show, unsupported, want_map
from reconciler.core.compose.variables import Variables
from reconciler.core.document import Map
from reconciler.core.mistakes import Mistakes, Reader
from reconciler.errors import Position
from reconciler.model.desired import Build
from reconciler.model.resources import BuildOptions


def build(holder: Map, key: str, paths: Paths, folder: str, variables: Variables) -> Build:
    """The build of a service. `folder`: where relative paths begin. BadConfiguration."""
    if isinstance(holder[key], str):
        context = _context(holder, key, paths, folder)
        return Build(context, _dockerfile(Map(holder.places[key]), context, paths))
    given = want_map(holder[key], holder.at(key), key)
    with Mistakes() as mistakes:
        mistakes.of(check_keys, given, keys.BUILD, key, keys.BUILD_REFUSED)
        found = mistakes.given({"target": read.text, "labels": read.pairs, "dockerfile_inline": read.filled}, given)
        options = mistakes.given(_OPTIONS, given)
        if "platforms" in options:
            options["platform"] = options.pop("platforms")
        found["args"] = mistakes.of(_arguments, given, variables)
        if given.get("dockerfile_inline") is not None and given.get("dockerfile") is not None:
            what = "dockerfile and dockerfile_inline are both given"
            fail("E-COMPOSE-VALUE", what, given.key_at("dockerfile_inline"))
        context = _context(given, "context", paths, folder)
        inline = found.pop("dockerfile_inline", "")
        dockerfile = "" if inline else _dockerfile(given, context, paths)
    return Build(context, dockerfile, inline, options=BuildOptions(**options), **found)


def _network(given: Map, key: str) -> str:
    name = read.filled(given, key)
    if name.startswith(("service:", "container:")):
        unsupported(given.at(key), f"a build in the network of {show(name)}", "use default, host, none or a network")
    return name


def _platform(given: Map, key: str) -> str:
    """One image can be made for one platform, and that of the service counts more."""
    found = read.unique_strings(given, key)
    if len(found) > 1:
        unsupported(given.at(key), "a build for several platforms", "name that of the host alone")
    return found[0] if found else ""


_OPTIONS: dict[str, Reader] = {
    "cache_from": read.unique_strings,
    "extra_hosts": service_parts.extra_hosts,
    "network": _network,
    "no_cache": read.boolean,
    "platforms": _platform,
    "pull": read.boolean,
    "shm_size": read.size,
}


def _context(given: Map, key: str, paths: Paths, folder: str) -> str:
    path = read.filled(given, key) if given.get(key) is not None else "."
    at = given.at(key)
    if "://" in path or path.startswith(("git@", "github.com/")):
        unsupported(at, f"the remote build context {show(path)}", "copy its files into the repository")
    repo = paths.mounted(path, folder, at).repo
    if repo is None:
        fail(
            "E-COMPOSE-PATH",
            f"the build context {show(path)} is outside the repository",
            at,
            why="an image must follow from the revision alone",
            next="move the context into the repository",
        )
    entry = paths.tree.entry(repo)
    if entry is None or entry.kind != "directory":
        fail(
            "E-COMPOSE-REFERENCE",
            f"the build context {show(path)} is no directory in git",
            at,
            why=f"git has no directory {repo or '(root)'}",
            next="commit it, or correct the path",
        )
    return repo


def _dockerfile(given: Map, context: str, paths: Paths) -> str:
    """The Dockerfile's path relative to the context."""
    path = read.filled(given, "dockerfile") if given.get("dockerfile") is not None else "Dockerfile"
    at: Position = given.at("dockerfile")
    repo = paths.find_file(path, context, at)
    if repo is None:
        fail(
            "E-COMPOSE-REFERENCE",
            f"the Dockerfile {show(path)} is not in git",
            at,
            why=f"it is looked for in the build context {context or '(root)'}",
            next="commit it, or correct the path",
        )
    paths.check_content(repo, at)
    if not path.startswith(("/", "~")):
        return path.removeprefix("./")
    return repo[len(context) + 1 :] if repo.startswith(f"{context}/") else _climb(context, repo)


def _climb(context: str, repo: str) -> str:
    """`repo` as seen from `context`, which does not hold it."""
    return "../" * len(context.split("/") if context else []) + (join("", repo) or "")


def _arguments(given: Map, variables: Variables) -> tuple[tuple[str, str], ...]:
    """Arguments without a value take it from the stack's variables, or are left out."""
    if given.get("args") is None:
        return ()
    found = read.pairs_or_none(given, "args")
    filled = ((name, variables.get(name) if value is None else value) for name, value in found.items())
    return tuple(sorted((name, value) for name, value in filled if value is not None))
