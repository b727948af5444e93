"""Writes docs/man/reconciler.1 from the commands themselves, so that the page never says what the program does not.

scripts/manpage.py           write the file
scripts/manpage.py --print   show it instead
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from reconciler import BUILT, __version__
from reconciler.cli import cli
from reconciler.cli.frame import shared_options

PAGE = Path(__file__).resolve().parents[1] / "docs/man/reconciler.1"

FILES = (
    ("/etc/reconciler/reconciler.toml", "The host's own file. --config and RECONCILER_CONFIG name another."),
    ("/etc/reconciler/secrets/", "Values that manifests only name, one file each, mode 0600."),
    ("/etc/reconciler/env/STACK/", "Values of a stack that are kept out of git."),
    ("/var/lib/reconciler/", "The clone, the history, the lock, pauses and blocks."),
    ("/var/lib/reconciler-swarm/", "The build queue, its history and the binary packages, of reconciler serve."),
)
ENVIRONMENT = (
    ("RECONCILER_CONFIG", "The host's own file."),
    ("RECONCILER_...", "Every setting: repository.url is RECONCILER_REPOSITORY_URL."),
    ("ORCHESTRATOR_URL", "The build swarm's orchestrator, where nothing of ours names it."),
    ("SWARM_ADMIN_KEY", "The token that whoever changes something there has to show."),
    ("DOCKER_HOST", "The engine, where docker.host is not set."),
    ("NO_COLOR", "No colour."),
)


def page() -> str:
    """The whole page, in the man macros of groff (man(7))."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.\\" Written by scripts/manpage.py; make man writes it anew.'
    yield f'.TH RECONCILER 1 "{BUILT}" "reconciler {__version__}" "User Commands"'
    yield from (".SH NAME", f"reconciler \\- {_text('GitOps for plain Docker hosts: what git says is what runs')}")
    yield from (".SH SYNOPSIS", ".B reconciler", "[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]")
    yield from (".SH DESCRIPTION", *_paragraphs(DESCRIPTION))
    yield ".SH COMMANDS"
    yield from _group(cli, click.Context(cli, info_name="reconciler"))
    yield ".SH OPTIONS"
    yield "They may stand before or after the command."
    context = click.Context(cli, info_name="reconciler")
    yield from _options(shared_options(), context)
    yield ".SH EXIT STATUS"
    for code, meaning in exit_codes():
        yield from (".TP", f".B {code}", _text(meaning))
    for title, rows in (("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)):
        yield f".SH {title}"
        for name, meaning in rows:
            yield from (".TP", f".I {_text(name)}" if title == "FILES" else f".B {_text(name)}", _text(meaning))
    yield from (".SH SEE ALSO", ".BR docker (1),", ".BR git (1),", ".BR systemd.timer (5)")


DESCRIPTION = """One pass compares the Compose files of a git branch with what the Docker engine of this host runs, and
closes the difference, one service at a time, with a reason for every step. What fails is taken back.

A TARGET is HOST, HOST/STACK or HOST/STACK/SERVICE."""


def _group(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(inner))
        yield from (f".SS {_text(inner.command_path)}", f".B {_text(inner.command_path)}", _text(usage), ".PP")
        yield from _paragraphs(command.help or command.short_help or "")
        shared = {"help", *(option.name for option in shared_options())}
        own = [p for p in command.get_params(inner) if isinstance(p, click.Option) and p.name not in shared]
        yield from _options(own, inner)
        if isinstance(command, click.Group):
            yield from _group(command, inner)


def _options(options: Iterable[click.Option], context: click.Context) -> Iterator[str]:
    for option in options:
        if record := option.get_help_record(context):
            yield from (".TP", f".B {_text(record[0])}", _text(record[1]))


def exit_codes() -> list[tuple[str, str]]:
    """From the table of docs/cli.md, which a test compares with the program."""
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (PAGE.parents[1] / "cli.md").read_text(), re.MULTILINE)
    return [(code, meaning.replace("`", "")) for code, meaning in rows]


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        yield from ([".PP"] if number else [])
        yield _text(" ".join(paragraph.split()))


def _text(text: str) -> str:
    """Plain text for troff: hyphens that can be copied, and no line that is taken for a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    if "--print" in sys.argv[1:]:
        print(page(), end="")
    else:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page())
