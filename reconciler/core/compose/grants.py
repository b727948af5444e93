"""Which configs and secrets a service may read, and where."""

from __future__ import annotations

from typing import Literal

from reconciler.core.compose import keys, read
from reconciler.core.compose.problems import check_keys, demand, fail, want_seq
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes, Reader, every
from reconciler.model.desired import Grant


def grants(service: Map) -> tuple[Grant, ...]:
    with Mistakes() as mistakes:
        configs = mistakes.of(_grants, service, "configs", "config", "/")
        secrets = mistakes.of(_grants, service, "secrets", "secret", "/run/secrets/")
    return (*(configs or ()), *(secrets or ()))


def _grants(service: Map, key: str, kind: Literal["config", "secret"], folder: str) -> tuple[Grant, ...]:
    if service.get(key) is None:
        return ()
    found: dict[str, Grant] = {}

    def one(items: Seq, index: int) -> None:
        item = items[index]
        source, path = _long(item, key) if isinstance(item, Map) else (read.filled(items, index), "")
        path = path or source
        grant = Grant(kind, source, path if path.startswith("/") else folder + path)
        if grant.target in found and found[grant.target] != grant:
            fail("E-COMPOSE-VALUE", f"two {key} are put at {grant.target}", items.at(index))
        found[grant.target] = grant

    items = want_seq(service[key], service.at(key), key)
    every(one, items, range(len(items)))
    return tuple(found.values())


_OPTIONAL: dict[str, Reader] = {
    "target": read.filled, "uid": read.spelled, "gid": read.spelled, "mode": read.spelled,
}  # fmt: skip


def _long(item: Map, key: str) -> tuple[str, str]:
    """Source and target; who owns the file is checked, and nothing comes of it."""
    with Mistakes() as mistakes:
        mistakes.of(check_keys, item, keys.GRANT, key)
        found = mistakes.given(_OPTIONAL, item) | mistakes.written({"source": read.filled}, item)
        demand(item, keys.GRANT, f"an entry of {key} needs a source", "source")
    return found["source"], found.get("target", "")
