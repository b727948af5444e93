"""JSON Schemas for editors."""

from __future__ import annotations

from typing import Any

from reconciler.core.manifest.fleet import FleetModel
from reconciler.core.manifest.packages import PackageSetModel
from reconciler.core.manifest.stack import ServiceModel, StackModel


def json_schema(which: str) -> dict[str, Any]:
    """JSON Schema (2020-12) for editors: of `fleet`, of `packages` (a set), or of `stack`.

    The last covers what we add to a Compose file; the rest is Compose's own.
    """
    draft = "https://json-schema.org/draft/2020-12/schema"
    if which == "fleet":
        return {"$schema": draft, "$id": "urn:reconciler:v1:fleet", **FleetModel.model_json_schema()}
    if which == "packages":
        return {"$schema": draft, "$id": "urn:reconciler:v1:packages", **PackageSetModel.model_json_schema()}
    service = {"type": "object", "properties": {"x-reconciler": ServiceModel.model_json_schema()}}
    properties = {
        "x-reconciler": StackModel.model_json_schema(),
        "services": {"type": "object", "additionalProperties": service},
    }
    return {"$schema": draft, "$id": "urn:reconciler:v1:stack", "type": "object", "properties": properties}
