"""init: from the Compose projects of a machine to a repository and the host's own file. Touches nothing that runs."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options
from reconciler.cli.init.ask import MOUNTS, PRIVILEGED, ROOTS, Questions, Wish, listed
from reconciler.errors import Terminal


@click.command(cls=Helpful, short_help="Begin: turn the Compose projects of this machine into a fleet.")
@click.option("--docker", default="", metavar="ADDRESS", help="The engine (default: DOCKER_HOST, else its socket).")
@click.option(
    "--search", multiple=True, metavar="DIR", help=f"Look for Compose files here (default: {' '.join(ROOTS)})."
)
@click.option("--project", multiple=True, metavar="NAME", help="Take these projects alone, running or not.")
@click.option("--except", "without", multiple=True, metavar="NAME", help="Leave this project out.")
@click.option("--include-stopped", is_flag=True, help="Take also projects of which nothing runs; a pass starts them.")
@click.option("--repository", default="", metavar="PATH|URL", help="Made when it is a new path (/srv/git/fleet.git).")
@click.option("--branch", default="main", show_default=True, help="The branch to follow.")
@click.option("--path", default="manifests", show_default=True, help="The folder of manifests in the repository.")
@click.option(
    "--directory", default="fleet", type=click.Path(path_type=Path), help="Where to clone a given repository."
)
@click.option("--push", is_flag=True, help="Push the first commit to a given repository.")
@click.option("--token", default="", metavar="NAME", help="The secret (a file in <config>/secrets/) for https://.")
@click.option("--ssh-key", default="", metavar="FILE", help="The key for ssh://.")
@click.option("--known-hosts", default="", metavar="FILE", help="The host keys to trust for ssh://.")
@click.option("--host", default="", metavar="NAME", help="The name of this host (default: its own).")
@click.option("--checkout", default="", metavar="DIR", help="Where git's files will lie (default: /opt/fleet).")
@click.option(MOUNTS, "mounts", metavar="DIR,...", help="Folders that stacks may mount; or all-in-use, or none.")
@click.option(PRIVILEGED, "privileged", metavar="STACK,...", help="Stacks that may be as root; or all-in-use, or none.")
@click.option(
    "--max-context", default=20, show_default=True, metavar="MIB", help="Most that a project may bring to build."
)
@click.option("--strict", is_flag=True, help="Stop when a project has to be left out.")
@click.option("--force", is_flag=True, help="Write files anew that an earlier init wrote.")
@click.option("--dry-run", is_flag=True, help="Show what would be written.")
@click.option("--yes", is_flag=True, help="Take what is proposed. Says nothing about trust, which has its own flags.")
@global_options
@click.pass_obj
def init(frame: Frame, /, **given: Any) -> int:
    """Turn the Compose projects of this machine into a fleet: a repository, and the host's own file.

    Looks at containers and at files, asks, and writes. Nothing is moved, restarted or converged.
    """
    from reconciler.adapters.placing import Placing
    from reconciler.cli.init import words
    from reconciler.cli.init.files import config_file, keeping, put, refuse_existing
    from reconciler.cli.init.found import Founding

    wish = Wish.of(given)
    _check(wish)
    questions, config = Questions(frame, wish), config_file(frame.config)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupted)
    try:
        refuse_existing(config, force=wish.force)
        with Placing() as placing:
            founded = keeping(Founding(frame, wish, questions, placing).founded(config))
            shown = questions.asks and not wish.yes and not wish.dry_run
            if shown:
                click.echo("\n".join(words.lines(founded)), err=True)
            if not wish.dry_run:
                if not questions.sure():
                    raise click.Abort
                put(founded, placing, push=wish.push)
    except OSError as error:
        raise _unreadable(error) from error
    said = words.done(founded, shown=shown) if not wish.dry_run else words.lines(founded)
    data = words.data(founded, written=not wish.dry_run)
    names = [taken.name for taken in founded.taken]
    return give(frame, Answer(data, said, names, founded.warnings))


def _interrupted(_signal: int, _frame: object) -> None:
    """As Ctrl-C: what was begun is taken away again."""
    raise KeyboardInterrupt


def _unreadable(error: OSError) -> Terminal:
    return Terminal(
        "E-INIT-FILE",
        f"cannot look at {error.filename}",
        why=error.strerror or str(error),
        next="run as root, or name another place",
        unchanged="nothing was written",
    )


def _check(wish: Wish) -> None:
    for folder in listed(wish.mounts or ""):
        if not folder.startswith("/"):
            raise click.UsageError(f"{MOUNTS}: {folder} is no absolute path")
    if ".." in wish.path.split("/"):
        raise click.UsageError("--path: it lies in the repository, so without ..")
    for flag, text in (("--repository", wish.repository), ("--branch", wish.branch)):
        if text.startswith("-"):
            raise click.UsageError(f"{flag}: {text!r} begins with a dash")
