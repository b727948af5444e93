"""Which init system and which package manager this machine has, for the commands that findings print."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from reconciler import process

_MANAGERS = (
    ("apt-get", "apt-get install -y {}"),
    ("dnf", "dnf install -y {}"),
    ("apk", "apk add {}"),
    ("pacman", "pacman -S --noconfirm {}"),
    ("zypper", "zypper install -y {}"),
    ("emerge", "emerge --ask=n {}"),
)
_CREDENTIAL = re.compile(rb"^\s*(?:Load|Set)Credential(?:Encrypted)?\s*=\s*([^:\s]+)", re.MULTILINE)
_PACKAGES = {
    "docker": {"apt-get": "docker.io", "dnf": "moby-engine", "emerge": "app-containers/docker"},
    "git": {"emerge": "dev-vcs/git"},
    "timesyncd": {manager: "chrony" for manager, _ in _MANAGERS} | {"apt-get": "systemd-timesyncd"},
    "ssh": {
        "apt-get": "openssh-client",
        "dnf": "openssh-clients",
        "emerge": "net-misc/openssh",
        "apk": "openssh-client",
        "pacman": "openssh",
        "zypper": "openssh-clients",
    },
}


def is_systemd() -> bool:
    """Whether systemd is PID 1 (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def credentials(deadline: float) -> tuple[str, ...]:
    """Names of the secrets that systemd hands over: to this very process, or to the service of the passes."""
    given = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent"))
    names = {path.name for path in given.iterdir()} if given.is_dir() else set()
    if is_systemd():
        # As they are written: `systemctl show` of systemd 252 cannot print them.
        unit = process.run(["systemctl", "cat", "reconciler.service"], deadline=deadline).stdout
        names |= {name.decode("utf-8", "replace") for name in _CREDENTIAL.findall(unit)}
    return tuple(sorted(names))


def install(what: str) -> str:
    """The command that installs a program here; "" when there is no package manager that we know."""
    for manager, command in _MANAGERS:
        if shutil.which(manager):
            return command.format(_PACKAGES.get(what, {}).get(manager, what))
    return ""


def start(service: str) -> str:
    """The command that starts a service of this machine."""
    if is_systemd():
        return f"systemctl enable --now {service}"
    if shutil.which("rc-service"):
        return f"rc-service {service} start"
    return f"service {service} start"
