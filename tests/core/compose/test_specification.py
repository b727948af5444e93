"""Every key of the Compose specification is either read or refused by name; its schema comes with check-jsonschema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest

from reconciler.core.compose import keys

SCHEMA: Any = json.loads(
    (Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor" / "compose-spec.json").read_text()
)
SERVICE = ("service", "properties")


def objects(node: Any) -> Iterator[set[str]]:
    """The key sets of every mapping that a part of the schema may be, its references followed."""
    if "$ref" in node:
        yield from objects(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    if "properties" in node:
        yield set(node["properties"])
    for part in [*node.get("oneOf", []), *node.get("allOf", []), *node.get("patternProperties", {}).values()]:
        yield from objects(part)
    if "items" in node:
        yield from objects(node["items"])


def part(*path: str) -> set[str]:
    """All keys that may stand at a path of keys, beginning at a definition."""
    nodes = [SCHEMA["$defs"][path[0]]] if path else [SCHEMA]
    for key in path[1:]:
        nodes = [found for node in nodes for found in _below(node, key)]
    assert nodes, path
    return {key for node in nodes for keys_ in objects(node) for key in keys_}


def _below(node: Any, key: str) -> Iterator[Any]:
    if "$ref" in node:
        yield from _below(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]], key)
    if key in node.get("properties", {}):
        yield node["properties"][key]
    for inner in [*node.get("oneOf", []), *node.get("allOf", []), *node.get("patternProperties", {}).values()]:
        yield from _below(inner, key)
    if "items" in node:
        yield from _below(node["items"], key)


@pytest.mark.parametrize(
    ("path", "known", "refused"),
    [
        ("", keys.TOP, keys.TOP_REFUSED),
        ("service", keys.SERVICE, keys.SERVICE_REFUSED),
        ("service build", keys.BUILD, keys.BUILD_REFUSED),
        ("service ports", keys.PORT, {}),
        ("service volumes", keys.MOUNT, keys.MOUNT_REFUSED),
        ("service volumes bind", keys.BIND, keys.BIND_REFUSED),
        ("service volumes volume", keys.VOLUME_OPTIONS, keys.VOLUME_OPTIONS_REFUSED),
        ("service volumes tmpfs", keys.TMPFS, {}),
        ("service networks", keys.ATTACHMENT, keys.ATTACHMENT_REFUSED),
        ("service depends_on", keys.DEPENDS_ON, {}),
        ("service devices", keys.DEVICE, {}),
        ("service logging", keys.LOGGING, {}),
        ("service extends", keys.EXTENDS, {}),
        ("env_file", keys.ENV_FILE, {}),
        ("ulimits", keys.ULIMIT, {}),
        ("include", keys.INCLUDE, {}),
        ("service_config_or_secret", keys.GRANT, {}),
        ("healthcheck", keys.HEALTHCHECK, keys.HEALTHCHECK_REFUSED),
        ("deployment", keys.DEPLOY, keys.DEPLOY_REFUSED),
        ("deployment resources", keys.RESOURCES, {}),
        ("deployment resources limits", keys.LIMITS, {}),
        ("deployment resources reservations", keys.RESERVATIONS, keys.RESERVATIONS_REFUSED),
        ("deployment resources reservations devices", keys.DEVICE_REQUEST, {}),
        ("service gpus", keys.DEVICE_REQUEST, {}),
        ("deployment update_config", keys.UPDATE, {}),
        ("deployment restart_policy", keys.RESTART_POLICY, {}),
        ("network", keys.NETWORK, keys.NETWORK_REFUSED),
        ("network ipam", keys.IPAM, {}),
        ("network ipam config", keys.IPAM_POOL, {}),
        ("volume", keys.VOLUME, {}),
        ("config", keys.FILE_OBJECT, keys.FILE_OBJECT_REFUSED),
        ("secret", keys.FILE_OBJECT, keys.FILE_OBJECT_REFUSED),
    ],
)
def test_every_key_of_the_specification_is_known(path: str, known: frozenset[str], refused: dict[str, str]) -> None:
    theirs = part(*path.split())
    assert theirs - known - set(refused) == set()
    assert not known & set(refused)
