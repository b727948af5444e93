"""Containers and networks that Compose made are taken over as they are; whatever differs from git is told, and mended.

Compose's own labels say which service a container is of. It is taken over without a restart when nothing of it
differs from what git wants, what it has from its image included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from reconciler.core.differences import changed, differences
from reconciler.core.engine_defaults import given_by_engine
from reconciler.core.fingerprint import network_fingerprint
from reconciler.core.limits import LIMITS, SWAP
from reconciler.core.mounted import mounted
from reconciler.core.wanted import Want
from reconciler.model import labels
from reconciler.model.adopted import Adopted, Adoption
from reconciler.model.desired import Desired, Network
from reconciler.model.observed import Container, Observed, ObservedNetwork, Slot, is_kept
from reconciler.model.plan import ContainerSpec, Plan

Mine = TypeVar("Mine", Container, ObservedNetwork)

_FROM_THE_IMAGE = {
    "User": "user",
    "WorkingDir": "working_dir",
    "StopSignal": "stop_signal",
    "Entrypoint": "entrypoint",
    "Cmd": "command",
    "Healthcheck": "healthcheck",
}
_UNSET = {
    "Domainname": "domainname",
    "MacAddress": "mac_address",
    "Tty": "tty",
    "OpenStdin": "stdin_open",
    "StopTimeout": "stop_grace_period",
}
_UNSET_ON_THE_HOST = {
    "AutoRemove": "removed when it stops",
    "Links": "links",
    "PublishAllPorts": "all ports published",
    "VolumesFrom": "volumes_from",
}
_TRUTH = {"True": ("true", "yes", "on"), "False": ("false", "no", "off")}
"""What docker-compose 1 makes of booleans, those of YAML 1.1 among them, and what was written there."""
_OF_TOOLS = ("com.docker.compose.", "desktop.docker.io/", "reconciler.")


def claimed(observed: Observed, adopted: Adopted, owner: str) -> Observed:
    """The host with what was taken over before as ours.

    Kept containers, whose names only we give, are ours even when it was forgotten that they were taken over.
    """
    if not owner:
        return observed
    return replace(
        observed,
        containers=tuple(
            _renewed(c, adopted.renewed.get(c.id), owner) or _claim(c, adopted.containers.get(c.id), owner)
            for c in observed.containers
        ),
        networks=tuple(
            replace(n, owner=owner, adopted=True) if not n.owner and n.id in adopted.networks else n
            for n in observed.networks
        ),
    )


def _renewed(container: Container, renewal: Adoption | None, owner: str) -> Container | None:
    if renewal is None or container.owner != owner:
        return None
    return replace(container, fingerprint=renewal.fingerprint, revision=renewal.revision)


def _claim(container: Container, adoption: Adoption | None, owner: str) -> Container:
    if container.owner or not (adoption or (is_kept(container.name) and container.stack)):
        return container
    adoption = adoption or Adoption("", "")
    return replace(container, owner=owner, adopted=True, fingerprint=adoption.fingerprint, revision=adoption.revision)


def is_new(container: Container) -> bool:
    """Whether Compose started it, and nothing is known of it that its fields do not tell."""
    return container.adopted and not container.fingerprint


def newcomers(observed: Observed, wants: Mapping[Slot, Want], owner: str) -> dict[Slot, Container]:
    """For each slot that none of ours fills, the container that Compose started for it, a running one if possible."""
    filled = {c.slot for c in observed.containers if c.owner == owner and c.role == "current"}
    found: dict[Slot, Container] = {}
    for container in sorted(observed.containers, key=lambda c: (c.running, c.name)):
        if _of_compose(container) and container.slot in wants and container.slot not in filled:
            found[container.slot] = container
    return found


def _of_compose(container: Container) -> bool:
    oneoff = container.labels.get(labels.ONEOFF, "False") == "True"
    return not container.owner and bool(container.stack) and container.role == "current" and not oneoff


def welcomed(
    observed: Observed,
    wants: Mapping[Slot, Want],
    desired: Desired,
    configs: Mapping[str, Mapping[str, Any]],
    blocked: Collection[str] = (),
) -> Observed:
    """The host with newcomers, and the networks that Compose made for their stacks, as ours.

    `configs`: of their images by id. What was only taken over for a revision that is `blocked` by now, and is not
    wanted any more, is let go: it was there before us.
    """
    new = {container.id for container in newcomers(observed, wants, desired.owner).values()}
    given_up = {c.id for c in observed.containers if _is_given_up(c, wants, blocked)}
    stacks = {c.stack for c in observed.containers if c.id in given_up}
    return replace(
        observed,
        containers=tuple(
            _let_go(c) if c.id in given_up else _welcome(c, new, wants, desired.owner) for c in observed.containers
        ),
        networks=tuple(
            _let_go(n) if n.adopted and n.stack in stacks else _welcome_network(n, desired) for n in observed.networks
        ),
        images=tuple(replace(i, config=configs.get(i.id, i.config)) for i in observed.images),
    )


def _is_given_up(container: Container, wants: Mapping[Slot, Want], blocked: Collection[str]) -> bool:
    unwanted = container.adopted and container.slot not in wants
    return unwanted and bool(container.revision) and container.revision in blocked


def _let_go(thing: Mine) -> Mine:
    return replace(thing, owner="", adopted=False)


def _welcome(container: Container, new: set[str], wants: Mapping[Slot, Want], owner: str) -> Container:
    if container.id in new:
        container = replace(container, owner=owner, adopted=True)
    if container.adopted and container.slot in wants:
        return _as_we_write(container, wants[container.slot])
    return container


def _as_we_write(container: Container, want: Want) -> Container:
    """As Compose 2 and we do: docker-compose 1 calls what it builds `project_service`, and what is true `True`."""
    live = container.definition
    if container.labels.get(labels.COMPOSE_VERSION, "").startswith("1."):
        asked = want.spec.body.get("Labels") or {}
        named = {key: _truth(value, asked.get(key, "")) for key, value in (live.get("Labels") or {}).items()}
        container = replace(container, definition={**live, "Labels": named})
    if want.service.image or container.image != f"{container.stack}_{container.service}":
        return container
    definition = {**container.definition, "Image": want.spec.image}
    return replace(container, image=want.spec.image, definition=definition)


def _truth(written: str, wanted: str) -> str:
    return wanted if wanted in _TRUTH.get(written, ()) else written


def _welcome_network(network: ObservedNetwork, desired: Desired) -> ObservedNetwork:
    """Only networks that Compose made for a stack of ours, and that the stack says are its own."""
    ours = {(stack.name, n.name) for stack in desired.stacks for n in stack.networks if not n.external}
    if network.owner or (network.stack, network.name) not in ours:
        return network
    return replace(network, owner=desired.owner, adopted=True)


def remembered(known: Adopted, plan: Plan, observed: Observed) -> Adopted:
    """What is to be remembered once `plan` is carried out; containers and networks that are gone are forgotten.

    `observed`: the host as it was welcomed.
    """
    containers = {c.id: known.containers[c.id] for c in observed.containers if c.adopted and c.id in known.containers}
    for step in plan.steps:
        if step.current and step.current.adopted and step.spec and not step.renews:
            stays = "" if step.starts_new else step.spec.fingerprint
            containers[step.current.id] = Adoption(stays, plan.revision)
    stacks = {step.slot.stack for step in plan.steps} | {done.slot.stack for done in plan.satisfied}
    networks = {n.id for n in observed.networks if n.adopted and (n.id in known.networks or n.stack in stacks)}
    there = {c.id for c in observed.containers}
    return Adopted(containers, frozenset(networks), {id: each for id, each in known.renewed.items() if id in there})


def renewed(known: Adopted, plan: Plan) -> Adopted:
    """What is to be remembered once `plan` was carried out and all is well: a renewal is repeated until it is.

    Forgetting it does no harm but another restart or signal.
    """
    done = [(step.current, step.spec) for step in plan.steps if step.renews]
    fresh = {c.id: (c.adopted, Adoption(spec.fingerprint, plan.revision)) for c, spec in done if c and spec}
    return replace(
        known,
        containers={**known.containers, **{id: each for id, (adopted, each) in fresh.items() if adopted}},
        renewed={**known.renewed, **{id: each for id, (adopted, each) in fresh.items() if not adopted}},
    )


def unlike(want: Want, container: Container, observed: Observed) -> Iterator[str]:
    """Every difference between a newcomer and what git wants that needs a new container. Field by field."""
    mended = {*LIMITS, SWAP}
    image = next((i.config for i in observed.images if i.id == container.image_id), {})
    spec = _completed(want.spec, image, container, observed)
    yield from differences(spec, container, observed.lacks | mended, observed.defaults)
    body, live = want.spec.body, container.definition
    yield from _environment(body.get("Env") or [], live.get("Env") or [], image.get("Env") or [])
    yield from _labels(body.get("Labels") or {}, live.get("Labels") or {}, image.get("Labels") or {})
    for key, name in _FROM_THE_IMAGE.items():
        if key not in body and (live.get(key) or None) != (expected := _expected(key, body, image)):
            yield changed(name, live.get(key), expected)
    for key, name in _UNSET.items():
        if key not in body and live.get(key):
            yield changed(name, live[key], None)
    if "Hostname" not in body and (hostname := _hostname(container)):
        yield changed("hostname", hostname, None)
    for key, name in _UNSET_ON_THE_HOST.items():
        if live.get("HostConfig", {}).get(key):
            yield f"{name}: not in git"
    yield from _missing_volumes(body, container)


def _completed(
    spec: ContainerSpec, image: Mapping[str, Any], container: Container, observed: Observed
) -> ContainerSpec:
    """With what an engine adds: its own defaults, and what a health check leaves out as the image has it."""
    body = {
        **spec.body,
        "HostConfig": given_by_engine(spec.body.get("HostConfig") or {}, container, observed.containers),
    }
    if check := body.get("Healthcheck"):
        body["Healthcheck"] = {**(image.get("Healthcheck") or {}), **check}
    return replace(spec, body=body)


def _hostname(container: Container) -> str:
    """The host name that somebody gave it; an engine takes the beginning of the id, or what the namespace has."""
    live = container.definition
    mode = str(live.get("HostConfig", {}).get("NetworkMode", ""))
    own = mode != "host" and not mode.startswith("container:")
    return str(live.get("Hostname", "")) if own and live.get("Hostname") != container.id[:12] else ""


def _expected(key: str, body: Mapping[str, Any], image: Mapping[str, Any]) -> Any:
    """An entrypoint of one's own does away with the image's command (docs.docker.com/reference/dockerfile, CMD)."""
    return None if key == "Cmd" and body.get("Entrypoint") else image.get(key) or None


def _environment(wanted: list[str], live: list[str], image: list[str]) -> Iterator[str]:
    expected, have = (dict(entry.partition("=")[::2] for entry in entries) for entries in (image, live))
    named = {entry.partition("=")[0] for entry in wanted}
    extra = sorted(name for name in have if name not in named and have[name] != expected.get(name))
    if extra:
        yield f"environment {', '.join(extra)} not in git"


def _labels(wanted: Mapping[str, str], live: Mapping[str, str], image: Mapping[str, str]) -> Iterator[str]:
    extra = sorted(k for k, v in live.items() if k not in wanted and not k.startswith(_OF_TOOLS) and image.get(k) != v)
    if extra:
        yield f"label {', '.join(extra)} not in git"


def _missing_volumes(body: Mapping[str, Any], container: Container) -> Iterator[str]:
    there = {*container.anonymous_volumes, *mounted(container.definition.get("HostConfig", {}))}
    for target in sorted(set(body.get("Volumes") or {}) - there):
        yield f"volume {target} added"


def unlike_network(network: Network, live: ObservedNetwork) -> str:
    """Why a network of ours has to be made anew; "" when it may stay."""
    if not live.adopted:
        return "its definition changed" if live.fingerprint != network_fingerprint(network) else ""
    is_now = live.definition
    asked: dict[str, tuple[Any, Any]] = {
        "driver": (network.driver or is_now.get("Driver"), is_now.get("Driver")),
        "internal": (network.internal, bool(is_now.get("Internal"))),
        "enable_ipv6": (network.enable_ipv6 or False, bool(is_now.get("EnableIPv6"))),
    }
    options = is_now.get("Options") or {}
    asked |= {key: (value, options.get(key)) for key, value in network.driver_opts}
    found = [f"{name} {now} -> {wanted}" for name, (wanted, now) in asked.items() if wanted != now]
    found += [f"subnet {pool.subnet} added" for pool in network.ipam if pool.subnet not in ("", *live.subnets)]
    return ", ".join(found)
