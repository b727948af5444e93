"""Which init system and which package manager this machine has, for the commands that findings print."""

from __future__ import annotations

import shutil
from pathlib import Path

_MANAGERS = (
    ("apt-get", "apt-get install -y {}"),
    ("dnf", "dnf install -y {}"),
    ("apk", "apk add {}"),
    ("pacman", "pacman -S --noconfirm {}"),
    ("zypper", "zypper install -y {}"),
    ("emerge", "emerge --ask=n {}"),
)
_PACKAGES = {
    "docker": {"apt-get": "docker.io", "dnf": "moby-engine", "emerge": "app-containers/docker"},
    "git": {"emerge": "dev-vcs/git"},
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
