"""The fingerprint of a container: one short text that changes when, and only when, the container must be made anew.

It covers the rendered definition, the git object ids of all that the service mounts, builds from or is
granted, and its build. Compose's bookkeeping labels and the restart policy stay out: they can be mended, or
are mended in place. Where a value from outside git took part, the hash is keyed, so that a short secret
cannot be guessed from a label.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.model import labels
from reconciler.model.desired import Network, Service, Stack, Volume
from reconciler.model.plan import ContainerSpec

VERSION = "v1"

MENDED_IN_PLACE = ("RestartPolicy",)


@dataclass(frozen=True, slots=True)
class Sealer:
    """Hashes with a key that never leaves the host."""

    key: bytes

    def seal(self, content: bytes) -> str:
        """HMAC-SHA-256 (RFC 2104), in hex."""
        return hmac.new(self.key, content, hashlib.sha256).hexdigest()


def stamp(
    spec: ContainerSpec,
    service: Service,
    stack: Stack,
    *,
    owner: str,
    revision: str,
    objects: Mapping[str, str],
    build_id: str,
    secrets: Mapping[str, str],
    sealer: Sealer,
) -> ContainerSpec:
    """The spec with its fingerprint and our labels.

    `objects`: repo path -> git object id ("" when git has nothing there); `secrets`: sealed content of the
    host's own secret files by name.
    """
    material = {
        "body": _material(spec.body),
        "endpoints": spec.endpoints,
        "namespaces": {key: str(slot) for key, slot in spec.namespaces.items()},
        "platform": spec.platform,
        "objects": {path: objects.get(path, "") for path in repository_paths(service, stack)},
        "build": build_id,
        "secrets": {name: secrets.get(name, "") for name in external_secrets(service, stack)},
    }
    sealed = service.sealed or bool(material["secrets"])
    fingerprint = _digest(material, sealer if sealed else None)
    ours = {
        labels.OWNER: owner,
        labels.FINGERPRINT: fingerprint,
        labels.REVISION: revision,
        labels.CONFIG_HASH: fingerprint.partition(":")[2],
        labels.NUMBER: str(spec.slot.number),
    }
    body = {**spec.body, "Labels": {**spec.body.get("Labels", {}), **ours}}
    return replace(spec, fingerprint=fingerprint, body=body)


def network_fingerprint(network: Network) -> str:
    return _digest(_plain(network))


def volume_fingerprint(volume: Volume) -> str:
    return _digest(_plain(volume))


def repository_paths(service: Service, stack: Stack) -> tuple[str, ...]:
    """Paths of the repository whose content the running container sees; a build has an id of its own."""
    mounted = [m.repo_path for m in service.mounts if m.repo_path is not None]
    granted = {(grant.kind, grant.key) for grant in service.grants}
    files = [f.repo_path for f in stack.files if (f.kind, f.key) in granted and f.repo_path is not None]
    return tuple(sorted({*mounted, *files}))


def external_secrets(service: Service, stack: Stack) -> tuple[str, ...]:
    granted = {grant.key for grant in service.grants if grant.kind == "secret"}
    return tuple(sorted(f.name for f in stack.files if f.kind == "secret" and f.external and f.key in granted))


def version_of(fingerprint: str) -> str:
    """`v1` of `v1:…` and of `v1k:…` (keyed)."""
    return fingerprint.partition(":")[0].removesuffix("k")


def _material(body: Mapping[str, Any]) -> dict[str, Any]:
    bookkeeping = ("com.docker.compose.", "reconciler.")
    own = {k: v for k, v in body.get("Labels", {}).items() if not k.startswith(bookkeeping)}
    host = {k: v for k, v in body.get("HostConfig", {}).items() if k not in MENDED_IN_PLACE}
    return {**body, "Labels": own, "HostConfig": host}


def _plain(value: Network | Volume) -> dict[str, Any]:
    return {slot: repr(getattr(value, slot)) for slot in value.__slots__}


def _digest(material: Mapping[str, Any], sealer: Sealer | None = None) -> str:
    text = json.dumps(material, sort_keys=True, separators=(",", ":")).encode()
    if sealer:
        return f"{VERSION}k:{sealer.seal(text)[:40]}"
    return f"{VERSION}:{hashlib.sha256(text).hexdigest()[:40]}"
