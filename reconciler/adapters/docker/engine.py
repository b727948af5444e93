"""A Docker engine through its HTTP API: https://docs.docker.com/reference/api/engine/

docker-py is loaded only for what it does better: pulls, builds, logs, engines behind TLS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from reconciler.adapters.docker.errors import Gone, translated
from reconciler.adapters.docker.frames import frames
from reconciler.adapters.docker.http import DEADLINE, Http, Refusal, SocketHttp, api_version, plain_address
from reconciler.adapters.docker.read import container, defaults, image, joined_ids, lacks, listed, network, volume
from reconciler.model import labels as label
from reconciler.model.desired import Build, Network, Volume
from reconciler.model.observed import Container, Image, Observed
from reconciler.ports import ContainerEngine

if TYPE_CHECKING:
    from reconciler.adapters.docker.client import Client

_GRACE = 10.0  # seconds that the engine gives a container to stop when nobody says
_KEPT = 1 << 16  # bytes of a command's output
_LATE = 124  # as timeout(1)
_MOMENT = 0.02


class DockerEngine(ContainerEngine):
    """`url`: unix:///path or tcp://…; empty: DOCKER_HOST, else the default socket. `deadline`: seconds for one call."""

    def __init__(self, url: str = "", deadline: float = DEADLINE) -> None:
        self._url, self._deadline = url, deadline
        self._reached: tuple[Http, str] | None = None
        self._loaded: Client | None = None

    def close(self) -> None:
        """Give its connections back; the next call opens new ones."""
        if self._loaded is not None:
            self._loaded.close()
        self._reached = self._loaded = None

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        patience: float = 0,
    ) -> Any:
        """As Http.call; what is None in the body is left out. To be called within `translated`."""
        given = None if body is None else {key: value for key, value in body.items() if value is not None}
        http, version = self._api
        return http.call(method, f"/v{version}{path}", given, query, patience)

    @property
    def _api(self) -> tuple[Http, str]:
        """The engine, and the version of its API that we speak: the first call of all tells."""
        if self._reached is None:
            with translated("reach the Docker engine"):
                address = plain_address(self._url)
                http = SocketHttp(address, self._deadline) if address else self._client
                try:
                    self._reached = http, api_version(http.call("GET", "/version")["ApiVersion"])
                except (Refusal, TimeoutError) as error:
                    raise ConnectionError(f"it does not say its version: {error}") from error
        return self._reached

    @property
    def _client(self) -> Client:
        from reconciler.adapters.docker.client import Client

        if self._loaded is None:
            with translated("reach the Docker engine"):
                self._loaded = Client(self._url, self._deadline)
        return self._loaded

    def version(self) -> str:
        with translated("ask the engine for its version"):
            return str(self._call("GET", "/version")["Version"])

    def observe(self, host: str, owner: str) -> Observed:
        with translated("list containers"):
            rows = self._call("GET", "/containers/json", query={"all": 1})
            whole = {c.id: c for c in self.look([row["Id"] for row in rows if _concerns(owner, row)])}
            joined = {i for c in whole.values() for i in joined_ids(c.definition)} - whole.keys()
            whole |= {c.id: c for c in self.look(sorted(joined))}
            volumes = self._call("GET", "/volumes").get("Volumes") or []
            return Observed(
                host=host,
                containers=tuple(whole.get(row["Id"]) or listed(row) for row in rows),
                networks=tuple(map(network, _sorted(self._call("GET", "/networks")))),
                volumes=tuple(map(volume, sorted(volumes, key=itemgetter("Name")))),
                images=tuple(map(image, _sorted(self._call("GET", "/images/json")))),
                lacks=lacks(self._info),
                defaults=defaults(self._info),
            )

    def listed(self) -> tuple[Container, ...]:
        with translated("list containers"):
            return tuple(map(listed, self._call("GET", "/containers/json", query={"all": 1})))

    @cached_property
    def _info(self) -> Mapping[str, Any]:
        """Asked once: a kernel does not change below a pass."""
        found: Mapping[str, Any] = self._call("GET", "/info")
        return found

    def look(self, ids: Sequence[str]) -> tuple[Container, ...]:
        return tuple(found for found in map(self._inspect, ids) if found)

    def _inspect(self, container_id: str) -> Container | None:
        try:
            with translated("inspect a container"):
                return container(self._call("GET", f"/containers/{container_id}/json"))
        except Gone:
            return None

    def image(self, reference: str) -> Image | None:
        try:
            with translated("inspect an image"):
                return image(self._call("GET", f"/images/{reference}/json"))
        except Gone:
            return None

    def image_configs(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        return {image: config for image in sorted(ids) if (config := self._image_config(image)) is not None}

    def _image_config(self, image_id: str) -> Mapping[str, Any] | None:
        try:
            with translated("inspect an image"):
                return self._call("GET", f"/images/{image_id}/json").get("Config") or {}
        except Gone:
            return None

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        return self._client.logs(container, lines)

    def digest(self, reference: str) -> str:
        return self._client.digest(reference)

    def pull(self, reference: str, platform: str, say: Callable[[str], None]) -> None:
        self._client.pull(reference, platform, say)

    def build(
        self,
        reference: str,
        build: Build,
        context: bytes,
        labels: Mapping[str, str],
        platform: str,
        say: Callable[[str], None],
    ) -> str:
        return self._client.build(reference, build, context, labels, platform, say)

    def tag(self, image: str, reference: str) -> None:
        repository, colon, tag = reference.rpartition(":")
        named = bool(colon) and "/" not in tag  # a registry may have a port
        with translated(f"tag {reference}"):
            query = {"repo": repository if named else reference, "tag": tag if named else "latest"}
            self._call("POST", f"/images/{image}/tag", query=query)

    def create_volume(self, volume: Volume, labels: Mapping[str, str]) -> None:
        with translated(f"create volume {volume.name}"):
            body = {
                "Name": volume.name,
                "Driver": volume.driver or None,
                "DriverOpts": dict(volume.driver_opts) or None,
                "Labels": {**dict(volume.labels), **labels},
            }
            self._call("POST", "/volumes/create", body)

    def create_network(self, network: Network, labels: Mapping[str, str]) -> str:
        body = {
            "Name": network.name,
            "Driver": network.driver or "bridge",
            "Options": dict(network.driver_opts) or None,
            "IPAM": _ipam(network),
            "Internal": network.internal,
            "Attachable": network.attachable,
            "EnableIPv6": network.enable_ipv6,
            "Labels": {**dict(network.labels), **labels},
            "CheckDuplicate": True,
        }
        with translated(f"create network {network.name}"):
            return str(self._call("POST", "/networks/create", body)["Id"])

    def remove_network(self, network: str) -> None:
        with translated("remove a network", gone_is_fine=True):
            self._call("DELETE", f"/networks/{network}")

    def connect(self, network: str, container: str, endpoint: Mapping[str, Any]) -> None:
        with translated(f"connect to network {network}"):
            body = {"Container": container, "EndpointConfig": dict(endpoint)}
            self._call("POST", f"/networks/{network}/connect", body)

    def disconnect(self, network: str, container: str) -> None:
        with translated(f"disconnect from network {network}", gone_is_fine=True):
            self._call("POST", f"/networks/{network}/disconnect", {"Container": container, "Force": True})

    def create(self, name: str, body: Mapping[str, Any], platform: str) -> str:
        with translated(f"create container {name}"):
            query = {"name": name} | ({"platform": platform} if platform else {})
            if platform and not self._speaks(1, 41):
                raise Refusal(400, f"it cannot choose the platform {platform}: that came with version 1.41 of its API")
            return str(self._call("POST", "/containers/create", body, query)["Id"])

    def _speaks(self, *version: int) -> bool:
        """An older engine ignores in silence what it does not know."""
        return tuple(map(int, self._api[1].split("."))) >= version

    def start(self, container: str) -> None:
        with translated("start a container"):
            self._call("POST", f"/containers/{container}/start")

    def unpause(self, container: str) -> None:
        with translated("unpause a container"):
            self._call("POST", f"/containers/{container}/unpause")

    def stop(self, container: str, grace: float | None) -> None:
        query = {} if grace is None else {"t": round(grace)}
        patience = _GRACE if grace is None else grace
        with translated("stop a container", gone_is_fine=True):
            self._call("POST", f"/containers/{container}/stop", query=query, patience=patience)

    def rename(self, container: str, name: str) -> None:
        with translated(f"rename a container to {name}"):
            self._call("POST", f"/containers/{container}/rename", query={"name": name})

    def update(self, container: str, settings: Mapping[str, Any]) -> None:
        with translated("update a container"):
            self._call("POST", f"/containers/{container}/update", settings)

    def remove(self, container: str) -> None:
        with translated("remove a container", gone_is_fine=True):
            self._call("DELETE", f"/containers/{container}", query={"force": 1})

    def signal(self, container: str, name: str) -> None:
        """From inside where that can be done: what the engine sends counts as a wish to stop, and it never starts the
        container again by itself (moby/moby#41302, #11065)."""
        with translated("signal a container"):
            seen = self._call("GET", f"/containers/{container}/json")
            alone = seen["State"]["Status"] == "running" and not (seen.get("HostConfig") or {}).get("PidMode")
            inside = ["sh", "-c", 'kill -s "$0" 1', name.removeprefix("SIG")]
            if not alone or self.exec(container, inside, self._deadline)[0]:
                self._call("POST", f"/containers/{container}/kill", query={"signal": name})

    def exec(self, container: str, command: Sequence[str], timeout: float) -> tuple[int, str]:
        until, log = time.monotonic() + timeout, bytearray()
        with translated("run a command in a container"):
            asked = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
            made = self._call("POST", f"/containers/{container}/exec", asked)["Id"]
            http, version = self._api
            with suppress(TimeoutError):
                for piece in frames(http.output(f"/v{version}/exec/{made}/start", {"Detach": False}, timeout)):
                    log += piece.data
                    del log[:-_KEPT]
            return self._exit_code(made, until), log.decode(errors="replace")

    def _exit_code(self, made: str, until: float) -> int:
        """The engine may close the output a moment before it knows how the command ended."""
        while (told := self._call("GET", f"/exec/{made}/json"))["Running"] or told["ExitCode"] is None:
            if time.monotonic() > until:
                return _LATE
            time.sleep(_MOMENT)
        return int(told["ExitCode"])


def _concerns(owner: str, row: Mapping[str, Any]) -> bool:
    """Whether it is of that owner, or Compose made it and it is nobody's."""
    labels = row.get("Labels") or {}
    return bool(labels[label.OWNER] == owner if label.OWNER in labels else labels.get(label.PROJECT))


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The engine gives them in another order every time; an equal host must give an equal plan."""
    return sorted(rows, key=itemgetter("Id"))


def _ipam(network: Network) -> dict[str, Any] | None:
    if not (network.ipam or network.ipam_driver or network.ipam_options):
        return None
    pools = [
        {
            "Subnet": pool.subnet,
            "IPRange": pool.ip_range,
            "Gateway": pool.gateway,
            "AuxiliaryAddresses": dict(pool.aux_addresses),
        }
        for pool in network.ipam
    ]
    return {
        "Driver": network.ipam_driver or "default",
        "Config": [{key: value for key, value in pool.items() if value} for pool in pools],
        "Options": dict(network.ipam_options) or None,
    }
