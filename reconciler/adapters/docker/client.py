"""What docker-py does for us: pulls, builds and logs, and every call to an engine behind TLS or ssh.

It knows the credentials of registries and what a stream is, and costs a tenth of a second to load. Its high-level
client hides errors in the stream of a pull; the low-level one does not.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from docker import APIClient
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env, parse_repository_tag
from urllib3.exceptions import ReadTimeoutError

from reconciler.adapters.docker.errors import build_failed, pull_failed, translated
from reconciler.adapters.docker.http import Refusal, api_version
from reconciler.model.desired import Build
from reconciler.model.observed import without_tag

STREAM_IDLE = 600.0
"""Seconds without a word from a pull or a build after which it is given up."""

_CHUNK = 65536


class _Client(APIClient):
    """docker-py reads the stream of a pull or a build without any bound; a registry that hangs would hang us."""

    def _set_request_timeout(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        bounded: dict[str, Any] = super()._set_request_timeout(kwargs)  # type: ignore[misc]
        if bounded.get("timeout") is None:
            bounded["timeout"] = STREAM_IDLE
        return bounded


class Client:
    """`url` as for `DockerEngine`; `deadline`: seconds without a word."""

    def __init__(self, url: str, deadline: float) -> None:
        self._deadline = deadline
        with as_http():
            self._api = connect(url, deadline)

    def close(self) -> None:
        self._api.close()

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
        patience: float = 0,
    ) -> Any:
        """As Http.call."""
        with as_http():
            answer = self._api.request(
                method,
                f"{self._api.base_url}{path}",
                params={name: str(value) for name, value in (query or {}).items()},
                json=None if body is None else dict(body),
                timeout=self._deadline + patience,
            )
            if answer.status_code >= 400:
                raise APIError(answer.text, response=answer, explanation=_message(answer))
            return answer.json() if answer.content.strip() else None

    def output(self, path: str, body: Mapping[str, Any], seconds: float) -> Iterator[bytes]:
        """As Http.output; what drips in on an upgraded connection may take twice the time."""
        until = time.monotonic() + seconds
        with as_http():
            answer = self._api.post(f"{self._api.base_url}{path}", json=dict(body), stream=True, timeout=seconds)
            with answer:
                if answer.status_code >= 400:
                    raise APIError(answer.text, response=answer, explanation=_message(answer))
                for chunk in _chunks(answer):
                    yield chunk
                    if time.monotonic() > until:
                        raise TimeoutError("no end of it in time")

    def logs(self, container: str, lines: int) -> tuple[str, ...]:
        try:
            raw: bytes = self._api.logs(container, tail=lines)
        except (DockerException, requests.RequestException):
            return ()
        return tuple(raw.decode(errors="replace").splitlines())

    def digest(self, reference: str) -> str:
        """The engine asks, so that its mirrors count, with the credentials of this user."""
        with translated(f"ask the registry about {reference}"), as_http():
            told: Any = self._api.inspect_distribution(reference)  # type: ignore[no-untyped-call]
            return str(told["Descriptor"]["digest"])

    def pull(self, reference: str, platform: str, say: Callable[[str], None]) -> None:
        repository, tag = parse_repository_tag(without_tag(reference) if "@" in reference else reference)
        failure = ""
        with translated(f"pull {reference}"), as_http():
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
        with translated(f"build {reference}"), as_http():
            stream = self._api.build(
                fileobj=io.BytesIO(context),
                custom_context=True,
                dockerfile=build.dockerfile,
                tag=reference,
                buildargs=dict(build.args),
                target=build.target or None,
                labels={**dict(build.labels), **labels},
                platform=platform or None,
                cache_from=list(build.options.cache_from) or None,
                extra_hosts=[f"{host}:{address}" for host, address in build.options.extra_hosts] or None,
                network_mode=build.options.network or None,
                nocache=build.options.no_cache,
                pull=build.options.pull,
                shmsize=build.options.shm_size or None,
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


@contextmanager
def as_http() -> Iterator[None]:
    """docker-py's exceptions become those of `Http`."""
    try:
        yield
    except APIError as error:
        status = error.response.status_code if error.response is not None else 0
        raise Refusal(status, str(error.explanation or error)) from error
    except requests.exceptions.ReadTimeout as error:
        raise TimeoutError(str(error)) from error
    except (DockerException, requests.RequestException) as error:
        raise ConnectionError(str(error)) from error


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    try:
        while chunk := answer.raw.read1(_CHUNK, decode_content=False):
            yield chunk
    except ReadTimeoutError as error:  # which requests calls a lost connection
        raise TimeoutError(str(error)) from error


def _message(answer: requests.Response) -> str | None:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return None


def connect(url: str, deadline: float) -> APIClient:
    """docker-py's low-level client. Raises what `Http` does, within `as_http`."""
    options: dict[str, Any] = {"base_url": url} if url else dict(kwargs_from_env())
    client = _Client(**options, timeout=round(deadline))
    version = api_version(client.api_version)
    if version == client.api_version:
        return client
    client.close()
    return _Client(**options, timeout=round(deadline), version=version)
