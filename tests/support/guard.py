"""What the guard says to Compose files, on a host whose links are a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from posixpath import normpath

from reconciler.core import guard
from reconciler.core.container import HostPaths
from reconciler.core.fingerprint import Sealer
from reconciler.core.guard import Ground, Policy
from reconciler.core.wanted import HostFacts, wants
from reconciler.errors import Refused
from reconciler.model.desired import Desired
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan
from tests.support.compose import HOST, load

OWN = ("/etc/reconciler", "/var/lib/reconciler", "/opt/reconciler")


def refusal(
    *texts: str,
    links: Mapping[str, str] | None = None,
    checkout: str = HOST,
    allow_privileged: tuple[str, ...] = (),
    allow_host_mounts: tuple[str, ...] = ("/opt", "/srv"),
    engine: str = "",
) -> Refused | None:
    """The first thing that the guard refuses of these stacks; `links` says where folders of the host really lie."""
    stacks = tuple(load(text, default_name=f"app{n or ''}").stack for n, text in enumerate(texts))
    desired = Desired("1" * 40, "box", "fleet", checkout, stacks)
    policy = Policy(allow_privileged, allow_host_mounts, own=OWN, engine=engine)
    ground = Ground({path: followed(path, links or {}) for path in guard.paths(desired, policy)})
    facts = HostFacts(HostPaths(checkout, f"{OWN[1]}/rendered", f"{OWN[0]}/secrets"), Sealer(b""), {}, {})
    try:
        guard.check(desired, wants(desired, facts), Observed("box"), Plan("box", desired.revision), policy, ground)
    except Refused as refused:
        return refused
    return None


def service(body: str, rest: str = "") -> str:
    return f"services: {{web: {{image: a, {body}}}}}\n{rest}"


def followed(path: str, links: Mapping[str, str]) -> str:
    """As realpath(3) has it: without doubled slashes and `..`."""
    path = normpath("/" + path.lstrip("/"))
    for link, target in links.items():
        if path == link or path.startswith(f"{link}/"):
            return target + path.removeprefix(link)
    return path
