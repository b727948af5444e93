"""What runs on the host, and what of it is this fleet's."""

from __future__ import annotations

from reconciler.core.adoption import claimed
from reconciler.model.observed import Observed
from reconciler.ports import Adoptions, ContainerEngine


def observe(engine: ContainerEngine, adoptions: Adoptions, host: str, owner: str) -> Observed:
    """The host with everything of `owner` as its own, by our labels or because it was taken over from Compose."""
    return claimed(engine.observe(host, owner), adoptions.known(), owner)


def listed(engine: ContainerEngine, adoptions: Adoptions, host: str, owner: str) -> Observed:
    """Only which containers are there and whose they are: a hundredth of the work of looking at each."""
    return claimed(Observed(host, engine.listed()), adoptions.known(), owner)
