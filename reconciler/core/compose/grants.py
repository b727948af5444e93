"""Which configs and secrets a service may read, and where."""

from __future__ import annotations

from typing import Literal

from reconciler.core.compose import keys, read
from reconciler.core.compose.problems import check_keys, fail, want_seq
from reconciler.core.document import Map
from reconciler.model.desired import Grant


def grants(service: Map) -> tuple[Grant, ...]:
    return (*_grants(service, "configs", "config", "/"), *_grants(service, "secrets", "secret", "/run/secrets/"))


def _grants(service: Map, key: str, kind: Literal["config", "secret"], folder: str) -> tuple[Grant, ...]:
    if service.get(key) is None:
        return ()
    found: dict[str, Grant] = {}
    items = want_seq(service[key], service.at(key), key)
    for index, item in enumerate(items):
        source = target = ""
        if isinstance(item, Map):
            check_keys(item, keys.GRANT, key)
            if "source" not in item:
                fail("E-COMPOSE-VALUE", f"an entry of {key} needs a source", item.position)
            source = read.filled(item, "source")
            target = read.filled(item, "target") if item.get("target") is not None else ""
            for owner in ("uid", "gid", "mode"):
                if item.get(owner) is not None:
                    read.spelled(item, owner)
        else:
            source = read.filled(items, index)
        path = target or source
        grant = Grant(kind, source, path if path.startswith("/") else folder + path)
        if grant.target in found and found[grant.target] != grant:
            fail("E-COMPOSE-VALUE", f"two {key} are put at {grant.target}", items.at(index))
        found[grant.target] = grant
    return tuple(found.values())
