"""The manifests of the newest revision that was fetched, read as a pass would read them; nothing is fetched here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.adapters.host_files import environment_in
from reconciler.core import guard
from reconciler.core.assemble import HostSide, assemble
from reconciler.core.diagnosis.manifests import CheckoutFacts, ManifestFacts
from reconciler.core.fingerprint import external_secrets
from reconciler.core.fleet_file import fleet_of
from reconciler.doctor.disks import mount_of
from reconciler.doctor.files import nearest_folder, try_to_write
from reconciler.doctor.subject import Subject
from reconciler.errors import ReconcilerError
from reconciler.git.objects import Objects, newest_fetched
from reconciler.model.desired import Desired
from reconciler.model.gate import CiRules
from reconciler.model.notice import Notifications
from reconciler.wiring import make_rules


@dataclass(frozen=True, slots=True)
class Read:
    """`desired`: None when there is no such; `newest`: when its commit was made; `secrets`: names that it asks for."""

    facts: ManifestFacts
    desired: Desired | None = None
    newest: float = 0.0
    secrets: tuple[str, ...] = ()
    ci: CiRules | None = None
    notifications: Notifications = Notifications()


def probe_manifests(subject: Subject) -> Read:
    """Everything that is wrong for this host, not only the first."""
    settings = subject.settings
    clone = Path(settings.state.directory) / "repository.git"
    host = settings.host
    if not (revision := newest_fetched(clone)):
        return Read(ManifestFacts(host=host))
    objects = Objects(clone)
    hosts: tuple[str, ...] = ()
    newest = 0.0
    try:
        newest = float(objects.commit(revision).at)
        tree = objects.tree(revision)
        fleet = fleet_of(tree, settings.repository.path)
        hosts = tuple(each.name for each in fleet.hosts)
        made = assemble(tree, settings.repository.path, _side(subject), revision=revision, owner="")
    except ReconcilerError as error:
        return Read(ManifestFacts(revision, host, hosts, problems=error.each), newest=newest)
    stacks = tuple(stack.name for stack in made.desired.stacks)
    names = {*_granted(made.desired), *fleet.notifications.secrets}
    names |= {fleet.ci.token} if fleet.ci and fleet.ci.token else set()
    facts = ManifestFacts(revision, host, hosts, stacks, made.problems)
    return Read(facts, made.desired, newest, tuple(sorted(names)), fleet.ci, fleet.notifications)


def _side(subject: Subject) -> HostSide:
    env = Path(subject.settings.config_directory) / "env"
    return HostSide(
        subject.settings.host,
        lambda stack: environment_in(env / stack),
        lambda stack: str(env / stack),
        str(Path.home()),
    )


def _granted(desired: Desired) -> Iterator[str]:
    for stack in desired.stacks:
        for service in stack.services:
            yield from external_secrets(service, stack)


def probe_checkout(subject: Subject, desired: Desired) -> CheckoutFacts:
    """What the guard says of the folder, and whether root (or this user) can write there."""
    policy = make_rules(subject.settings).policy
    real = {path: os.path.realpath(path) for path in guard.paths(desired, policy)}
    refusal = next(guard.checkout_refusals(desired, policy, real), None)
    there = nearest_folder(desired.checkout)
    writing, read_only = ("", False) if refusal else try_to_write(there)
    allowed = replace(policy, allow_host_mounts=(*policy.allow_host_mounts, desired.checkout))
    allowable = refusal is not None and not any(guard.checkout_refusals(desired, allowed, real))
    return CheckoutFacts(
        desired.checkout,
        refusal,
        desired.checkout if allowable else "",
        policy.allow_host_mounts,
        writing,
        read_only,
        mount_of(there)[0],
    )
