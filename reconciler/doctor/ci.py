"""The CI server: asked once about the newest commit, as a pass would ask."""

from __future__ import annotations

import posixpath
from pathlib import Path

from reconciler.adapters.secrets import SecretStore
from reconciler.ci import provider_of
from reconciler.core.diagnosis.ci import CiFacts
from reconciler.core.gate.workflows import FOLDERS, workflows_of
from reconciler.doctor.init import credentials
from reconciler.doctor.subject import Subject
from reconciler.errors import ReconcilerError
from reconciler.git.objects import Objects
from reconciler.model.gate import CiRules


def probe_ci(subject: Subject, revision: str, rules: CiRules) -> CiFacts:
    """`revision`: the newest that was fetched. Reads its workflow files from the clone."""
    settings = subject.settings
    tree = Objects(Path(settings.state.directory) / "repository.git").tree(revision)
    workflows = workflows_of(tree, rules.provider)
    known = [name for each in workflows for name in (each.path, posixpath.basename(each.path), each.name)]
    facts = CiFacts(
        rules,
        revision,
        secrets=f"{settings.config_directory}/secrets",
        missing=tuple(name for name in rules.require if name not in known) if rules.provider in FOLDERS else (),
        workflows=tuple(posixpath.basename(each.path) for each in workflows),
    )
    if rules.provider == "none":
        return facts
    try:
        ci = provider_of(rules, SecretStore(settings.config_directory), subject.clock, subject.deadline)
        pages = ci.ask(revision, {})
    except ReconcilerError as error:
        handed_over = error.code == "E-SECRET-MISSING" and rules.token in credentials(subject.deadline)
        return facts.withheld_from_us() if handed_over else facts.failed(error)
    return facts.answered(sum(len(page.runs) for page in pages.values()))
