"""What Compose left on a host, in values, and what a pass over it would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from reconciler.core.adoption import welcomed
from reconciler.model.observed import Container, Observed
from reconciler.model.plan import Plan
from tests.support.planning import Wish


def composed(wanted: Wish, **changes: Any) -> Observed:
    """The host as Compose would have left it: all of it runs, and nothing carries a label of ours."""
    observed = wanted.fulfilled()
    return replace(
        observed,
        containers=tuple(_unlabelled(c, **changes) for c in observed.containers),
        networks=tuple(
            replace(n, owner="", fingerprint="", definition={"Driver": "bridge"}) for n in observed.networks
        ),
        images=tuple(replace(i, config={}) for i in observed.images),
    )


def _unlabelled(
    container: Container, definition: Mapping[str, Any] = MappingProxyType({}), **changes: Any
) -> Container:
    labels = {k: v for k, v in container.labels.items() if not k.startswith("reconciler.")}
    whole = {**container.definition, "Labels": labels, **definition}
    return replace(container, owner="", fingerprint="", revision="", labels=labels, definition=whole, **changes)


def planned(wanted: Wish, observed: Observed, configs: Mapping[str, Mapping[str, Any]] | None = None) -> Plan:
    return wanted.plan(welcomed(observed, wanted.wants, wanted.desired, configs or {}))


def actions(plan: Plan) -> dict[str, str]:
    return {str(step.slot): f"{step.action}: {'; '.join(step.reasons)}" for step in plan.steps}


ADOPTED = {"app/web": "adopt: started by compose, and as git wants it"}
