"""Who may change something: people with the token, drones with a credential, and without a token this machine only.

Tokens are compared as digests: equal length, and a time that tells nothing (hmac.compare_digest).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.security import HTTPBearer

from reconciler.web.errors import HttpError

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="reconciler"'}

TOKEN = HTTPBearer(
    scheme_name="token",
    description="The secret of serve.token. Where none is set, whoever is on the machine may leave it out.",
    auto_error=False,
)
CREDENTIAL = HTTPBearer(
    scheme_name="credential", description="Of the drone that has the lease, as enrolling it gave it.", auto_error=False
)
"""For the OpenAPI of the routes that ask for them; whether they hold is for `Admins` and `drone_of` to say."""


@dataclass(frozen=True, slots=True)
class Admins:
    """`token` "": none is set, and this server listens on loopback only (see `open_to_others`)."""

    token: str = ""

    def __call__(self, request: Request) -> None:
        """Dependency of every route that changes something."""
        if self.token:
            if not _equal(bearer(request), self.token):
                raise _unknown("the token is missing, or is another one", "set SWARM_ADMIN_KEY, or swarm.token")
        else:
            _refuse_other_sites(request)


def drone_of(request: Request, whose: Callable[[str], str]) -> str:
    """The drone whose credential it shows."""
    if (credential := bearer(request)) and (name := whose(credential)):
        return name
    raise _unknown("no drone has this credential", "enroll the drone again")


def bearer(request: Request) -> str:
    """The credential of RFC 6750, "" without one."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def open_to_others(listen: str) -> bool:
    """Whether HOST:PORT can be reached from another machine; a name counts as such unless it is localhost."""
    return not _is_loopback(listen.rpartition(":")[0])


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(_digest(given), _digest(wanted))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def _refuse_other_sites(request: Request) -> None:
    """A page in a browser of this machine could ask here, too; by a name of its own even as if it were from here."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if not _is_loopback(host.rpartition(":")[0] if host.rpartition("]")[2].count(":") else host):
        why = f"it was asked for as {host[:80]!r}, and without a token only this machine may change something"
    elif origin is not None and urlsplit(origin).netloc != host:
        why = "a page of another origin asked for it"
    else:
        return
    raise HttpError(403, "E-HTTP-ORIGIN", "this may not be changed from there", why=why, next="set serve.token")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _unknown(why: str, next: str) -> HttpError:
    return HttpError(401, "E-HTTP-TOKEN", "not without a token", why=why, next=next, headers=_CHALLENGE)
