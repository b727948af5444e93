"""One merged, interpolated service becomes a `Service` value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.core.compose import deploy, ineffective, keys, mounts, ports, read, service_parts, tuning
from reconciler.core.compose.build import build
from reconciler.core.compose.environment import environment, labels
from reconciler.core.compose.envsource import EnvFiles
from reconciler.core.compose.grants import grants
from reconciler.core.compose.problems import FromHost, check_keys, fail, misspelt, show
from reconciler.core.compose.variables import Variables, is_sealed
from reconciler.core.document import Map
from reconciler.core.mistakes import Mistakes
from reconciler.model.desired import Attachment, Dependency, Mount, Service

_PLAIN: dict[str, Callable[[Map, str], Any]] = {
    "image": read.filled,
    "pull_policy": service_parts.pull_policy,
    "platform": read.text,
    "command": service_parts.words,
    "entrypoint": service_parts.words,
    "ports": ports.ports,
    "expose": service_parts.expose,
    "networks": service_parts.networks,
    "network_mode": read.text,
    "links": service_parts.links,
    "depends_on": service_parts.depends_on,
    "healthcheck": service_parts.healthcheck,
    "restart": service_parts.restart,
    "container_name": service_parts.container_name,
    "hostname": read.text,
    "domainname": read.text,
    "mac_address": read.text,
    "user": read.text,
    "working_dir": read.text,
    "cap_add": read.unique_strings,
    "cap_drop": read.unique_strings,
    "devices": service_parts.devices,
    "read_only": read.boolean,
    "privileged": read.boolean,
    "dns": read.one_or_many,
    "dns_search": read.one_or_many,
    "dns_opt": read.unique_strings,
    "sysctls": read.pairs,
    "init": read.boolean,
    "logging": service_parts.logging,
    "shm_size": read.size,
    "stdin_open": read.boolean,
    "tty": read.boolean,
    "ulimits": service_parts.ulimits,
    "extra_hosts": service_parts.extra_hosts,
    "group_add": read.spelled_list,
    "stop_signal": read.text,
    "stop_grace_period": read.duration,
    "pid": read.text,
    "ipc": read.text,
}


def check_service(name: str, service: Map) -> None:
    """Refuse unknown and unsupported keys, also of a service that no profile switches on."""
    check_keys(service, keys.SERVICE, f"the service {name}", keys.SERVICE_REFUSED)


def profiles(service: Map) -> tuple[str, ...]:
    return read.strings(service, "profiles") if service.get("profiles") is not None else ()


def make_service(
    name: str,
    service: Map,
    *,
    stack: str,
    extended: tuple[str, ...],
    variables: Variables,
    env_files: EnvFiles,
    mistakes: Mistakes,
) -> Service:
    """The model value of a service, as far as it is right; the rest is told to `mistakes`."""
    reads = dict.fromkeys(extended)
    mistakes.of(check_service, name, service)
    found = mistakes.given(_PLAIN, service)
    mistakes.of(_check_image, name, service)
    if service.get("build") is not None:
        where = service["build"].at("context") if isinstance(service["build"], Map) else service.at("build")
        found["build"] = mistakes.of(build, service, "build", env_files.paths, env_files.folder(where), variables)
    found["environment"] = mistakes.of(environment, service, variables, env_files, reads)
    found["labels"] = mistakes.of(labels, service, variables, env_files, reads)
    found["mounts"] = mistakes.of(_mounts, service, env_files)
    found["grants"] = mistakes.of(grants, service)
    found["tuning"] = mistakes.of(tuning.tuning, service)
    found["security_opt"] = mistakes.of(_security, service, env_files, reads)
    mistakes.of(ineffective.warn, service, ineffective.SERVICE, variables.warnings)
    found.update(mistakes.of(_deploy, service, found, variables.warnings) or {})
    mistakes.of(_attach, service, found)
    mistakes.of(tuning.check, service, found, variables.warnings)
    found["depends_on"] = _with_linked(found.get("depends_on") or (), found.get("links") or ())
    found = {key: value for key, value in found.items() if value is not None}
    pairs = (*found.get("environment", ()), *found.get("labels", ()))
    sealed = is_sealed(service) or any(isinstance(value, FromHost) for _, value in pairs)
    sealed = sealed or ("build" in found and any(isinstance(value, FromHost) for _, value in found["build"].args))
    return Service(name, stack, service.position, sealed=sealed, reads=tuple(reads), **found)


def _check_image(name: str, service: Map) -> None:
    if all(service.get(key) is None for key in ("image", "build")) and not misspelt(
        service, keys.SERVICE, "image", "build"
    ):
        what = f"the service {name} has neither image nor build"
        fail("E-COMPOSE-REFERENCE", what, service.position, next="give it one of them")


def _deploy(service: Map, found: dict[str, Any], warnings: dict[str, None]) -> dict[str, Any]:
    if deploy.KEYS.isdisjoint(service):
        return {}
    given = deploy.part(service, "deploy")
    with Mistakes() as mistakes:
        mistakes.of(deploy.check, given)
        made: dict[str, Any] = {
            "resources": mistakes.of(deploy.resources, service, given, warnings),
            "update": mistakes.of(deploy.update, given),
            "replicas": mistakes.of(deploy.replicas, service, given),
        }
        mistakes.of(deploy.ineffective_parts, given, warnings)
        policy = mistakes.of(deploy.restart_policy, given)
    if policy is not None and "restart" not in found:
        made["restart"] = policy
    return made


def _attach(service: Map, found: dict[str, Any]) -> None:
    """A service without networks is on the network `default`."""
    mode = found.get("network_mode", "")
    if mode and found.get("links"):
        advice = "remove links, or put both services on one network"
        fail("E-COMPOSE-VALUE", "network_mode and links exclude each other", service.key_at("links"), next=advice)
    if mode and found.get("networks"):
        fail("E-COMPOSE-VALUE", "network_mode and networks exclude each other", service.key_at("network_mode"))
    if mode == "host" and found.get("ports"):
        found["ports"] = ()
    if not mode and not found.get("networks"):
        found["networks"] = (Attachment("default"),)


def _with_linked(dependencies: tuple[Dependency, ...], links: tuple[tuple[str, str], ...]) -> tuple[Dependency, ...]:
    """A service starts after those that it is linked to."""
    known = {dependency.service for dependency in dependencies}
    linked = dict.fromkeys(service for service, _ in links if service not in known)
    return (*dependencies, *map(Dependency, linked))


def _mounts(service: Map, env_files: EnvFiles) -> tuple[Mount, ...]:
    found: tuple[Mount, ...] = ()
    with Mistakes() as mistakes:
        if service.get("volumes") is not None:
            found = mistakes.of(mounts.mounts, service, "volumes", env_files.paths, env_files.folders) or ()
        if service.get("tmpfs") is not None:
            found += mistakes.of(mounts.tmpfs, service, "tmpfs") or ()
    return found


def _security(service: Map, env_files: EnvFiles, reads: dict[str, None]) -> tuple[str, ...]:
    """The engine wants a seccomp profile itself, not its path: it is read from the repository."""
    if service.get("security_opt") is None:
        return ()
    made = []
    for index, option in enumerate(read.unique_strings(service, "security_opt")):
        name, sign, value = option.replace(":", "=", 1).partition("=") if "=" not in option else option.partition("=")
        if name != "seccomp" or not sign or value in ("unconfined", "builtin"):
            made.append(option)
            continue
        at = service["security_opt"].at(min(index, len(service["security_opt"]) - 1))
        repo = env_files.paths.find_file(value, env_files.folder(at), at)
        if repo is None:
            fail("E-COMPOSE-REFERENCE", f"the seccomp profile {show(value)} is not in git", at, next="commit it")
        reads[repo] = None
        made.append("seccomp=" + env_files.paths.read(repo, at).decode("utf-8", "replace"))
    return tuple(made)
