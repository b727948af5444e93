"""validate, schema: what can be said about manifests without a host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import click

from reconciler.cli.frame import Answer, Frame, Helpful, as_data, give, global_options, in_words
from reconciler.core.counting import count
from reconciler.core.mistakes import MOST
from reconciler.errors import BadConfiguration, ReconcilerError

TOLD = 20
"""Mistakes of one file that are told."""


@click.command(cls=Helpful, short_help="Check manifests; every mistake is named with its line.")
@click.argument("path", required=False, default="manifests", type=click.Path(path_type=Path))
@click.option(
    "--env", "env", type=click.Path(path_type=Path), help="A folder with <stack>/.env and env files, as on a host."
)
@global_options
@click.pass_obj
def validate(frame: Frame, path: Path, env: Path | None) -> int:
    """Check a folder of manifests for every host of its fleet; every mistake is named with its line."""
    from reconciler.core.validate import validate_tree

    root, manifests = _root_of(path)
    from reconciler.adapters.directory_tree import DirectoryTree
    from reconciler.adapters.host_files import environment_in

    def environment(stack: str) -> Mapping[str, bytes]:
        return environment_in(env / stack) if env else {}

    checked = validate_tree(DirectoryTree(root), manifests, environment, with_host_files=env is not None)
    problems = checked.problems
    data = {
        "hosts": {host: list(stacks) for host, stacks in checked.hosts.items()},
        "sets": {name: list(atoms) for name, atoms in checked.sets.items()},
        "problems": [as_data(problem) for problem in problems],
    }
    lines = [f"{host}: {count(len(stacks), 'stack')} ({', '.join(stacks)})" for host, stacks in checked.hosts.items()]
    lines += [f"package set {name}: {count(len(atoms), 'package')}" for name, atoms in checked.sets.items()]
    if problems:
        lines = [*_told(problems), f"{count(len(problems), 'problem')} in {manifests or root}"]
    code = _exit_code(problems)
    first = problems[0] if problems and frame.machine else None
    return give(frame, Answer(data, lines, list(checked.hosts), checked.warnings, code, not problems, first))


@click.command(cls=Helpful, short_help="Print the JSON Schema of our manifests.")
@click.argument("which", type=click.Choice(("fleet", "packages", "stack")), default="fleet")
@global_options
@click.pass_obj
def schema(frame: Frame, which: str) -> int:
    """Print the JSON Schema of fleet.yaml, of a package set, or of what we add to a Compose file, for an editor."""
    from reconciler.core.manifest.schema import json_schema

    made = json_schema(which)
    if frame.machine:
        return give(frame, Answer(made))
    click.echo(json.dumps(made, indent=2))
    return 0


def _told(problems: Sequence[ReconcilerError]) -> Iterator[str]:
    """Of each file no more than a person mends in one go."""
    for file, of_file in groupby(problems, lambda problem: problem.at.file if problem.at else ""):
        all_of_it = list(of_file)
        for problem in all_of_it[:TOLD]:
            yield from in_words(problem)
        if (more := len(all_of_it) - TOLD) > 0:
            yield f"{file}: +{more} more{', at least' if len(all_of_it) >= MOST else ''}"


def _exit_code(problems: tuple[ReconcilerError, ...]) -> int:
    return problems[0].exit_code if problems else 0


def _root_of(path: Path) -> tuple[Path, str]:
    """The repository that a folder of manifests lies in, and its path there; without git, the folder itself."""
    here = path.resolve()
    if not here.is_dir():
        raise BadConfiguration(
            "E-MANIFEST-FOLDER",
            f"there is no folder {path}",
            why="manifests are a folder with fleet.yaml and stacks/",
            next="name it: reconciler validate PATH",
        )
    for folder in (here, *here.parents):
        if (folder / ".git").exists():
            inside = str(here.relative_to(folder))
            return folder, "" if inside == "." else inside
    return here, ""
