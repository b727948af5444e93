"""A Docker engine through its HTTP API, by docker-py's low-level client.

The high-level client inspects every container that it lists and hides errors in the stream of a pull; the
low-level one does neither. https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

import requests
from docker import APIClient
from docker.errors import APIError, DockerException
from docker.types import IPAMConfig, IPAMPool
from docker.utils import kwargs_from_env, parse_repository_tag

from reconciler.adapters.docker_errors import Gone, build_failed, pull_failed, translated
from reconciler.adapters.docker_raw import NEWEST_API
from reconciler.adapters.docker_read import container, image, joined_ids, lacks, listed, network, volume
from reconciler.model import labels as label
from reconciler.model.desired import Build, Network, Volume
from reconciler.model.observed import Container, Observed, without_tag
from reconciler.ports import ContainerEngine

DEADLINE = 60.0


STREAM_IDLE = 600.0
"""Seconds without a word from a pull or a build after which it is given up."""


class _Client(APIClient):
    """docker-py reads the stream of a pull or a build without any bound; a registry that hangs would hang us."""

    def _set_request_timeout(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        bounded: dict[str, Any] = super()._set_request_timeout(kwargs)  # type: ignore[misc]
        if bounded.get("timeout") is None:
            bounded["timeout"] = STREAM_IDLE
        return bounded


class DockerEngine(ContainerEngine):
    """`url`: unix:///path or tcp://…; empty: DOCKER_HOST, else the default socket. `deadline`: seconds for one call."""

    def __init__(self, url: str = "", deadline: float = DEADLINE) -> None:
        self._url = url
        self._deadline = deadline
        self._client: APIClient | None = None

    @property
    def _api(self) -> APIClient:
        if self._client is None:
            self._client = connect(self._url, self._deadline)
        return self._client

    def close(self) -> None:
        """Give its connections back; the next call opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def version(self) -> str:
        with translated("ask the engine for its version"):
            return str(self._api.version()["Version"])

    def observe(self, host: str, owner: str) -> Observed:
        with translated("list containers"):
            rows = self._api.containers(all=True)
            whole = {c.id: c for c in self.look([row["Id"] for row in rows if _concerns(owner, row)])}
            joined = {i for c in whole.values() for i in joined_ids(c.definition)} - whole.keys()
            whole |= {c.id: c for c in self.look(sorted(joined))}
            return Observed(
                host=host,
                containers=tuple(whole.get(row["Id"]) or listed(row) for row in rows),
                networks=tuple(map(network, _sorted(self._api.networks()))),
                volumes=tuple(map(volume, sorted(self._api.volumes().get("Volumes") or [], key=itemgetter("Name")))),
                images=tuple(map(image, _sorted(self._api.images(all=False)))),
                lacks=self._kernel_lacks,
            )

    def listed(self) -> tuple[Container, ...]:
        with translated("list containers"):
            return tuple(map(listed, self._api.containers(all=True)))

    @cached_property
    def _kernel_lacks(self) -> frozenset[str]:
        """Asked once: a kernel does not change below a pass."""
        return lacks(self._api.info())

    def look(self, ids: Sequence[str]) -> tuple[Container, ...]:
        return tuple(found for found in map(self._inspect, ids) if found)

    def _inspect(self, container_id: str) -> Container | None:
        try:
            with translated("inspect a container"):
                return container(self._api.inspect_container(container_id))
        except Gone:
            return None

    def image_configs(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        return {image: config for image in sorted(ids) if (config := self._image_config(image)) is not None}

    def _image_config(self, image_id: str) -> Mapping[str, Any] | None:
        try:
            with translated("inspect an image"):
                return self._api.inspect_image(image_id).get("Config") or {}  # type: ignore[no-untyped-call]
        except Gone:
            return None

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        try:
            raw: bytes = self._api.logs(container, tail=lines)
        except (DockerException, requests.RequestException):
            return ()
        return tuple(raw.decode(errors="replace").splitlines())

    def pull(self, reference: str, platform: str, say: Callable[[str], None]) -> None:
        repository, tag = parse_repository_tag(without_tag(reference) if "@" in reference else reference)
        failure = ""
        with translated(f"pull {reference}"):
            stream = self._api.pull(
                repository, tag=tag or "latest", stream=True, decode=True, platform=platform or None
            )
            for event in stream:
                failure = failure or str(event.get("error", ""))  # read to the end: the connection is used again
                if text := event.get("status"):
                    say(f"{reference}: {event.get('id', '')} {text}".strip())
        if failure:
            raise pull_failed(reference, failure)

    def build(
        self,
        reference: str,
        build: Build,
        context: bytes,
        labels: Mapping[str, str],
        platform: str,
        say: Callable[[str], None],
    ) -> str:
        image_id = failure = ""
        with translated(f"build {reference}"):
            stream = self._api.build(
                fileobj=io.BytesIO(context),
                custom_context=True,
                dockerfile=build.dockerfile,
                tag=reference,
                buildargs=dict(build.args),
                target=build.target or None,
                labels={**dict(build.labels), **labels},
                platform=platform or None,
                rm=True,
                forcerm=True,
                decode=True,
            )
            for event in stream:
                failure = failure or str(event.get("error", ""))
                image_id = (event.get("aux") or {}).get("ID", image_id)
                if text := str(event.get("stream", "")).strip():
                    say(f"{reference}: {text}")
        if failure:
            raise build_failed(reference, failure)
        return image_id

    def tag(self, image: str, reference: str) -> None:
        repository, tag = parse_repository_tag(reference)
        with translated(f"tag {reference}"):
            self._api.tag(image, repository, tag or "latest")

    def create_volume(self, volume: Volume, labels: Mapping[str, str]) -> None:
        with translated(f"create volume {volume.name}"):
            self._api.create_volume(
                name=volume.name,
                driver=volume.driver or None,
                driver_opts=dict(volume.driver_opts) or None,
                labels={**dict(volume.labels), **labels},
            )

    def create_network(self, network: Network, labels: Mapping[str, str]) -> str:
        with translated(f"create network {network.name}"):
            made = self._api.create_network(
                network.name,
                driver=network.driver or "bridge",
                options=dict(network.driver_opts) or None,
                ipam=_ipam(network),
                internal=network.internal,
                attachable=network.attachable or None,
                enable_ipv6=network.enable_ipv6,
                labels={**dict(network.labels), **labels},
                check_duplicate=True,
            )
        return str(made["Id"])

    def remove_network(self, network: str) -> None:
        with translated("remove a network", gone_is_fine=True):
            self._api.remove_network(network)

    def connect(self, network: str, container: str, endpoint: Mapping[str, Any]) -> None:
        body = {"Container": container, "EndpointConfig": dict(endpoint)}
        self._post(f"connect to network {network}", f"/networks/{network}/connect", body)

    def disconnect(self, network: str, container: str) -> None:
        with translated(f"disconnect from network {network}", gone_is_fine=True):
            self._api.disconnect_container_from_network(container, network, force=True)

    def create(self, name: str, body: Mapping[str, Any], platform: str) -> str:
        with translated(f"create container {name}"):
            made = self._api.create_container_from_config(dict(body), name, platform or None)  # type: ignore[no-untyped-call]
        return str(made["Id"])

    def start(self, container: str) -> None:
        with translated("start a container"):
            self._api.start(container)

    def unpause(self, container: str) -> None:
        with translated("unpause a container"):
            self._api.unpause(container)

    def stop(self, container: str, grace: float | None) -> None:
        with translated("stop a container", gone_is_fine=True):
            self._api.stop(container, timeout=None if grace is None else round(grace))

    def rename(self, container: str, name: str) -> None:
        with translated(f"rename a container to {name}"):
            self._api.rename(container, name)

    def update(self, container: str, settings: Mapping[str, Any]) -> None:
        self._post("update a container", f"/containers/{container}/update", settings)

    def remove(self, container: str) -> None:
        with translated("remove a container", gone_is_fine=True):
            self._api.remove_container(container, v=False, force=True)

    def _post(self, what: str, path: str, body: Mapping[str, Any]) -> None:
        """A request whose fields docker-py's own method does not all offer (NanoCpus, PidsLimit, MacAddress)."""
        with translated(what):
            answer = self._api.post(
                f"{self._api.base_url}/v{self._api.api_version}{path}", json=dict(body), timeout=self._deadline
            )
            if answer.status_code >= 400:
                raise APIError(answer.text, response=answer, explanation=answer.json().get("message"))


def _concerns(owner: str, row: Mapping[str, Any]) -> bool:
    """Whether it is of that owner, or Compose made it and it is nobody's."""
    labels = row.get("Labels") or {}
    return bool(labels[label.OWNER] == owner if label.OWNER in labels else labels.get(label.PROJECT))


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The engine gives them in another order every time; an equal host must give an equal plan."""
    return sorted(rows, key=itemgetter("Id"))


def connect(url: str, deadline: float) -> APIClient:
    with translated("reach the Docker engine"):
        options: dict[str, Any] = {"base_url": url} if url else dict(kwargs_from_env())
        client = _Client(**options, timeout=round(deadline))
        server = tuple(int(part) for part in client.api_version.split("."))
        newest = ".".join(map(str, NEWEST_API))
        if server <= NEWEST_API:
            return client
        client.close()
        return _Client(**options, timeout=round(deadline), version=newest)


def _ipam(network: Network) -> IPAMConfig | None:
    if not (network.ipam or network.ipam_driver or network.ipam_options):
        return None
    pools = [
        IPAMPool(
            subnet=pool.subnet or None,
            iprange=pool.ip_range or None,
            gateway=pool.gateway or None,
            aux_addresses=dict(pool.aux_addresses) or None,
        )
        for pool in network.ipam
    ]
    return IPAMConfig(network.ipam_driver or "default", pools, dict(network.ipam_options) or None)
