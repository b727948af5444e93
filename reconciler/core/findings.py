"""What is seen and told, and is no change: troubles that a pass cannot mend by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.core import drift
from reconciler.core.drift import Seen
from reconciler.core.wanted import Want
from reconciler.model.observed import Container, Slot


def findings(
    wants: Mapping[Slot, Want], current: Mapping[Slot, Container], unchanged: set[Slot], seen: Seen
) -> Iterator[str]:
    """One sentence each. `unchanged`: slots that have no step."""
    for slot in sorted(unchanged):
        container = current[slot]
        if container.state == "restarting":
            yield f"{slot} restarts again and again (exit code {container.exit_code})"
        for name in wants[slot].spec.joined.values():
            host = seen.observed.container(name)
            if host is None or not host.running:
                yield f"{slot} shares a namespace of {name}, which {'is not running' if host else 'does not exist'}"
    for slot, want in wants.items():
        container_now = current.get(slot)
        if container_now and (image := drift.held_image(want, container_now, seen.observed, seen.blocked)):
            yield (
                f"{slot} stays as it is: {want.spec.image} is now {image[:12]}, which failed and is blocked"
                f" (move the tag on, or: reconciler sentinels clear image-{image})"
            )
        if container_now and want.service.image_drift == "report" and not want.build_id:
            yield from (
                f"{slot}: {reason}; image_drift: report" for reason in drift.outdated(want, container_now, seen)
            )
    yield from drift.unenforced(wants.values(), seen.observed.lacks)
