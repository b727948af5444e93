"""Who is asked about commits: the provider that `ci:` of a fleet names, with this host's token for it."""

from __future__ import annotations

from reconciler.adapters.ci.generic import Generic
from reconciler.adapters.ci.gitea import Gitea
from reconciler.adapters.ci.github import GitHub
from reconciler.adapters.secrets import SecretStore
from reconciler.errors import Terminal
from reconciler.model.gate import CiRules
from reconciler.ports import Clock, ContinuousIntegration


def provider_of(rules: CiRules, secrets: SecretStore, clock: Clock, deadline: float = 30.0) -> ContinuousIntegration:
    """Asks nobody yet; `deadline`: seconds for one question. Terminal when the token's secret is missing or none."""
    token = secrets.read(rules.token).decode(errors="replace").strip() if rules.token else ""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Terminal(
            "E-CI-TOKEN",
            f"the secret {rules.token!r} is no token",
            why="it holds blanks, several lines or letters that no token has",
            next="write the token alone into it",
        )
    if rules.provider == "github":
        return GitHub(rules, token, clock, deadline)
    if rules.provider == "generic":
        return Generic(rules, token, clock, deadline)
    return Gitea(rules, token, clock, deadline)
