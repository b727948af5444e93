"""The lease that an upload shows: `X-Reconciler-Lease: BUILD:ATTEMPT` (see `Offer.lease`)."""

from __future__ import annotations

import re
from typing import Any

from fastapi import Request

from reconciler.web.errors import HttpError, bad_input

_LEASE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99}):([0-9]{1,9})")

DESCRIBED: dict[str, Any] = {
    "name": "X-Reconciler-Lease",
    "in": "header",
    "required": True,
    "description": "BUILD:ATTEMPT of the offer",
    "schema": {"type": "string", "pattern": f"^{_LEASE.pattern}$"},
}
"""For the OpenAPI: it is read by hand, after it is known who asks."""


def lease_of(request: Request) -> tuple[str, int]:
    """Build and attempt."""
    lease = _LEASE.fullmatch(request.headers.get("x-reconciler-lease", ""))
    if lease is None:
        raise bad_input("X-Reconciler-Lease is none", "it is BUILD:ATTEMPT of the offer")
    return lease[1], int(lease[2])


def lost(why: str) -> HttpError:
    """Somebody else has it by now, or nobody."""
    return HttpError(409, "E-SWARM-LEASE", "the lease is gone", why=why, next="end the build, and take the next offer")
