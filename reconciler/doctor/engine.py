"""The Docker engine: where it is looked for, what answers there, and what it can do."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import socket
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import requests
from docker import APIClient
from docker.errors import DockerException
from docker.utils import kwargs_from_env

from reconciler.adapters.docker.read import lacks
from reconciler.core.diagnosis.engine import NEWEST_API, OLDEST_API, EngineFacts, Trouble
from reconciler.doctor.init import install, start

_DEFAULT = "unix:///var/run/docker.sock"
_TROUBLES: Mapping[int, Trouble] = {
    errno.ENOENT: "missing",
    errno.ECONNREFUSED: "down",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ENOTSOCK: "strange",
}


def address_of(configured: str, environment: Mapping[str, str]) -> str:
    return configured or environment.get("DOCKER_HOST", "") or _DEFAULT


def probe_engine(configured: str, environment: Mapping[str, str], deadline: float) -> EngineFacts:
    """What answers at the configured address; when nothing does, whether something does elsewhere."""
    address = address_of(configured, environment)
    trouble, why = _connect(address, deadline)
    if not trouble:
        return _ask(address, configured, deadline)
    elsewhere = () if trouble == "denied" else _others(address, environment, deadline)
    return _absent(address, trouble, why, elsewhere)


def _absent(address: str, trouble: Trouble, why: str, elsewhere: tuple[str, ...]) -> EngineFacts:
    here = shutil.which("dockerd") is not None
    return EngineFacts(
        address,
        trouble,
        why,
        elsewhere,
        start=start("docker") if here else "",
        install=install("docker"),
        group=_group_of(address),
        user=_user(),
    )


def _connect(address: str, deadline: float) -> tuple[Trouble, str]:
    scheme, _, rest = address.partition("://")
    try:
        if scheme == "unix":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(deadline)
                connection.connect(rest)
        else:
            parts = urllib.parse.urlsplit(f"//{rest}")
            with socket.create_connection((parts.hostname or "", parts.port or 2375), deadline):
                pass
    except socket.gaierror as error:
        return "name", str(error)
    except TimeoutError as error:
        return "silent", str(error)
    except ValueError as error:
        return "strange", str(error)
    except OSError as error:
        return _TROUBLES.get(error.errno or 0, "silent"), error.strerror or str(error)
    return "", ""


def _ask(address: str, configured: str, deadline: float) -> EngineFacts:
    """The version first, by the path that every engine has; the rest with an API that both sides speak."""
    options = {"base_url": address} if configured else dict(kwargs_from_env()) or {"base_url": address}
    newest, oldest = (".".join(map(str, number)) for number in (NEWEST_API, OLDEST_API))
    try:
        client = APIClient(**options, version=oldest, timeout=round(deadline) or 1)
        version = client.version(api_version=False)
        api, least = str(version["ApiVersion"]), str(version.get("MinAPIVersion") or "1.12")
        facts = EngineFacts(address, version=str(version["Version"]), api=api, oldest_api=least)
        if not _number(oldest) <= _number(api) or _number(least) > _number(newest):
            return facts
        spoken = min(api, newest, key=_number)
        client = APIClient(**options, version=spoken, timeout=round(deadline) or 1)
        info = client.info()
        nameless = sum(image["Size"] for image in client.images(filters={"dangling": True}))
    except (requests.Timeout, TimeoutError) as error:
        return _absent(address, "silent", str(error), ())
    except (DockerException, requests.RequestException, OSError, ValueError, KeyError, TypeError) as error:
        return _absent(address, "strange", f"{type(error).__name__}: {error}", ())
    root = str(info.get("DockerRootDir", "")) if address.startswith("unix://") else ""
    return EngineFacts(
        address,
        version=facts.version,
        api=api,
        oldest_api=least,
        lacks=lacks(info),
        root=root if root and Path(root).is_dir() else "",
        nameless=nameless,
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def _others(address: str, environment: Mapping[str, str], deadline: float) -> tuple[str, ...]:
    """Usual places where an engine does answer."""
    run = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    usual = (environment.get("DOCKER_HOST", ""), _DEFAULT, f"unix://{run}/docker.sock")
    return tuple(
        other
        for other in dict.fromkeys(usual)
        if other and other != address and _connect(other, deadline)[0] == "" and _ask(other, other, deadline).version
    )


def _group_of(address: str) -> str:
    try:
        return grp.getgrgid(os.stat(address.removeprefix("unix://")).st_gid).gr_name
    except (OSError, KeyError):
        return ""


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
