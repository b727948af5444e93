"""What the host's own file has to allow: just what the guard would ask for, and nothing that nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.guard import Ask, Policy
from reconciler.core.trust import Granted, grant
from reconciler.model.desired import Desired
from tests.support.compose import HOST, load
from tests.support.guard import OWN, followed

SOCKET = "services: {web: {image: a, volumes: ['/var/run/docker.sock:/s', '/mnt/x:/x']}}"
MOUNTS = "services: {web: {image: a, volumes: ['/mnt/x:/x', '/etc/localtime:/t:ro', '/srv/link:/l']}}"


def granting(
    *texts: str, allow: bool = True, links: Mapping[str, str] | None = None
) -> tuple[Granted, list[tuple[str, list[str]]]]:
    """What was granted, and every question with who asked."""
    stacks = tuple(load(text, default_name=f"app{n or ''}").stack for n, text in enumerate(texts))
    desired = Desired("1" * 40, "box", "fleet", HOST, stacks)
    asked: list[tuple[str, list[str]]] = []

    def answer(name: str, asks: tuple[Ask, ...]) -> bool:
        asked.append((name, sorted({ask.service.stack for ask in asks})))
        return allow

    policy = Policy((), (HOST,), own=OWN)
    return grant(desired, policy, lambda path: followed(path, links or {}), answer, answer), asked


def test_each_thing_is_asked_for_once_with_all_who_want_it() -> None:
    granted, asked = granting(MOUNTS, MOUNTS)

    assert asked == [("/mnt/x", ["app", "app1"]), ("/srv/link", ["app", "app1"])]
    assert granted.policy.allow_host_mounts == (HOST, "/mnt/x", "/srv/link")
    assert granted.refused == ()


def test_a_stack_that_may_be_as_root_is_not_asked_about_its_mounts() -> None:
    granted, asked = granting(SOCKET)

    assert asked == [("app", ["app"])]
    assert (granted.policy.allow_privileged, granted.policy.allow_host_mounts) == (("app",), (HOST,))


def test_where_a_link_leads_is_allowed_with_it() -> None:
    granted, asked = granting(MOUNTS, links={"/srv/link": "/data/real"})

    assert [name for name, _ in asked] == ["/mnt/x", "/srv/link"]
    assert granted.refused == ()


def test_a_no_is_kept_and_what_will_be_refused_is_told() -> None:
    granted, asked = granting(SOCKET, allow=False)

    assert [name for name, _ in asked] == ["app", "/var/run/docker.sock", "/mnt/x"]
    assert granted.policy == Policy((), (HOST,), own=OWN)
    assert {ask.mount for ask in granted.refused} == {"", "/var/run/docker.sock", "/mnt/x"}
