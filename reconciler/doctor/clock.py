"""The time as others have it: an HTTP remote, the newest commit, systemd."""

from __future__ import annotations

import email.utils
import http.client
import urllib.parse
from datetime import datetime

from reconciler import BUILT, process
from reconciler.core.diagnosis.clock import ClockFacts
from reconciler.doctor.init import install, is_systemd
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
        synchronized=_yes("NTPSynchronized", deadline),
        teller=urllib.parse.urlsplit(url).hostname or "",
        keep=_keeper(deadline),
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


def _keeper(deadline: float) -> str:
    """The command that lets systemd keep the clock right; one that installs what it needs for that goes first."""
    able = _yes("CanNTP", deadline)
    if able is None:
        return ""
    return "timedatectl set-ntp true" if able else install("timesyncd")


def _yes(name: str, deadline: float) -> bool | None:
    """A property of timedatectl(1); None where there is no systemd to ask."""
    if not is_systemd():
        return None
    try:
        done = process.run(["timedatectl", "show", "-p", name, "--value"], deadline=deadline)
    except ReconcilerError:
        return None
    return {b"yes": True, b"no": False}.get(done.stdout.strip())
