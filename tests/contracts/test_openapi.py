"""Everything that the OpenAPI allows, and much that it forbids: no 500, and every answer as it is described."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.conftest import Tell
from tests.support.serving import Orchestrator, listing, orchestrator_at

CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = 12
Operation = APIOperation[Any, Any, Any, Any]


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    """One that has something to show."""
    with orchestrator_at(tmp_path_factory.mktemp("swarm")) as made:
        drone = made.drone()
        made.submit(listing("app-misc/top-1", " dev-libs/below-1", "app-misc/waits-1"))
        drone.build(drone.take())
        drone.take()
        yield made


@pytest.fixture(scope="module")
def operations(swarm: Orchestrator) -> Mapping[str, Operation]:
    """All but the stream of events, which has no end; test_orchestrator_events.py looks at that one."""
    schema = schemathesis.openapi.from_url(f"{swarm.url}/openapi.json").exclude(path="/api/events")
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    return {operation.label: operation for operation in found}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_every_answer_is_as_it_is_described(
    mode: GenerationMode, operations: Mapping[str, Operation], tell: Tell
) -> None:
    asked = Counter({label: _ask(operation, mode) for label, operation in operations.items()})

    tell(f"openapi, {mode.value}: {asked.total()} requests to {sum(map(bool, asked.values()))} operations")
    assert asked.total() > len(operations)


def _ask(operation: Operation, mode: GenerationMode) -> int:
    """How many requests fit; there is nothing that a route without parameters could be asked wrongly."""
    asked: list[str] = []

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
    )
    def conforms(case: Any) -> None:
        asked.append(case.path)
        case.call_and_validate(checks=CHECKS, timeout=20)

    try:
        conforms()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, f"{operation.label}: nothing fits its description"
    return len(asked)


def test_the_description_is_one(swarm: Orchestrator) -> None:
    described = json.loads(swarm.get("/openapi.json").body)
    operations = [each for path in described["paths"].values() for each in path.values()]

    assert described["openapi"].startswith("3.1")
    assert len({each["operationId"] for each in operations}) == len(operations)
    assert all(each["description"] for each in operations)


def _operation(described: Any, method: str, path: str) -> Any:
    return described["paths"][path][method]


def test_it_has_every_parameter_with_what_it_means(swarm: Orchestrator) -> None:
    described = json.loads(swarm.get("/openapi.json").body)

    def names(method: str, path: str) -> set[str]:
        return {each["name"] for each in _operation(described, method, path).get("parameters", ())}

    assert {"profile", "set", "Idempotency-Key"} <= names("post", "/api/queue")
    assert {"X-Reconciler-Lease", "X-Reconciler-Offset"} <= names("post", "/api/builds/{id}/log")
    assert {"X-Reconciler-Lease", "X-Reconciler-Sha256", "X-Reconciler-Size"} <= names(
        "put", "/binhost/{profile}/{path}"
    )
    unexplained = [
        f"{path}: {each['name']}"
        for path, operations in described["paths"].items()
        for operation in operations.values()
        for each in operation.get("parameters", ())
        if each["in"] == "query" and not each.get("description")
    ]
    assert unexplained == []


def test_it_says_which_routes_want_whose_bearer(swarm: Orchestrator) -> None:
    described = json.loads(swarm.get("/openapi.json").body)
    schemes = described["components"]["securitySchemes"]
    wanted = {
        f"{method} {path}": [name for each in operation.get("security", ()) for name in each]
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    }

    assert {name: (each["type"], each["scheme"]) for name, each in schemes.items()} == {
        "token": ("http", "bearer"),
        "credential": ("http", "bearer"),
    }
    of_drones = {"put /binhost/{profile}/{path}", "post /api/builds/{id}/log"}
    for route, names in wanted.items():
        changes = route.split()[0] in ("post", "put", "delete")
        assert names == (["credential"] if route in of_drones else ["token"] if changes else []), route


def test_the_page_shows_parameters_their_values_and_who_may(swarm: Orchestrator) -> None:
    page = swarm.get("/docs").body.decode()

    def section(title: str) -> str:
        return page.partition(f"<h2><code>{title}</code></h2>")[2].partition("<h2>")[0]

    assert "<b>token</b>" in page and "<b>credential</b>" in page
    assert "<code>Authorization: Bearer</code> (header) token" in section("POST /api/queue")
    assert "<code>profile</code> (query, may be left out)" in section("POST /api/queue")
    assert "<code>Authorization: Bearer</code> (header) credential" in section("PUT /binhost/{profile}/{path}")
    builds = section("GET /api/builds")
    assert "queued | leased | building" in builds and "How many at most [default: 100]" in builds
    assert "Authorization" not in builds


def test_it_knows_every_route(swarm: Orchestrator) -> None:
    described = set(json.loads(swarm.get("/openapi.json").body)["paths"])
    promised = {
        "/api/status", "/api/queue", "/api/queue/{id}", "/api/queue/{id}/bump", "/api/drones", "/api/drones/{id}",
        "/api/drones/{id}/drain", "/api/drones/{id}/undrain", "/api/drones/{id}/restart", "/api/builds",
        "/api/builds/{id}", "/api/builds/{id}/log", "/api/packages", "/api/events", "/metrics", "/health",
        "/binhost/{profile}/{path}",
    }  # fmt: skip

    assert promised <= described
