"""The labels that we write on what we make, and Compose's own, so that `docker compose ps` still sees its projects."""

from collections.abc import Mapping
from typing import TypedDict

OWNER = "reconciler.owner"
FINGERPRINT = "reconciler.fingerprint"
REVISION = "reconciler.revision"
BUILD = "reconciler.build"

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONEOFF = "com.docker.compose.oneoff"
CONFIG_HASH = "com.docker.compose.config-hash"
WORKING_DIR = "com.docker.compose.project.working_dir"
CONFIG_FILES = "com.docker.compose.project.config_files"
ENV_FILES = "com.docker.compose.project.environment_file"
COMPOSE_VERSION = "com.docker.compose.version"
COMPOSE_IMAGE = "com.docker.compose.image"
DEPENDS_ON = "com.docker.compose.depends_on"
NETWORK = "com.docker.compose.network"
VOLUME = "com.docker.compose.volume"


class MadeBy(TypedDict):
    """Who made a container, a network or a volume; "" where nothing is said."""

    owner: str
    stack: str
    fingerprint: str


def made_by(labels: Mapping[str, str]) -> MadeBy:
    """What the labels say of their maker."""
    return {
        "owner": labels.get(OWNER, ""),
        "stack": labels.get(PROJECT, ""),
        "fingerprint": labels.get(FINGERPRINT, ""),
    }
