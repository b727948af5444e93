"""How this host reaches the repository that it follows."""

from __future__ import annotations

from pathlib import Path

from reconciler.adapters.secrets import SecretStore
from reconciler.git.transport import Transport
from reconciler.model.settings import Settings


def remote_of(settings: Settings) -> Transport:
    """The remote with its credentials. Terminal when the token's secret is missing or open to others."""
    repository, secrets = settings.repository, SecretStore(settings.config_directory)
    return Transport(
        repository.url,
        token=secrets.read(repository.token).decode().strip() if repository.token else None,
        ssh_key=Path(repository.ssh_key) if repository.ssh_key else None,
        known_hosts=Path(repository.known_hosts) if repository.known_hosts else None,
    )
