"""What runs hears of files that changed under it: by a signal, by a command, or by being started again."""

from __future__ import annotations

from reconciler.convergence.exchange import REFRESH, grace
from reconciler.errors import ReconcilerError, Terminal, Unreachable
from reconciler.model.plan import Action, Plan, Step
from reconciler.ports import ContainerEngine, Ledger, Progress

_TOLD_LINES = 15


def tell(engine: ContainerEngine, step: Step) -> None:
    """The signals and commands of a step, in their order. Terminal (E-ON-CHANGE) when a command fails."""
    assert step.current is not None
    for rule in step.rules:
        if rule.action == "signal":
            engine.signal(step.current.id, rule.signal)
            continue
        code, log = engine.exec(step.current.id, rule.command, rule.timeout)
        if code:
            raise Terminal(
                "E-ON-CHANGE",
                f"{step.slot}: {rule.command[0]} in the container ended with {code}",
                why="\n".join(log.splitlines()[-_TOLD_LINES:]) or "it wrote nothing",
                next="mend what it complains about, or the on_change rule of the service, and push",
            )


def tell_again(engine: ContainerEngine, ledger: Ledger, progress: Progress, plan: Plan) -> None:
    """The files are back: what the pass brought up to date hears of it; who does not listen is started again.

    What could not be told keeps its promise open, and the next pass restarts it.
    """
    for step in plan.steps:
        if not step.renews or step.action is Action.KEEP or step.current is None:
            continue
        try:
            _tell_again(engine, step)
        except Unreachable:
            raise
        except ReconcilerError as error:
            progress.say(error.what)
            continue
        for intent in ledger.open_intents():
            if intent.kind == REFRESH and intent.container == step.current.id:
                ledger.settle(intent.run, intent.container)


def _tell_again(engine: ContainerEngine, step: Step) -> None:
    assert step.current is not None
    for now in engine.look([step.current.id]):
        if step.rules and now.running:
            try:
                tell(engine, step)
            except Terminal:
                _restart(engine, step)
        elif now.started_at != step.current.started_at:
            _restart(engine, step)


def _restart(engine: ContainerEngine, step: Step) -> None:
    assert step.current is not None
    engine.stop(step.current.id, grace(step.current))
    engine.start(step.current.id)
