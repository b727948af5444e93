"""submit: hand packages to the build swarm, or see first what is read of a list."""

from __future__ import annotations

import secrets
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options
from reconciler.cli.swarm.common import Data, a_name, orchestrator_of, swarm_settings_of
from reconciler.errors import Position, ReconcilerError, Refused, Terminal, Unreachable

if TYPE_CHECKING:
    from reconciler.model.sets import PackageSet
    from reconciler.ports import Tree

LARGEST = 8 << 20
"""Bytes of a list, as the orchestrator takes it."""
_SIGNS = {"accepted": "+", "deduplicated": "=", "refused": "x"}


@click.command(cls=Helpful, short_help="Have packages built: a list of atoms, a set, or what emerge printed.")
@click.argument("file", required=False, type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--set", "name", metavar="NAME", help="A package set: packages/NAME.yaml of the manifests.")
@click.option(
    "--manifests",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="The folder of manifests that has the set, instead of what was fetched last.",
)
@click.option("--dry-run", is_flag=True, help="Show what is read of it; nobody is asked.")
@click.option(
    "--profile",
    metavar="NAME",
    callback=a_name,
    help="For drones of this profile.  [default: the set's, or default]",
)
@click.option("--key", metavar="KEY", help="Idempotency key: the same again builds nothing twice.")
@global_options
@click.pass_obj
def submit(
    frame: Frame,
    file: str | None,
    name: str | None,
    manifests: Path | None,
    dry_run: bool,
    profile: str | None,
    key: str | None,
) -> int:
    """Have packages built: FILE (- is standard input) has atoms, one a line, or what `emerge -p` printed.

    `emerge -puDN --tree @world | reconciler submit -` is the usual way. What was accepted, is there already, or was
    refused is told line by line, each with its reason.
    """
    if bool(file) == bool(name):
        raise click.UsageError("Either FILE (- for standard input) or --set NAME.")
    if name:
        wanted = _of_set(_set(frame, name, manifests), profile)
    else:
        assert file is not None
        wanted = {"text": _text(file), "profile": profile or "default"}
    if dry_run:
        from reconciler.cli.swarm.submit_dry import read

        return give(frame, read("\n".join(wanted["atoms"]) if name else wanted["text"], name or file or ""))
    return give(frame, _sent(frame, wanted, key or wanted.get("key") or f"cli-{secrets.token_hex(12)}"))


def _sent(frame: Frame, wanted: dict[str, Any], key: str) -> Answer:
    from reconciler.cli.actor import actor

    body = {**wanted, "key": key, "actor": actor()[:200]}
    try:
        told = orchestrator_of(frame).post("queue", body=body)
    except Unreachable as error:
        again = f"{error.next}; then the same with --key {key}: what arrived already is not built twice"
        raise Unreachable(error.code, error.what, why=error.why, next=again) from error
    return _answer(told)


def _answer(told: Data) -> Answer:
    request = told["request"]
    counts = ", ".join(f"{len(told[kind])} {kind}" for kind in _SIGNS)
    state = "resolving: a drone is asked first" if request["state"] == "resolving" else f"{request['state']}: {counts}"
    lines = [f"request {request['id']}{' (known already)' if told['repeated'] else ''}: {state}"]
    rows = [(sign, each["what"], each["reason"]) for kind, sign in _SIGNS.items() for each in told[kind]]
    width = max((len(what) for _, what, _ in rows), default=0)
    lines += [f"  {sign} {what:<{width}}  {reason}".rstrip() for sign, what, reason in rows]
    lines.append(f"  follow it: reconciler queue watch {request['id']}" if request["ended"] is None else "")
    warnings = [f"line {each['line']}: {each['text'].splitlines()[0]}" for each in told["messages"] if each["text"]]
    error = _nothing(told) if request["state"] == "refused" else None
    code = error.exit_code if error else 0
    return Answer(told, [line for line in lines if line], [request["id"]], warnings, code, error is None, error)


def _nothing(told: Data) -> ReconcilerError:
    reasons = [f"{each['what']}: {each['reason']}" for each in told["refused"]]
    return Refused(
        "E-SUBMIT-REFUSED",
        "nothing of it is built",
        why="; ".join(reasons[:3]) or told["request"]["reason"] or "there is no package in it",
        next="reconciler submit --dry-run shows what is read of it",
    )


# ---- what is wanted


def _text(file: str) -> str:
    """At most 8 MiB of UTF-8. Terminal (E-PACKAGES)."""
    try:
        raw = (sys.stdin.buffer if file == "-" else open(file, "rb")).read(LARGEST + 1)  # noqa: SIM115  read at once
    except FileNotFoundError as error:
        raise Terminal(
            "E-PACKAGES",
            f"there is no file {file}",
            why="a list is read from a file, or from standard input (-)",
            next=f"name another one; for a package of that name: echo {shlex.quote(file)} | reconciler submit -",
        ) from error
    except OSError as error:
        raise _unread(file, error.strerror or str(error), Position(file)) from error
    if len(raw) > LARGEST:
        raise _unread(file, f"it is larger than {LARGEST >> 20} MiB", Position(file))
    if not raw.strip():
        raise _unread(file, "there is nothing in it", Position(file))
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _unread(file, "it is not UTF-8", Position(file, raw[: error.start].count(b"\n") + 1, 1)) from error


def _unread(file: str, why: str, at: Position) -> Terminal:
    what = "standard input" if file == "-" else file
    return Terminal("E-PACKAGES", f"{what} cannot be read as a list", why=why, next="hand in another one", at=at)


def _of_set(found: PackageSet, profile: str | None) -> dict[str, Any]:
    """All of it, under a name of its own: a person says so, whatever became of it before."""
    from reconciler.core.packages.handing import by_hand

    asked = by_hand(replace(found, profile=profile or found.profile), secrets.token_hex(12), "")
    use = {atom: list(flags) for atom, flags in asked.use.items()}
    return {"atoms": list(asked.atoms), "use": use, "set": asked.set, "profile": asked.profile, "key": asked.key}


def _set(frame: Frame, name: str, manifests: Path | None) -> PackageSet:
    from reconciler.adapters.directory_tree import DirectoryTree
    from reconciler.core.packages.sets import load_set

    tree, folder = (DirectoryTree(manifests), "") if manifests else _fetched(frame)
    return load_set(tree, folder, name)


def _fetched(frame: Frame) -> tuple[Tree, str]:
    """The manifests that this host fetched last."""
    from reconciler.git.objects import Objects, newest_fetched

    settings = swarm_settings_of(frame)
    clone = Path(settings.state.directory) / "repository.git"
    if not (revision := newest_fetched(clone)):
        raise Terminal(
            "E-NO-REVISION",
            "no manifests were fetched on this host yet",
            why=f"there is no revision in {clone}",
            next="name a folder that has the set: --manifests manifests",
        )
    return Objects(clone).tree(revision), settings.repository.path or "manifests"
