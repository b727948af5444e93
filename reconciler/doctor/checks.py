"""All that is checked on a host, and what of it can be checked without its own file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from reconciler import process
from reconciler.adapters.host_files import LocalHostFiles
from reconciler.core.diagnosis import (
    ci,
    clock,
    disks,
    engine,
    files,
    manifests,
    notices,
    remote,
    running,
    signers,
    tools,
)
from reconciler.core.redact import redactor
from reconciler.doctor.ci import probe_ci
from reconciler.doctor.clock import probe_clock
from reconciler.doctor.disks import file_systems, removables
from reconciler.doctor.engine import probe_engine
from reconciler.doctor.examine import Check, Once, examine
from reconciler.doctor.files import below, group_of, look_at, nearest_folder, probe_state
from reconciler.doctor.init import credentials, install, is_systemd
from reconciler.doctor.manifests import probe_checkout, probe_manifests
from reconciler.doctor.notices import probe_notices
from reconciler.doctor.remote import probe_remote
from reconciler.doctor.running import probe_lock, probe_pauses, probe_runner
from reconciler.doctor.signers import probe_signers
from reconciler.doctor.subject import Subject
from reconciler.git.transport import is_http, is_local
from reconciler.model.diagnosis import Finding
from reconciler.model.settings import Inbox
from reconciler.settings import DEFAULT_FILE

TMPFILES = Path("/etc/tmpfiles.d/reconciler.conf")
_EXTRA = 30.0
"""Seconds that all checks together may take beyond the deadline of the remote."""


def diagnose(subject: Subject) -> tuple[Finding, ...]:
    """Look at everything; changes nothing. No secret of the host is in what comes back."""
    found = examine(_checks(subject), subject.settings.repository.deadline + _EXTRA)
    config, state = Path(subject.settings.config_directory), Path(subject.settings.state.directory)
    clean = redactor(LocalHostFiles(config, state, lambda _: b"").confidential()).clean
    return tuple(_for_this_file(subject.file, _cleaned(finding, clean)) for finding in found)


def diagnose_without_settings(subject: Subject) -> tuple[Finding, ...]:
    """What can be said of a machine whose own file is missing or wrong."""
    checks: dict[str, Check] = {
        "programs": lambda: _programs(subject, url="https://"),
        "docker": lambda: engine.engine(_engine(subject), subject.place("docker.host")),
        "clock": lambda: clock.clock(probe_clock(subject.clock, "", 0.0, subject.deadline)),
        "schedule": lambda: running.runner(probe_runner(subject.file, subject.deadline)),
    }
    return examine(checks, _EXTRA)


def _checks(subject: Subject) -> Mapping[str, Check]:
    settings, me = subject.settings, subject.me
    state, url, config = settings.state.directory, settings.repository.url, Path(settings.config_directory)
    read, docker = Once(lambda: probe_manifests(subject)), Once(lambda: _engine(subject))

    def full() -> Iterator[Finding]:
        desired, root = read().desired, docker().root
        uses = {"the state directory": state}
        uses |= {"Docker's data": root} if root else {}
        uses |= {"the checkout": desired.checkout} if desired else {}
        systems = file_systems({use: nearest_folder(path) for use, path in uses.items()})
        return disks.disks(systems, tuple(removables(state, docker())))

    def secrets() -> Iterator[Finding]:
        folder = config / "secrets"
        named = {*read().secrets, *((settings.repository.token,) if settings.repository.token else ())}
        needed = sorted(named - set(credentials(subject.deadline)))
        return files.secrets(look_at(folder, follow=True), below(folder, follow=False), needed, me)

    def gate() -> Iterator[Finding]:
        found = read()
        return ci.ci(probe_ci(subject, found.facts.revision, found.ci)) if found.ci else iter(())

    def checkout() -> Iterator[Finding]:
        desired = read().desired
        place = subject.place("trust.allow_host_mounts")
        return manifests.checkout(probe_checkout(subject, desired), place) if desired else iter(())

    def own_file() -> Iterator[Finding]:
        return files.settings_file(look_at(subject.file, follow=True), look_at(config, follow=True), me)

    def key() -> Iterator[Finding]:
        file = settings.repository.ssh_key
        return files.ssh_key(look_at(file, follow=True), me) if file else iter(())

    def asked() -> Iterator[Finding]:
        names = ("repository.url", "repository.branch", "repository.token")
        return remote.remote(probe_remote(subject), {name: subject.place(name) for name in names})

    def inbox() -> Iterator[Finding]:
        folder = settings.inbox.directory
        made = is_systemd() and folder == Inbox().directory and TMPFILES.exists()
        make = f"systemd-tmpfiles --create {TMPFILES}" if made else ""
        return tools.inbox(look_at(folder), group_of(folder), me, make)

    return {
        "settings": own_file,
        "state": lambda: files.state(probe_state(state), me),
        "disk": full,
        "programs": lambda: _programs(subject, url),
        "docker": lambda: engine.engine(docker(), subject.place("docker.host")),
        "remote": asked,
        "ssh key": key,
        "signatures": lambda: signers.signers(probe_signers(settings.trust), me),
        "clock": lambda: clock.clock(probe_clock(subject.clock, url, read().newest, subject.deadline)),
        "manifests": lambda: manifests.manifests(read().facts, subject.place("host")),
        "checkout": checkout,
        "secrets": secrets,
        "ci": gate,
        "env files": lambda: files.env_files(below(config / "env", follow=True), me),
        "schedule": lambda: running.runner(probe_runner(subject.file, subject.deadline)),
        "notices": lambda: notices.notices(probe_notices(subject, read().notifications)),
        "lock": lambda: running.lock(probe_lock(state, subject.clock)),
        "inbox": inbox,
        "pauses": lambda: running.pauses(settings.host, *probe_pauses(state)),
    }


def _engine(subject: Subject) -> engine.EngineFacts:
    return probe_engine(subject.settings.docker.host, subject.environment, subject.deadline)


def _programs(subject: Subject, url: str) -> Iterator[Finding]:
    needed = ("git",) if is_http(url) or is_local(url) else ("git", "ssh")
    missing = {name: install(name) for name in needed if not shutil.which(name)}
    version = b"" if "git" in missing else process.run(["git", "--version"], deadline=subject.deadline).stdout
    number = re.search(rb"\d+(\.\d+)+", version)
    return tools.programs(number[0].decode() if number else "", missing)


def _cleaned(finding: Finding, clean: Callable[[str], str]) -> Finding:
    return replace(finding, what=clean(finding.what), why=clean(finding.why), next=clean(finding.next))


def _for_this_file(file: str, finding: Finding) -> Finding:
    """Our own commands have to be about the same host, those for cron, too."""
    if file == DEFAULT_FILE:
        return finding
    if " converge --yes" in finding.mend:
        return replace(finding, mend=finding.mend.replace(" converge --yes", f" --config {file} converge --yes", 1))
    if not finding.mend.startswith("reconciler "):
        return finding
    return replace(finding, mend=finding.mend.replace("reconciler ", f"reconciler --config {file} ", 1))
