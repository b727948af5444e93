"""What registries say about the tags of images that run here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ImageDrift = Literal["recreate", "report", "ignore"]
"""What is done when the tag of a running container names another image by now."""


@dataclass(frozen=True, slots=True)
class Tag:
    """`digest`: what the registry had when it answered last (`sha256:…`), "" when it never did.

    `asked`: when that was tried last (seconds since the epoch); `failures`: how often in a row it did not work.
    """

    digest: str
    asked: float
    failures: int = 0
