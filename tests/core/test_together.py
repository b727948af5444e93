"""What goes together and what is held back, over values and the engine in memory."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping

import pytest

from reconciler.adapters.docker.memory import MemoryEngine
from reconciler.core.compose.load import HostContext, load_stack
from reconciler.core.container import HostPaths
from reconciler.core.fingerprint import Sealer
from reconciler.core.order import check_order, entangled, levels
from reconciler.core.planner import plan
from reconciler.core.scope import narrowed
from reconciler.core.trees import MemoryTree
from reconciler.core.wanted import HostFacts, Want, wants
from reconciler.errors import BadConfiguration
from reconciler.model.desired import Desired, Stack
from reconciler.model.observed import Observed, Slot
from reconciler.model.plan import Plan
from tests.support.compose import problem

FLEET = "the fleet"
FACTS = HostFacts(HostPaths("/opt/fleet", "/rendered", "/secrets"), Sealer(b"key"), {}, {})


def desired(**stacks: str) -> Desired:
    return Desired("c1", "box", FLEET, "/opt/fleet", tuple(_stack(name, text) for name, text in stacks.items()))


def _stack(name: str, text: str) -> Stack:
    file = f"stacks/{name}/compose.yaml"
    tree = MemoryTree({file: textwrap.dedent(text)})
    return load_stack(tree, file, HostContext("/opt/fleet", host_file_root="/env"), name).stack


def wanted(**stacks: str) -> dict[Slot, Want]:
    return wants(desired(**stacks), FACTS)


def running(engine: MemoryEngine, wanted: Mapping[Slot, Want]) -> Observed:
    """All of it made and started, as a pass leaves it."""
    ids: dict[Slot, str] = {}
    for level in levels(wanted, wanted):
        for slot in level:
            spec = wanted[slot].spec
            joined = {key: f"container:{ids[host]}" for key, host in spec.namespaces.items()}
            body = {**spec.body, "HostConfig": {**spec.body["HostConfig"], **joined}}
            ids[slot] = engine.create(spec.name, {k: v for k, v in body.items() if k != "NetworkingConfig"}, "")
            engine.start(ids[slot])
    return engine.observe("box", FLEET)


def planned(observed: Observed, blocked: Collection[str] = (), **stacks: str) -> Plan:
    wanted = desired(**stacks)
    return plan(wanted, wants(wanted, FACTS), observed, blocked=blocked)


def actions(plan: Plan) -> dict[str, str]:
    return {str(step.slot): str(step.action) for step in plan.steps}


VPN = "services: {vpn: {image: a, container_name: tunnel, network_mode: none, stop_signal: %s}}"
CLIENT = "services: {one: {image: a, network_mode: 'container:tunnel'}, two: {image: a, network_mode: none}}"


# Namespaces


def test_a_name_of_ours_becomes_the_slot_behind_it() -> None:
    found = wanted(apps=CLIENT, net=VPN % "A")

    assert found[Slot("apps", "one")].spec.namespaces == {"NetworkMode": Slot("net", "vpn")}
    assert levels(found, found) == [[Slot("apps", "two"), Slot("net", "vpn")], [Slot("apps", "one")]]
    assert entangled({"net"}, found) == {"net", "apps"}
    assert entangled({"other"}, found) == {"other"}


def test_a_name_of_nobody_stays_as_written() -> None:
    spec = wanted(apps=CLIENT)[Slot("apps", "one")].spec

    assert spec.namespaces == {}
    assert spec.joined == {"NetworkMode": "tunnel"}


def test_stacks_that_join_each_other_are_refused() -> None:
    one = "services: {a: {image: a, container_name: first, pid: 'container:second'}}"
    two = "services: {b: {image: a, container_name: second, ipc: 'container:first'}}"

    with pytest.raises(BadConfiguration) as caught:
        check_order(wanted(one=one, two=two))
    assert "one/a" in caught.value.what and "two/b" in caught.value.what


def test_a_namespace_of_a_service_without_containers_is_refused() -> None:
    found = problem("services: {a: {image: a, deploy: {replicas: 0}}, b: {image: a, pid: 'service:a'}}")

    assert found.code == "E-COMPOSE-REFERENCE" and "replicas: 0" in found.what


# Narrowed


@pytest.mark.parametrize(
    ("target", "steps"),
    [
        ("box", {"net/vpn", "apps/one", "apps/two"}),
        ("box/net", {"net/vpn", "apps/one"}),
        ("box/apps/one", {"net/vpn", "apps/one"}),
        ("box/apps/two", {"apps/two"}),
    ],
)
def test_what_shares_a_namespace_is_asked_for_together(target: str, steps: set[str]) -> None:
    engine = MemoryEngine(["a"])
    observed = running(engine, wanted(apps=CLIENT, net=VPN % "A"))
    new = {"apps": CLIENT.replace("none", "none, user: x"), "net": VPN % "B"}

    whole = planned(observed, **new)

    assert actions(narrowed(whole, target, (), wanted(**new))).keys() == steps


@pytest.mark.parametrize(("paused", "steps"), [("apps", set()), ("net", {"apps/two"})])
def test_what_shares_a_namespace_is_held_together(paused: str, steps: set[str]) -> None:
    observed = running(MemoryEngine(["a"]), wanted(apps=CLIENT, net=VPN % "A"))
    new = {"apps": CLIENT.replace("none", "none, user: x"), "net": VPN % "B"}

    chosen = narrowed(planned(observed, **new), "", [paused], wanted(**new))

    assert actions(chosen).keys() == steps
    assert any("waits for a stack that is paused" in finding for finding in chosen.findings)


# What a kernel cannot do


LIMITED = "services: {web: {image: a, network_mode: none, mem_limit: 64m, pids_limit: 10, deploy: {replicas: 2}}}"


def test_limits_that_the_kernel_drops_are_told_and_not_mended() -> None:
    engine = MemoryEngine(["a"])
    engine.lacks = frozenset({"Memory", "MemoryReservation", "PidsLimit"})
    observed = running(engine, wanted(app=LIMITED))
    assert "Memory" not in observed.containers[0].definition["HostConfig"]

    found = planned(observed, app=LIMITED)

    assert found.empty
    assert found.findings == (
        "memory limits of 1 service are not enforced: this kernel has no memory controller",
        "pids limits of 1 service are not enforced: this kernel has no pids controller",
    )


def test_a_limit_that_is_gone_is_mended_where_the_kernel_can() -> None:
    engine = MemoryEngine(["a"])
    observed = running(engine, wanted(app=LIMITED))
    engine.update(observed.containers[0].id, {"Memory": 0})

    assert actions(planned(engine.observe("box", FLEET), app=LIMITED)) == {"app/web": "update"}


# Images


def test_a_tag_is_not_followed_to_an_image_that_is_blocked() -> None:
    engine = MemoryEngine(["a"])
    app = "services: {web: {image: a, network_mode: none}}"
    running(engine, wanted(app=app))
    engine.registry.add("a:latest")
    engine.pull("a", "", print)
    observed = engine.observe("box", FLEET)
    image = next(i.id for i in observed.images if i.tags).removeprefix("sha256:")

    assert actions(planned(observed, app=app)) == {"app/web": "replace"}
    held = planned(observed, [f"image-{image}"], app=app)
    assert held.empty and "sentinels clear image-" in held.findings[0]
    assert actions(planned(observed, ["image-0000"], app=app)) == {"app/web": "replace"}
