"""Tags of images that run here: which are worth asking a registry about, when, and which have moved.

Only what came from a registry is asked about, and only where the pull policy leaves it open that it changes:
https://docs.docker.com/reference/compose-file/services/#pull_policy
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.core.compose.values import pull_interval
from reconciler.core.wanted import Want
from reconciler.model.images import Tag
from reconciler.model.observed import Observed, familiar

_FIRST_RETRY = 900.0


def tracked(wants: Iterable[Want], observed: Observed, every: float) -> dict[str, float]:
    """Reference -> seconds between two questions; `every` 0: nothing is asked."""
    found: dict[str, float] = {}
    for want in wants:
        reference, interval = want.spec.image, _interval(want, every)
        if interval and _digests(observed, reference):
            found[reference] = min(interval, found.get(reference, interval))
    return found


def _interval(want: Want, every: float) -> float:
    service = want.service
    if not every or want.build_id or service.image_drift == "ignore" or "@" in want.spec.image:
        return 0.0
    if (interval := pull_interval(service.pull_policy)) is not None:
        return interval
    return every if service.pull_policy in ("", "always") else 0.0


def due_at(tag: Tag | None, interval: float, now: float) -> float:
    """When a registry is to be asked the next time: after trouble sooner, and twice as late each time."""
    if tag is None or tag.asked > now:  # the clock was set back
        return now
    wait = min(interval, _FIRST_RETRY * 2.0 ** min(tag.failures - 1, 20)) if tag.failures else interval
    return tag.asked + wait


def moved(tags: Mapping[str, Tag], references: Iterable[str], observed: Observed) -> dict[str, str]:
    """Reference -> digest (without `sha256:`) that its registry has and this host does not."""
    answers = {reference: tags[reference].digest for reference in references if reference in tags}
    return {
        reference: digest.removeprefix("sha256:")
        for reference, digest in answers.items()
        if digest and digest not in _digests(observed, reference)
    }


def registry_of(reference: str) -> str:
    """The registry's address; "" stands for the engine's default (distribution's reference grammar)."""
    first, slash, _ = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""


def _digests(observed: Observed, reference: str) -> set[str]:
    """Under which digests the local image of a tag was pulled from the tag's own repository."""
    image, repository = observed.image(reference), familiar(reference).rpartition(":")[0]
    pulled = (tag.partition("@") for tag in (image.tags if image else ()))
    return {digest for name, at, digest in pulled if at and familiar(name).rpartition(":")[0] == repository}
