"""restart and migrate: a person's own work on containers, under the lock of the passes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from reconciler.cli.actor import actor
from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options, settings_of
from reconciler.cli.progress import showing
from reconciler.cli.target import target_argument
from reconciler.errors import ReconcilerError

if TYPE_CHECKING:
    from reconciler.convergence.world import Rules, World
    from reconciler.model.result import Result

Work = Callable[["World", "Rules", str], "Result"]
"""Does it in the world, by the host's rules, as the run of that id."""

_force = click.option("--force", is_flag=True, help="Also while the host or the stack is paused.")


@click.command(cls=Helpful, short_help="Stop and start containers again as they are.")
@target_argument()
@_force
@global_options
@click.pass_obj
def restart(frame: Frame, target: str, force: bool) -> int:
    """Stop and start the containers of HOST, HOST/STACK or HOST/STACK/SERVICE again, as they are.

    In the order of depends_on, and each level is healthy before the next. What shares a network or process namespace
    of one, or depends on one with `restart: true`, is restarted along. Jobs are not run again.
    """
    from reconciler.convergence.by_hand import recorded, refuse_when_paused
    from reconciler.convergence.observe import observe
    from reconciler.convergence.restart import Restart
    from reconciler.convergence.wait import Waiting
    from reconciler.core.ours import ours
    from reconciler.core.restarting import to_restart
    from reconciler.model.report import Run

    def work(world: World, rules: Rules, run: str) -> Result:
        host, owner = rules.site.host, world.identity.owner()
        observed = observe(world.engine, world.adoptions, host, owner)
        asked, mine = ours(observed, owner, target), ours(observed, owner, host)
        if not force:
            refuse_when_paused(world, host, sorted({c.stack for c in to_restart(asked, mine)}))
        waiting = Waiting(world.engine, world.clock, world.progress, rules.timeout, rules.job_timeout)
        again = Restart(world, waiting, run, rules.parallel)

        def doing() -> str:
            done = [str(container.slot) for container in again.run(asked, mine)]
            return f"restarted {', '.join(done)}" if done else "nothing to restart: none of them runs"

        return recorded(world, Run(run, "restart", actor(), "", "", world.clock.now(), host=host), doing)

    return _give(frame, target, _locked(frame, f"restart {target}", work))


@click.command(cls=Helpful, short_help="Run the declared migrations of a stack now.")
@target_argument()
@_force
@global_options
@click.pass_obj
def migrate(frame: Frame, target: str, force: bool) -> int:
    """Run the migrations of HOST, HOST/STACK or HOST/STACK/SERVICE now, as the last verified revision declares them.

    One of a service runs in a container of its own, made like the one that runs; RECONCILER_MODE is `manual` there.
    They are idempotent by contract; the first that fails ends it. Nothing is ever migrated back.
    """
    from reconciler.convergence.by_hand import recorded, refuse_when_paused
    from reconciler.convergence.gather import Gather
    from reconciler.convergence.migrate import Migrate, patterns
    from reconciler.convergence.observe import observe
    from reconciler.core.migrations import chosen, refuse_untrusted
    from reconciler.model.report import Run
    from reconciler.wiring import make_shell

    def work(world: World, rules: Rules, run: str) -> Result:
        from reconciler.cli.look import last_seen

        host, owner = rules.site.host, world.identity.owner()
        revision = world.signals.stamp() or last_seen(world)
        gather = Gather(rules.site, rules.policy, world)
        desired = gather.desired(revision, owner)[1]
        stacks = chosen(desired, target)
        for stack in stacks:
            refuse_untrusted(stack, rules.policy.allow_privileged)
        if not force:
            refuse_when_paused(world, host, [stack.name for stack in stacks])
        observed = observe(world.engine, world.adoptions, host, owner)
        migrating = Migrate(world, make_shell(), run, owner, "manual")

        def doing() -> str:
            done = [f"{stack.name}: {migration.name}" for stack in stacks for migration in stack.migrations]
            for stack in stacks:
                migrating.run(stack, patterns(stack, observed, owner), desired.checkout)
            return f"migrated {', '.join(done)}" if done else f"nothing to migrate: {target} declares no migration"

        return recorded(world, Run(run, "migrate", actor(), "", "", world.clock.now(), host=host), doing)

    return _give(frame, target, _locked(frame, f"migrate {target}", work))


def _locked(frame: Frame, why: str, work: Work) -> Result:
    """Under the pass lock; a signal lets the step at work end first. Busy while a pass runs."""
    from reconciler.adapters.lock import Holder, PassLock
    from reconciler.wiring import make_rules, make_world, new_run
    from reconciler.wiring.clock import SystemClock, stopping_politely

    settings, clock, run = settings_of(frame), SystemClock(), new_run()
    with showing(frame) as progress, stopping_politely(clock):
        holder = Holder(os.getpid(), clock.now(), f"{why}, asked by {actor()}", run)
        return PassLock(settings.state.directory).hold(
            holder,
            lambda: work(make_world(settings, clock, progress), make_rules(settings), run),
            settings.inbox.trigger,
        )


def _give(frame: Frame, target: str, result: Result) -> int:
    line = f"{result.reason[:1].upper()}{result.reason[1:]}  ({result.seconds:.1f} s)"
    data = {"run": result.run, "target": target, "outcome": result.outcome, "reason": result.reason}
    error = result.error
    if result.outcome == "interrupted":
        error = ReconcilerError("E-INTERRUPTED", result.reason, why="it was asked to stop", next="reconciler converge")
    lines = [] if error else [line]
    return give(frame, Answer(data, lines, [target], (), result.exit_code, error is None, error))
