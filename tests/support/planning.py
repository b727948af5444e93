"""A host in values: what a Compose file wants there, and what would run if a plan had been carried out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.core.assemble import Assembled, HostSide, assemble
from reconciler.core.container import HostPaths
from reconciler.core.fingerprint import Sealer, network_fingerprint, volume_fingerprint
from reconciler.core.planner import plan
from reconciler.core.trees import Content, MemoryTree
from reconciler.core.wanted import HostFacts, Want, wants
from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.observed import Container, Image, Observed, ObservedNetwork, ObservedVolume, Slot, familiar
from reconciler.model.plan import Plan

OWNER = "fleet-1"
REVISION = "a" * 40
FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {alpha: {connect: local, checkout: /opt/fleet}}\n"
PATHS = HostPaths("/opt/fleet", "/state/rendered", "/etc/reconciler/secrets")


def assembled(
    stacks: Mapping[str, str],
    files: Mapping[str, Content] | None = None,
    host: Mapping[str, bytes] | None = None,
    *,
    revision: str = REVISION,
    fleet: str = FLEET,
) -> Assembled:
    """`stacks`: name -> Compose file; `files` by their path in the repository; `host`: the host's own env files."""
    tree = MemoryTree({
        "fleet.yaml": fleet,
        **{f"stacks/{name}/compose.yaml": text for name, text in stacks.items()},
        **(files or {}),
    })  # fmt: skip
    side = HostSide("alpha", lambda _stack: host or {}, lambda stack: f"/etc/reconciler/env/{stack}")
    return assemble(tree, "", side, revision=revision, owner=OWNER).or_raise()


class Wish:
    """Desired with all that planning needs; `key` seals, `secrets` are the sealed contents of the host's secrets."""

    def __init__(self, made: Assembled, key: bytes = b"k" * 32, secrets: Mapping[str, str] | None = None) -> None:
        self.desired: Desired = made.desired
        self.facts = HostFacts(PATHS, Sealer(key), made.builds, secrets or {})
        self.wants: dict[Slot, Want] = wants(self.desired, self.facts)

    def plan(self, observed: Observed, base: str = "", **more: object) -> Plan:
        return plan(self.desired, self.wants, observed, base=base, **more)  # type: ignore[arg-type]

    def fulfilled(self) -> Observed:
        """A host where all of it runs, made from the very requests that would be sent."""
        images = dict.fromkeys((want.spec.image, want.build_id) for want in self.wants.values())
        return Observed(
            "alpha",
            tuple(running(want, self.wants) for want in self.wants.values()),
            tuple(
                ObservedNetwork(f"net-{network.name}", network.name, OWNER, stack.name, network_fingerprint(network))
                for stack in self.desired.stacks
                for network in stack.networks
                if not network.external
            ),
            tuple(
                ObservedVolume(volume.name, OWNER, stack.name, volume_fingerprint(volume))
                for stack in self.desired.stacks
                for volume in stack.volumes
            ),
            tuple(
                Image(image_id(name), (familiar(name),), {labels.BUILD: build} if build else {})
                for name, build in images
            ),
        )


def wish(
    stacks: str | Mapping[str, str], files: Mapping[str, Content] | None = None, host: Mapping[str, bytes] | None = None
) -> Wish:
    """A single Compose file is the stack `app`."""
    return Wish(assembled({"app": stacks} if isinstance(stacks, str) else stacks, files, host))


def image_id(name: str) -> str:
    return f"sha256:{name}"


def container_id(slot: Slot) -> str:
    return f"id-{slot}"


def running(want: Want, all_wants: Mapping[Slot, Want]) -> Container:
    """The container that an engine reports when the create request of `want` was carried out."""
    spec = want.spec
    host = {**spec.body["HostConfig"]}
    host |= {key: f"container:{container_id(slot)}" for key, slot in spec.namespaces.items() if slot in all_wants}
    return Container(
        id=container_id(want.slot),
        name=spec.name,
        state="exited" if want.job else "running",
        image=spec.image,
        image_id=image_id(spec.image),
        owner=OWNER,
        stack=want.slot.stack,
        service=want.slot.service,
        number=want.slot.number,
        fingerprint=spec.fingerprint,
        revision=REVISION,
        started_at="2026-01-01T00:00:00Z",
        definition={**spec.body, "HostConfig": host},
        networks={name: (f"net-{name}", tuple(e["Aliases"])) for name, e in spec.endpoints.items()},
        labels=spec.body["Labels"],
    )


def but(observed: Observed, service: str, **changes: object) -> Observed:
    """The same host, with fields of one service's containers changed."""
    changed = (replace(c, **changes) if c.service == service else c for c in observed.containers)  # type: ignore[arg-type]
    return replace(observed, containers=tuple(changed))


def without(observed: Observed, services: Iterable[str]) -> Observed:
    gone = set(services)
    return replace(observed, containers=tuple(c for c in observed.containers if c.service not in gone))
