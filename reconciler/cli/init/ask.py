"""The questions of `init`: each has a flag, and is asked of a person at a terminal only."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import click

from reconciler.cli.frame import Frame, table
from reconciler.cli.streams import tell
from reconciler.core.guard import Ask
from reconciler.core.survey import Project
from reconciler.errors import Refused, Terminal

ROOTS = ("/opt", "/srv", "/root", "/home")
ALL, NONE = "all-in-use", "none"
MOUNTS, PRIVILEGED = "--allow-host-mounts", "--allow-privileged"
ANSWERS = f"{MOUNTS} and {PRIVILEGED}, each with a list, {ALL} or {NONE}"


@dataclass(frozen=True, slots=True)
class Wish:
    """The flags. `mounts` and `privileged`: None when nothing was said, else `all-in-use`, `none` or a list."""

    docker: str
    search: tuple[str, ...]
    project: tuple[str, ...]
    without: tuple[str, ...]
    include_stopped: bool
    repository: str
    branch: str
    path: str
    directory: Path
    push: bool
    token: str
    ssh_key: str
    known_hosts: str
    host: str
    checkout: str
    mounts: str | None
    privileged: str | None
    max_context: int
    strict: bool
    force: bool
    dry_run: bool
    yes: bool

    @classmethod
    def of(cls, given: dict[str, object]) -> Wish:
        return cls(**{f.name: given[f.name] for f in fields(cls)})  # type: ignore[arg-type]


@dataclass(slots=True)
class Questions:
    """`unanswered`: what nobody was there to be asked about."""

    frame: Frame
    wish: Wish
    unanswered: list[str] = field(default_factory=list)
    _everything: set[str] = field(default_factory=set)

    @property
    def asks(self) -> bool:
        return self.frame.input and not self.frame.machine and bool(sys.stdin and sys.stdin.isatty())

    def text(self, flag: str, given: str, question: str, default: str, form: str = ".+") -> str:
        """A text of a form (a pattern). UsageError when the flag has another; a person is asked again."""
        if given or not self.asks:
            return _formed(given or default, form, flag)
        return str(click.prompt(question, default=default, value_proc=lambda typed: _formed(typed, form, ""), err=True))

    def sure(self) -> bool:
        """The last question, before anything is written."""
        return self.wish.yes or not self.asks or click.confirm("Write this?", default=True, err=True)

    def projects(self, found: Sequence[Project]) -> list[Project]:
        """Which projects shall be taken over. Terminal when a named one does not exist."""
        _require_known((*self.wish.project, *self.wish.without), found)
        offered = [p for p in found if p.name not in self.wish.without]
        if self.wish.project:
            return [p for p in offered if p.name in self.wish.project]
        chosen = [p for p in offered if p.running]
        idle = [p for p in offered if not p.running]
        if chosen and self.asks:
            self._show("Compose projects that run here:", chosen)
            chosen = self._which(chosen)
        if idle and (self.wish.include_stopped or self._wants(idle)):
            chosen += idle
        return chosen

    def _show(self, title: str, projects: Sequence[Project]) -> None:
        rows = [(f"  {p.name}", f"{p.containers} running", p.directory, p.trouble) for p in projects]
        for line in (title, *table(rows)):
            tell(line)

    def _which(self, running: list[Project]) -> list[Project]:
        if self.wish.yes or click.confirm("Take them all over?", default=True, err=True):
            return running
        known = {project.name: project for project in running}

        def named(typed: str) -> list[Project]:
            names = [name.strip() for name in typed.split(",") if name.strip()]
            if unknown := [name for name in names if name not in known]:
                raise click.BadParameter(f"not among them: {', '.join(unknown)}")
            return [known[name] for name in names]

        question = "Which ones? Names, separated by commas; empty for none"
        chosen: list[Project] = click.prompt(question, default="", show_default=False, value_proc=named, err=True)
        return chosen

    def _wants(self, idle: list[Project]) -> bool:
        if not self.asks or self.wish.yes:
            return False
        self._show("Compose files of which nothing runs:", idle)
        return click.confirm("Take these over too? A pass would start them.", default=False, err=True)

    # What the host's own file shall allow

    def stack(self, name: str, asks: tuple[Ask, ...]) -> bool:
        reasons = [f"{name}/{ask.service.name} {ask.words}" for ask in asks]
        return self._allowed(PRIVILEGED, self.wish.privileged, name, reasons, "That is as much as being root here.")

    def mount(self, folder: str, asks: tuple[Ask, ...]) -> bool:
        users = sorted({f"{ask.service.stack}/{ask.service.name}" for ask in asks})
        reasons = [f"{folder} is mounted by {', '.join(users)}"]
        return self._allowed(MOUNTS, self.wish.mounts, folder, reasons, "Every stack may mount it then.")

    def _allowed(self, flag: str, said: str | None, name: str, reasons: list[str], meaning: str) -> bool:
        if said is not None:
            return said == ALL or name in listed(said)
        if flag in self._everything:
            return True
        if not self.asks:
            self.unanswered += [f"{flag} {name}: {reason}" for reason in reasons]
            return self.frame.input  # as if it were allowed, to learn what else is asked for
        for line in (*reasons, meaning):
            tell(line)
        choice = click.Choice(("yes", "no", "all"))
        answer = click.prompt("Allow it? yes, no, or all of this kind", type=choice, show_choices=False, err=True)
        if answer == "all":
            self._everything.add(flag)
        return bool(answer != "no")

    def left(self) -> list[str]:
        """What a dry run had to ask nobody; any other run raises then. `--no-input` has answered: no."""
        if not self.frame.input:
            return []
        if self.unanswered and not self.wish.dry_run:
            raise Refused(
                "E-INIT-TRUST",
                "what runs here needs leave of this host, and nobody can be asked",
                why="\n".join(self.unanswered),
                next=f"say what is allowed: {ANSWERS}",
                unchanged="nothing was written",
            )
        return self.unanswered


def _formed(text: str, form: str, flag: str) -> str:
    if re.fullmatch(form, text):
        return text
    if flag:
        raise click.UsageError(f"{flag}: {text!r} does not have the form {form}")
    raise click.BadParameter(f"it has to have the form {form}")


def listed(text: str) -> tuple[str, ...]:
    """The parts of a flag that takes a list; `all-in-use` and `none` have none."""
    return () if text in (ALL, NONE) else tuple(part.strip() for part in text.split(",") if part.strip())


def _require_known(names: Sequence[str], found: Sequence[Project]) -> None:
    known = [project.name for project in found]
    for name in names:
        if name not in known:
            raise Terminal(
                "E-INIT-PROJECT",
                f"there is no Compose project {name} here",
                why=f"found: {', '.join(known) or 'none'}",
                next="look at the names with --dry-run, or search further folders: --search DIR",
            )
