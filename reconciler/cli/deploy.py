"""deploy, rollback, accept: one exact revision, because somebody says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.actor import actor
from reconciler.cli.frame import DURATION, Answer, Frame, Helpful, give, global_options, settings_of
from reconciler.cli.progress import showing
from reconciler.cli.target import target_argument

if TYPE_CHECKING:
    from reconciler.cli.turn import Turn


@click.command(cls=Helpful, short_help="Deploy exactly this commit, once its CI is green.")
@click.argument("revision", metavar="[SHA]", required=False, default="")
@click.option("--wait-ci", type=DURATION, metavar="TIME", help="Ask CI every 15 s for so long.  [default: ask once]")
@click.option(
    "--override-ci", metavar="REASON", default="", help="Deploy whatever CI says; the reason stands in the history."
)
@click.option("--wait", type=DURATION, default="10m", show_default=True, help="Wait so long for a pass that runs now.")
@global_options
@click.pass_obj
def deploy(frame: Frame, revision: str, wait_ci: float | None, override_ci: str, wait: float) -> int:
    """The same pass as converge, for exactly SHA (the head of the branch when left out), which the branch must hold.

    Meanwhile the timer changes nothing; after a failure it does not either, until a person resumes it or 4 hours are
    over. A deploy that a newer commit has overtaken steps aside and ends well.
    """
    from reconciler.cli.results import answer_of
    from reconciler.convergence.world import Request
    from reconciler.wiring import new_run

    with _turn(frame, "deploy", wait) as turn:
        sha = turn.revision(revision)
        run = new_run()
        with turn.announced(sha, run):
            if wait_ci and not override_ci:
                turn.wait_for_ci(sha, wait_ci)
            result = turn.take(Request(run, "deploy", actor(), revision=sha, override=override_ci))
    return give(frame, answer_of(frame, result), one_line=True)


@click.command(cls=Helpful, short_help="Go back to a revision that was good, and stay there.")
@target_argument()
@click.argument("revision", metavar="[SHA]", required=False, default="")
@click.option("--reason", required=True, help="Why; it stands in the history, on the block and in notices.")
@click.option("--wait", type=DURATION, default="10m", show_default=True, help="Wait so long for a pass that runs now.")
@global_options
@click.pass_obj
def rollback(frame: Frame, target: str, revision: str, reason: str, wait: float) -> int:
    """Go back to SHA, or to what was verified before. TARGET is the host: a revision is a whole.

    What runs now is blocked first, so that no timer brings it back; a newer commit is deployed as ever. Needs no
    network, runs no migration, and asks neither CI nor the limits of the guard.
    """
    from reconciler.cli.results import answer_of
    from reconciler.convergence.world import Request
    from reconciler.wiring import new_run

    host = settings_of(frame).host
    if target != host:
        raise click.UsageError(f"{target!r} cannot go back by itself: git has one revision for the whole host {host}")
    with _turn(frame, "rollback", wait) as turn:
        sha = turn.earlier(revision)
        result = turn.take(Request(new_run(), "rollback", actor(), revision=sha, reason=reason))
    return give(frame, answer_of(frame, result), one_line=True)


@click.command(cls=Helpful, short_help="Follow a branch that was rewritten, from this commit on.")
@click.argument("revision", metavar="SHA")
@click.option("--wait", type=DURATION, default="10m", show_default=True, help="Wait so long for a pass that runs now.")
@global_options
@click.pass_obj
def accept(frame: Frame, revision: str, wait: float) -> int:
    """Follow a branch that was rewritten, from SHA on, though it does not descend from what was verified last.

    Nothing is deployed by this. What was verified before stays the revision to go back to.
    """
    with _turn(frame, "accept", wait) as turn:
        sha = turn.accept(revision)
    lines = [f"Accepted {sha[:7]}: the next pass follows the branch from there", "  reconciler converge"]
    return give(frame, Answer({"accepted": sha}, lines, [sha]))


def _turn(frame: Frame, why: str, patience: float) -> Turn:
    from reconciler.cli.turn import Turn

    return Turn(settings_of(frame), showing(frame, streams=True), f"{why}, asked by {actor()}", patience)
