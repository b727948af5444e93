"""The time as others have it: an HTTP remote, the newest commit, systemd."""

from __future__ import annotations

import email.utils
import http.client
import urllib.parse
from datetime import datetime

from reconciler import BUILT, process
from reconciler.core.diagnosis.clock import ClockFacts
from reconciler.doctor.init import is_systemd
from reconciler.errors import ReconcilerError
from reconciler.git.transport import is_http
from reconciler.ports import Clock


def probe_clock(clock: Clock, url: str, newest: float, deadline: float) -> ClockFacts:
    """`newest`: when the newest commit was made, 0 when none is known."""
    told = _date_of(url, deadline) if is_http(url) else None
    return ClockFacts(
        now=clock.now(),
        built=datetime.fromisoformat(f"{BUILT}T00:00:00+00:00").timestamp(),
        told=told,
        newest=newest,
        synchronized=_synchronized(deadline),
        teller=urllib.parse.urlsplit(url).hostname or "",
    )


def _date_of(url: str, deadline: float) -> float | None:
    """The Date header of the server's root (RFC 9110, 6.6.1). No certificate is checked, since a clock that is wrong
    makes every one wrong; nothing but the time is taken from the answer."""
    import ssl

    parts = urllib.parse.urlsplit(url)
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=deadline, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=deadline)
        try:
            connection.request("HEAD", "/")
            header = connection.getresponse().getheader("Date", "")
        finally:
            connection.close()
        return email.utils.parsedate_to_datetime(header).timestamp()
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return None


def _synchronized(deadline: float) -> bool | None:
    if not is_systemd():
        return None
    try:
        done = process.run(["timedatectl", "show", "-p", "NTPSynchronized", "--value"], deadline=deadline)
    except ReconcilerError:
        return None
    return {b"yes": True, b"no": False}.get(done.stdout.strip())
