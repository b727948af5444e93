"""What may happen to a host, each ready to be cut at any point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.adapters.adoptions import AdoptionFile
from reconciler.adapters.docker.memory import Behaviour
from reconciler.adapters.signals import SentinelSignals
from reconciler.model.adopted import Adopted, Adoption
from tests.support.crash import Command, CrashHost, ours
from tests.support.crash_engine import HOST
from tests.support.crash_stacks import (
    APP,
    BEFORE,
    CONF,
    EXTRA,
    LISTENS,
    SOLO,
    SWAP,
    TOLD,
    app,
    conf,
    migrating,
    one,
    pair,
    probed,
)
from tests.support.gitremote import Content


def _nothing(_host: CrashHost) -> None:
    """Only git changed."""


@dataclass(frozen=True)
class Scenario:
    """`deployed` was converged; `change` is pushed, `happens` happens on the host; then comes the pass that dies.

    `change` None: nothing is pushed. `command`: what that pass is asked for; a rollback goes back by one commit.
    """

    name: str
    change: Mapping[str, Content] | None = field(default_factory=dict)
    happens: Callable[[CrashHost], None] = _nothing
    deployed: tuple[Mapping[str, Content], ...] = (BEFORE,)
    command: Command = "converge"

    def __str__(self) -> str:
        return self.name


def _lose(name: str) -> Callable[[CrashHost], None]:
    return lambda host: host.engine.remove(host.engine.by_name()[name].id)


def _sicken(host: CrashHost) -> None:
    host.engine.set_state("app-web-1", "running", health="unhealthy")


def _edit(host: CrashHost) -> None:
    (host.checkout / "manifests/stacks/app/web.conf").write_text("port 81\n")


def _stop(host: CrashHost) -> None:
    host.engine.stop(host.engine.by_name()["app-web-1"].id, None)


def _composed(host: CrashHost) -> None:
    """Compose started all that runs, and no pass has taken it over yet."""
    host.engine.as_compose_made_it()


def _adopted(host: CrashHost) -> None:
    """All that runs was taken over from Compose by an earlier pass."""
    observed = host.engine.observe(HOST, "")
    containers = {c.id: Adoption(c.fingerprint, c.revision) for c in observed.containers if ours(c)}
    networks = frozenset(n.id for n in observed.networks if n.stack)
    host.engine.as_compose_made_it()
    AdoptionFile(host.state).remember(Adopted(containers, networks))


def _break_what_was(host: CrashHost) -> None:
    """The image of the revision before is no good any more: a rollback to it fails."""
    host.engine.behaviour["box/web:1"] = Behaviour(health="unhealthy")


def _rewrite(host: CrashHost) -> None:
    """Somebody rewrote the branch, and a person took that for good."""
    host.remote.force(host.remote.git("rev-list", "--max-parents=0", "main").decode().strip())
    host.commit({**BEFORE, CONF: "port 443\n"})
    SentinelSignals(host.state / "sentinels").accept(host.remote.head)


BAD = {APP: app(web="box/bad:1", more=EXTRA)}
NEXT = {APP: app(web="box/web:2", more=EXTRA)}
LISTENING: Mapping[str, Content] = {
    **BEFORE,
    TOLD: LISTENS.format(image="box/solo:1"),
    **conf(conf_a="1", conf_b="1", quiet_c="1", alone="1"),
}
TELLING = (
    Scenario("told by a signal", conf(conf_a="2"), deployed=(LISTENING,)),
    Scenario("told by a command", conf(conf_b="2"), deployed=(LISTENING,)),
    Scenario("told by both", conf(conf_a="2", conf_b="2", quiet_c="2"), deployed=(LISTENING,)),
    Scenario("told nothing", conf(quiet_c="2"), deployed=(LISTENING,)),
    Scenario("a single file, so restarted", conf(alone="2"), deployed=(LISTENING,)),
    Scenario("told and replaced", {TOLD: LISTENS.format(image="box/web:1"), **conf(conf_a="2")}, deployed=(LISTENING,)),
    Scenario("does not like what it is told, so undone", conf(conf_a="2", conf_b="bad"), deployed=(LISTENING,)),
    Scenario("told beside a bad one, so undone", {**BAD, **conf(conf_a="2")}, deployed=(LISTENING,)),
    Scenario("restarted beside a bad one, so undone", {**BAD, **conf(alone="2", conf_a="2")}, deployed=(LISTENING,)),
    Scenario("told, and taken over before", conf(conf_a="2"), _adopted, deployed=(LISTENING,)),
)
BY_THE_TIMER = (
    Scenario("first deploy", BEFORE, deployed=()),
    Scenario("one image", {APP: app(web="box/web:2", more=EXTRA)}),
    Scenario("one mounted file", {CONF: "port 8080\n"}),
    Scenario("content of a config", {APP: app(motd="good day", more=EXTRA)}),
    Scenario("what others depend on", {APP: app(db="box/db:2", more=EXTRA)}),
    Scenario("a job", {APP: app(job="box/job:2", more=EXTRA)}),
    Scenario("start first", {SOLO: one("solo", "box/solo:2")}),
    Scenario("a removed service", {APP: app()}),
    Scenario("a removed stack", {SOLO: None}),
    Scenario("a network made anew", {APP: app(internal="true", more=EXTRA)}),
    Scenario("names and addresses exchanged", {SWAP: pair(a="right", b="left")}, deployed=({**BEFORE, SWAP: pair()},)),
    Scenario(
        "names exchanged with a bad one, so undone",
        {SWAP: pair("box/bad:1", "right", "left")},
        deployed=({**BEFORE, SWAP: pair()},),
    ),
    Scenario("a subnet moves to a new network", {SWAP: pair(net="two")}, deployed=({**BEFORE, SWAP: pair()},)),
    Scenario(
        "a subnet moves with a bad one, so undone",
        {SWAP: pair("box/bad:1", net="two")},
        deployed=({**BEFORE, SWAP: pair()},),
    ),
    Scenario("restart policy", {APP: app(policy="unless-stopped", more=EXTRA)}),
    Scenario("only a comment", {"README.md": "words\n"}),
    Scenario("container missing", happens=_lose("app-web-1")),
    Scenario("container stopped by hand", happens=_stop),
    Scenario("container sick", happens=_sicken),
    Scenario("mounted file edited on the host", happens=_edit),
    Scenario("bad health, so undone", BAD),
    Scenario("bad health and a new network, so undone", {APP: app(web="box/bad:1", internal="true", more=EXTRA)}),
    Scenario("does not start, so undone", {APP: app(web="box/stubborn:1", more=EXTRA), CONF: "port 1\n"}),
    Scenario("a probe holds", {SOLO: probed("box/solo:2", "exec: [ready], service: solo")}),
    Scenario("a probe does not hold, so undone", {SOLO: probed("box/solo:2", "file: no-such-file")}),
    Scenario("only a probe is new", {SOLO: probed("box/solo:1", "containers: all")}),
    Scenario("flaps when watched, so undone", {APP: app(web="box/flap:1", more=EXTRA)}),
    Scenario(
        "two new stacks, one bad, so undone",
        {
            "manifests/stacks/new/compose.yaml": one("new"),
            "manifests/stacks/ill/compose.yaml": one("ill", "box/bad:1"),
        },
    ),
    Scenario("mended after an undo", {APP: app(web="box/web:2", more=EXTRA)}, deployed=(BEFORE, BAD)),
    Scenario("taken over from compose", happens=_composed),
    Scenario("taken over from compose, one differs", {APP: app(web="box/web:2", more=EXTRA)}, _composed),
    Scenario("taken over from compose with a bad one, so undone", BAD, _composed),
    Scenario("taken over before, one image", {APP: app(db="box/db:2", more=EXTRA)}, _adopted),
    Scenario("taken over before, a network made anew", {APP: app(internal="true", more=EXTRA)}, _adopted),
    Scenario("taken over before, a removed stack", {SOLO: None}, _adopted),
    Scenario("taken over before, bad health, so undone", BAD, _adopted),
    Scenario(
        "everything at once",
        {
            APP: app(
                db="box/db:2", job="box/job:2", web="box/web:2", internal="true", motd="bye", policy="unless-stopped"
            ),
            SOLO: None,
            CONF: "port 8080\n",
            "manifests/stacks/new/compose.yaml": one("new"),
        },
    ),
)

MIGRATED = {**BEFORE, APP: migrating()}
WITH_MIGRATIONS = (
    Scenario("first deploy with a migration", MIGRATED, deployed=()),
    Scenario("migrated", {APP: migrating("more", web="box/web:2")}, deployed=(MIGRATED,)),
    Scenario("migrated in a container of a new image", {APP: migrating("more", db="box/db:2")}, deployed=(MIGRATED,)),
    Scenario("migrated though nothing of it changed", {"README.md": "words\n"}, deployed=(MIGRATED,)),
    Scenario("not migrated when drift is healed", None, _lose("app-web-1"), (MIGRATED,)),
    Scenario("failing migration, so undone", {APP: migrating("fails", web="box/web:2")}, deployed=(MIGRATED,)),
    Scenario(
        "bad health after its migration, so undone", {APP: migrating("more", web="box/bad:1")}, deployed=(MIGRATED,)
    ),
)

BY_A_PERSON = (
    Scenario("deployed", NEXT, command="deploy"),
    Scenario("first deploy by hand", BEFORE, deployed=(), command="deploy"),
    Scenario("deployed with a network made anew", {APP: app(internal="true", more=EXTRA)}, command="deploy"),
    Scenario("deployed with bad health, so undone", BAD, command="deploy"),
    Scenario("deployed and does not start, so undone", {APP: app(web="box/stubborn:1", more=EXTRA)}, command="deploy"),
    Scenario("deployed after one that failed", NEXT, deployed=(BEFORE, BAD), command="deploy"),
    Scenario(
        "deployed and migrated", {APP: migrating("more", web="box/web:2")}, deployed=(MIGRATED,), command="deploy"
    ),
    Scenario(
        "deployed with a failing migration, so undone",
        {APP: migrating("fails", web="box/web:2")},
        deployed=(MIGRATED,),
        command="deploy",
    ),
    Scenario(
        "deployed with bad health after its migration, so undone",
        {APP: migrating("more", web="box/bad:1")},
        deployed=(MIGRATED,),
        command="deploy",
    ),
    Scenario("rolled back", None, deployed=(BEFORE, NEXT), command="rollback"),
    Scenario("rolled back over a stack", None, deployed=(BEFORE, {SOLO: None, **NEXT}), command="rollback"),
    Scenario("rolled back to what is broken, so halted", None, _break_what_was, (BEFORE, NEXT), "rollback"),
    Scenario("a rewrite that was accepted", None, _rewrite),
    Scenario(
        "the branch is mistyped, so healed", {"manifests/stacks/new/compose.yaml": "servces: {}\n"}, _lose("app-db-1")
    ),
    Scenario("its image is nowhere, so healed", {APP: app(web="box/nowhere:1", more=EXTRA)}, _stop),
)

SCENARIOS = (*TELLING, *BY_THE_TIMER, *WITH_MIGRATIONS, *BY_A_PERSON)
