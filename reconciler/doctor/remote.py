"""The git remote: one question to it, and when it fails, what lies in the way."""

from __future__ import annotations

import os
import tempfile
import time
import urllib.parse
from dataclasses import replace
from pathlib import Path

from reconciler.core.diagnosis.network import NetworkFacts
from reconciler.core.diagnosis.remote import RemoteFacts
from reconciler.doctor.init import credentials
from reconciler.doctor.network import probe_network
from reconciler.doctor.ssh import host_keys, public_key, way_to
from reconciler.doctor.subject import Subject
from reconciler.errors import ReconcilerError
from reconciler.git.transport import Transport, is_http, is_local
from reconciler.model.settings import Repository
from reconciler.remote import remote_of

_ABSENT = ("not found", "does not appear to be a git repository", "does not exist")
_UNEXPLAINED = ("E-GIT-FETCH", "E-GIT-TIMEOUT")


def probe_remote(subject: Subject) -> RemoteFacts:
    """Ask for its branches, as a fetch would, and look closer when that fails."""
    settings = subject.settings.repository
    facts = RemoteFacts(
        Transport(settings.url).shown,
        settings.branch,
        "http" if is_http(settings.url) else "local" if is_local(settings.url) else "ssh",
        token=settings.token,
        secrets=f"{subject.settings.config_directory}/secrets",
    )
    try:
        facts = _asked(facts, remote_of(subject.settings), time.monotonic() + settings.deadline)
    except ReconcilerError as error:
        handed_over = error.code == "E-SECRET-MISSING" and settings.token in credentials(subject.deadline)
        facts = replace(facts, withheld=True) if handed_over else _failed(facts, error)
    return _closer(facts, settings, subject.deadline) if facts.code else facts


def _asked(facts: RemoteFacts, remote: Transport, until: float) -> RemoteFacts:
    """With all branches and the head of ours, or with the error that a fetch would meet."""
    with tempfile.TemporaryDirectory(prefix="reconciler-doctor-") as nowhere:
        done = remote.git(Path(nowhere), "ls-remote", "origin", "refs/heads/*", until=until)
    rows = [line.split("\t", 1) for line in done.stdout.decode("utf-8", "replace").splitlines() if "\t" in line]
    heads = {ref.removeprefix("refs/heads/"): sha for sha, ref in rows}
    facts = replace(facts, head=heads.get(facts.branch, ""), branches=tuple(heads))
    if facts.head:
        return facts
    error = remote.failure(facts.branch, done, until)
    return _failed(facts, error or remote.unexplained(done.stderr))


def _failed(facts: RemoteFacts, error: ReconcilerError) -> RemoteFacts:
    why = error.why or error.what
    absent = error.code == "E-GIT-FETCH" and any(words in why for words in _ABSENT)
    return replace(facts, code=error.code, why=why, absent=absent)


def _closer(facts: RemoteFacts, settings: Repository, deadline: float) -> RemoteFacts:
    if facts.kind == "ssh":
        way = way_to(settings, deadline)
        return replace(
            facts,
            keys=host_keys(way, deadline) if facts.code == "E-GIT-HOSTKEY" else None,
            network=None
            if way.jumps or facts.code not in _UNEXPLAINED
            else probe_network(way.host, way.port, deadline),
            public_key=public_key(way),
        )
    return replace(facts, network=_by_http(settings.url, deadline) if facts.code in _UNEXPLAINED else None)


def _by_http(url: str, deadline: float) -> NetworkFacts | None:
    """None for a local path, and where a proxy stands between."""
    parts = urllib.parse.urlsplit(url)
    proxied = any(os.environ.get(name) for name in (f"{parts.scheme}_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"))
    if not is_http(url) or proxied:
        return None
    return probe_network(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), deadline)
