"""What `init` says of what it wrote, or would write."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from typing import Any

from reconciler.cli.frame import as_data
from reconciler.cli.init.ask import ANSWERS
from reconciler.cli.init.files import Foundation, fleet_file, stack_folder
from reconciler.core.counting import count
from reconciler.core.founding import MAIN, OVER
from reconciler.core.trees import Content
from reconciler.settings import DEFAULT_FILE


def data(founded: Foundation, *, written: bool) -> dict[str, Any]:
    """For programs. Values of env files are nobody's business."""
    place, policy = founded.place, founded.granted.policy
    return {
        "written": written,
        "host": place.host,
        "config": str(place.config),
        "repository": {
            "url": place.url,
            "branch": place.branch,
            "path": place.manifests,
            "made": place.bare is not None,
            "clone": str(place.directory) if founded.git and place.clone else None,
        },
        "projects": [
            {
                "name": taken.name,
                "directory": taken.project.directory,
                "running": dict(taken.project.services),
                "not_running": list(taken.idle),
                "hints": list(taken.hints),
            }
            for taken in founded.taken
        ],
        "left_out": [
            {
                "name": p.name,
                "directory": p.directory,
                "error": as_data(error.each[0]),
                "mistakes": [as_data(each) for each in error.each],
            }
            for p, error in founded.left_out
        ],
        "not_taken": [{"name": p.name, "directory": p.directory, "running": p.running} for p in founded.passed_over],
        "trust": {
            "allow_host_mounts": list(policy.allow_host_mounts),
            "allow_privileged": list(policy.allow_privileged),
            "refused": [f"{ask.service.stack}/{ask.service.name} {ask.words}" for ask in founded.granted.refused],
        },
        "questions": list(founded.questions),
        "files": [{"path": path, "from": origin} for path, origin in _files(founded)],
        "next": list(_commands(founded)),
    }


def lines(founded: Foundation) -> list[str]:
    """For people, before anything is written: what is taken, what is not and why, and all that there will be."""
    decided = [*_projects(founded), *_refused(founded), *_asked(founded)]
    return [*decided, *_contents(founded), "Would write:", *_listed(founded)]


def done(founded: Foundation, *, shown: bool) -> list[str]:
    """What was written, and what to do next. `shown`: all but that was said before."""
    files = list(_listed(founded))
    said = (
        [f"Wrote {count(len(files), 'file')}."]
        if shown
        else [*_projects(founded), *_refused(founded), "Wrote:", *files]
    )
    commands = (f"  {command}" for command in _commands(founded))
    return [*said, *_hints(founded), "Nothing that runs was touched. Next:", *commands, *_later(founded)]


def _projects(founded: Foundation) -> Iterator[str]:
    if not founded.taken and not founded.git:
        yield f"The repository knows {founded.place.host} already; only the host's own file is needed."
    elif not founded.taken:
        yield "No Compose project was found or taken: the fleet is empty, with an example in its file."
    for taken in founded.taken:
        state = f"{taken.project.containers} running" if taken.project.running else "not running"
        yield f"{taken.name}: {state}, its data stays in {taken.project.directory}"
        if taken.idle:
            yield f"  a pass would start {', '.join(taken.idle)}: in its file, and not running"
    for project, error in founded.left_out:
        mistakes = error.each
        yield f"{project.name}: left out" + (f" for {count(len(mistakes), 'mistake')}:" if len(mistakes) > 1 else ":")
        for each in mistakes:
            yield f"  {each}"
            yield from (f"    {text}" for text in (each.why, each.next) if text)
    if idle := founded.passed_over:
        named = ", ".join(f"{p.name} ({p.directory})" for p in idle[:20]) + (", ..." if len(idle) > 20 else "")
        yield f"Not taken (--include-stopped, or --project NAME): {named}"


def _refused(founded: Foundation) -> Iterator[str]:
    for ask in founded.granted.refused:
        yield f"not allowed: {ask.service.stack}/{ask.service.name} {ask.words}; reconciler plan says how to allow it"


def _asked(founded: Foundation) -> Iterator[str]:
    if founded.questions:
        yield "Would ask for leave of this host; what follows is as if you allowed it all:"
        yield from (f"  {question}" for question in founded.questions)
        yield f"Without a terminal the flags have to answer: {ANSWERS}"


def _contents(founded: Foundation) -> Iterator[str]:
    """Of a dry run: the files that are no copies. Values of env files are not shown."""
    texts = {path: content for path, content in founded.git.items() if _origin(founded, path) == ""}
    for path, content in {**texts, str(founded.place.config): founded.settings}.items():
        yield f"--- {path}"
        yield from _text(content).splitlines()
        yield ""


def _text(content: Content) -> str:
    return content.decode(errors="replace") if isinstance(content, bytes) else str(content)


def _files(founded: Foundation) -> Iterator[tuple[str, str]]:
    """Each file with the one of the machine that it is a copy of; what is kept of an earlier `init` among them."""
    for path in founded.git:
        yield f"{_repository(founded)}: {path}", _origin(founded, path)
    for file, _, origin in founded.env():
        yield str(file), origin
    if founded.aside:
        yield str(founded.aside), str(founded.place.config)
    yield str(founded.place.config), ""


def _origin(founded: Foundation, path: str) -> str:
    for taken in founded.taken:
        inside = path.partition(f"stacks/{taken.name}/")[2]
        if inside in taken.files:
            return taken.origins.get(inside, "")
    return ""


def _repository(founded: Foundation) -> str:
    place = founded.place
    return str(place.bare or place.directory)


def _listed(founded: Foundation) -> Iterator[str]:
    for path, origin in _files(founded):
        yield f"  {path}" + (f"  (from {origin})" if origin else "")


def _hints(founded: Foundation) -> Iterator[str]:
    for taken in founded.taken:
        if taken.hints:
            yield f"{taken.name} mounts configuration that git does not have: {', '.join(taken.hints)}"
            yield f"  To manage it with git, copy it into stacks/{taken.name}/, at the same relative path."


def _commands(founded: Foundation) -> Iterator[str]:
    place = founded.place
    if place.bare:
        yield f"git clone {getpass.getuser()}@{socket.gethostname()}:{place.bare}   # where you work"
    elif founded.git:
        yield f"git -C {place.directory} push origin {place.branch}"
    config = "" if str(place.config) == DEFAULT_FILE else f" --config {place.config}"
    yield f"reconciler doctor{config}"
    yield f"reconciler plan{config}"
    yield "make install"
    if place.bare:
        yield f"make hook REPO={place.bare}   # a push converges at once"


def _later(founded: Foundation) -> Iterator[str]:
    """How what had to be left out comes in: `init` adds nothing to a fleet that is there."""
    place = founded.place
    for project, _ in founded.left_out:
        yield f"Later, to bring {project.name} in, once what is said of it above is mended:"
        for file, name in zip(project.files, (MAIN, OVER), strict=False):
            yield f"  copy {file} to {stack_folder(place, project.name)}/{name} of the repository"
        yield f"  add `{project.name}: {project.directory}` to `directories:` of {place.host} in {fleet_file(place)}"
        yield f"  put its .env and env files, when it has any, into {place.env / project.name}/ (mode 0600)"
        yield "  commit, push; reconciler validate and reconciler plan say whether it fits"
