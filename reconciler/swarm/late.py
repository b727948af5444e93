"""What a later list tells of builds that wait already: that they need something of which nobody knew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.swarm.draft import Draft
from reconciler.swarm.placing.graph import without_cycles


def await_late(draft: Draft, edges: Sequence[tuple[str, str]]) -> None:
    """What is queued waits for what it needs, too, unless that waits for it already: one of them has to be first.

    Who wants the one wants the other now: else a request that is cancelled would take away what another one needs.
    """
    if not edges or not (new := without_cycles(draft.edges, edges)):
        return
    needs: dict[str, list[str]] = {}
    for first, then in new:
        needs.setdefault(then, []).append(first)
    for build in draft.live(needs):
        draft.move(build)  # as it is: had a drone got it meanwhile, this is Stale, and it is looked at anew
    draft.add((), new)
    graph = draft.graph
    for request in draft.open_requests():
        firsts = [first for id in request.builds for first in needs.get(id, ())]
        missing = graph.needs(firsts) - set(request.builds)
        if more := tuple(build.id for build in draft.live(sorted(missing))):
            draft.put_request(replace(request, builds=(*request.builds, *more)))
