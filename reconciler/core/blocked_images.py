"""An image that failed is deployed by no door (I3): not by its tag either, when a container has to be made anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciler.core.wanted import Want
from reconciler.errors import Refused
from reconciler.model.observed import Container, Image, Observed, familiar


def block_of(image: Image | None, blocked: Collection[str]) -> str:
    """The name of the block that holds for an image, by its id or by a digest it was pulled under; "" for none."""
    if image is None:
        return ""
    digests = [image.id, *(tag.partition("@")[2] for tag in image.tags)]
    names = (f"image-{digest.removeprefix('sha256:')}" for digest in digests if digest)
    return next((name for name in names if name in blocked), "")


def sound(want: Want, containers: Iterable[Container], observed: Observed, blocked: Collection[str]) -> str:
    """The id of the image that served under a tag before it moved to a blocked one; "" when that is not certain.

    What containers of the service still have, or else the only other image of the tag's repository that is here.
    """
    here = {image.id: image for image in observed.images if not block_of(image, blocked)}
    own = (c.image_id for c in containers if c.stack == want.slot.stack and c.service == want.slot.service)
    if found := next((image for image in own if image in here), ""):
        return found
    repository = familiar(want.spec.image).rpartition(":")[0]
    others = [i.id for i in here.values() if any(_repository(tag) == repository for tag in i.tags)]
    return others[0] if len(others) == 1 else ""


def refusal(reference: str, block: str, services: Collection[str]) -> Refused:
    return Refused(
        "E-IMAGE-BLOCKED",
        f"{reference} names an image that failed and is blocked, and {', '.join(services)} needs it",
        why=f"{block} holds, and which image served before is not known on this host",
        next=f"move the tag on, or docker tag an image that works, or: reconciler sentinels clear {block}",
        unchanged="everything",
    )


def _repository(tag: str) -> str:
    """Of `name:tag` and of `name@sha256:…`."""
    return familiar(tag.partition("@")[0]).rpartition(":")[0]
