"""What is refused before anything is touched, and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.core.guard import Ground, Policy, check, paths
from reconciler.errors import Refused
from reconciler.model.observed import Container, Observed
from reconciler.model.plan import Plan
from tests.support.planning import Wish, wish

WEB = "services: {web: {image: box}}\n"
NOTHING = Observed("alpha")


def refusal(wanted: Wish, observed: Observed = NOTHING, policy: Policy | None = None) -> str:
    """The code of the refusal; "" when there is none."""
    found: Refused | None = None
    try:
        given = policy or Policy()
        allowed = replace(given, allow_host_mounts=(*given.allow_host_mounts, wanted.desired.checkout))
        real = {path: path for path in paths(wanted.desired, allowed)}  # a host without links
        check(wanted.desired, wanted.wants, observed, wanted.plan(observed), allowed, Ground(real))
    except Refused as refused:
        found = refused
    assert found is None or (found.why and found.next)
    return found.code if found else ""


def with_volume(source: str, rest: str = "") -> str:
    return f"services: {{web: {{image: box, volumes: ['{source}:/x']}}}}\n{rest}"


@pytest.mark.parametrize(
    ("text", "policy", "code"),
    [
        ("services: {web: {image: box, privileged: true}}", Policy(), "E-GUARD-PRIVILEGED"),
        ("services: {web: {image: box, privileged: true}}", Policy(allow_privileged=("app",)), ""),
        ("services: {web: {image: box, privileged: true}}", Policy(allow_privileged=("other",)), "E-GUARD-PRIVILEGED"),
        (with_volume("/var/run/docker.sock"), Policy(), "E-GUARD-PRIVILEGED"),
        (with_volume("/run/docker.sock"), Policy(allow_privileged=("app",)), ""),
        (with_volume("/run"), Policy(allow_host_mounts=("/run",)), "E-GUARD-PRIVILEGED"),
        (with_volume("/"), Policy(allow_host_mounts=("/",)), "E-GUARD-PRIVILEGED"),
        (with_volume("/etc"), Policy(), "E-GUARD-MOUNT"),
        (with_volume("/etc"), Policy(allow_host_mounts=("/etc",)), ""),
        (with_volume("/etcetera"), Policy(allow_host_mounts=("/etc",)), "E-GUARD-MOUNT"),
        (with_volume("/opt/../etc"), Policy(), "E-GUARD-MOUNT"),
        (with_volume("/srv/data"), Policy(), ""),
        (with_volume("/srv"), Policy(allow_host_mounts=()), "E-GUARD-MOUNT"),
        (with_volume("/opt/fleet/data"), Policy(allow_host_mounts=()), ""),
        (with_volume("./data"), Policy(allow_host_mounts=()), ""),
        (
            with_volume("v", "volumes: {v: {driver_opts: {type: none, o: bind, device: /etc}}}"),
            Policy(),
            "E-GUARD-MOUNT",
        ),
        (with_volume("v", "volumes: {v: {driver_opts: {type: nfs, o: addr=x, device: ':/x'}}}"), Policy(), ""),
        ("services: {web: {image: box, configs: [c]}}\nconfigs: {c: {file: /etc/shadow}}", Policy(), "E-GUARD-MOUNT"),
        ("services: {web: {image: box, secrets: [c]}}\nsecrets: {c: {file: /srv/token}}", Policy(), ""),
        ("services: {web: {image: box, pull_policy: never}}", Policy(), "E-IMAGE-MISSING"),
        ("services: {web: {image: box, networks: [n]}}\nnetworks: {n: {external: true}}", Policy(), "E-GUARD-EXTERNAL"),
        (with_volume("v", "volumes: {v: {external: true}}"), Policy(), "E-GUARD-EXTERNAL"),
    ],
)
def test_what_a_stack_asks_of_the_host(text: str, policy: Policy, code: str) -> None:
    assert refusal(wish(text), policy=policy) == code


def stacks(*names: str) -> Mapping[str, str]:
    return dict.fromkeys(names, WEB)


@pytest.mark.parametrize(
    ("before", "after", "limit", "code"),
    [
        (("a", "b"), ("a", "b"), 1, ""),
        (("a", "b"), ("a",), 1, ""),
        (("a", "b"), ("a",), 0, "E-GUARD-REMOVALS"),
        (("a", "b", "c"), ("a",), 1, "E-GUARD-REMOVALS"),
        (("a", "b", "c"), ("a",), 2, ""),
        (("a",), (), 5, "E-GUARD-EMPTY"),
        ((), (), 0, ""),
    ],
)
def test_how_much_may_go_at_once(before: tuple[str, ...], after: tuple[str, ...], limit: int, code: str) -> None:
    observed = wish(stacks(*before)).fulfilled()

    assert refusal(wish(stacks(*after)), observed, Policy(max_removed_stacks=limit)) == code


def test_a_service_that_goes_is_no_stack_that_goes() -> None:
    observed = wish("services: {web: {image: box}, db: {image: box}, x: {image: box}}\n").fulfilled()

    assert refusal(wish(WEB), observed, Policy(max_removed_stacks=0)) == ""


def test_two_stacks_cannot_have_the_same_name_or_port() -> None:
    named = "services: {web: {image: box, container_name: one}}\n"
    port = "services: {web: {image: box, ports: ['80:80']}}\n"
    other_protocol = "services: {web: {image: box, ports: ['80:80/udp']}}\n"

    assert refusal(wish({"a": named, "b": named})) == "E-GUARD-NAME-TWICE"
    assert refusal(wish({"a": port, "b": port})) == "E-GUARD-PORT-TWICE"
    assert refusal(wish({"a": port, "b": other_protocol})) == ""


@pytest.mark.parametrize("owner", ["", "another-fleet"])
def test_a_container_of_somebody_else_keeps_its_name(owner: str) -> None:
    foreign = Container("x", "app-web-1", "running", owner=owner)

    assert refusal(wish(WEB), replace(NOTHING, containers=(foreign,))) == "E-GUARD-NAME-TAKEN"


def test_a_volume_is_never_redefined_under_its_data() -> None:
    before = wish(with_volume("v", "volumes: {v: {}}")).fulfilled()

    assert refusal(wish(with_volume("v", "volumes: {v: {driver_opts: {o: ro}}}")), before) == "E-GUARD-VOLUME"
    assert refusal(wish(with_volume("v", "volumes: {v: {}}")), before) == ""


def test_who_wants_the_name_of_another_compose_project_learns_how_to_take_it_over() -> None:
    wanted = wish(WEB)
    foreign = Container("x", "app-web-1", "running", stack="shop", service="front")
    ground = Ground({path: path for path in paths(wanted.desired, Policy())})
    with pytest.raises(Refused) as refused:
        check(wanted.desired, wanted.wants, Observed("alpha", (foreign,)), Plan("alpha", "r"), Policy(), ground)
    assert "Compose project shop, service front" in refused.value.why
    assert "take it over" in refused.value.next
