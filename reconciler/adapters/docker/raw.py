"""A Docker engine asked by bare HTTP: reading only, and loading nothing that costs time."""

from __future__ import annotations

import json
from typing import Any

from reconciler.adapters.docker.http import Refusal, SocketHttp, api_version, plain_address


class RawEngine:
    """`url` as for `DockerEngine`; `deadline`: seconds without a word. ValueError for an engine behind TLS or ssh."""

    def __init__(self, url: str, deadline: float) -> None:
        address = plain_address(url)
        if not address:
            raise ValueError("an engine behind TLS or ssh")
        self._http = SocketHttp(address, deadline)
        self._prefix = ""

    def speak(self) -> dict[str, Any]:
        """Choose the version of the API; what the engine says of itself."""
        told: dict[str, Any] = self.get("/version")
        self._prefix = f"/v{api_version(told['ApiVersion'])}"
        return told

    def get(self, path: str, *, all: bool = False, **filters: str) -> Any:
        """The answer to a GET. OSError when there is none, ValueError when it is a refusal."""
        query: dict[str, object] = {"all": 1} if all else {}
        if filters:
            query["filters"] = json.dumps({name: [value] for name, value in filters.items()}, separators=(",", ":"))
        try:
            return self._http.call("GET", self._prefix + path, query=query)
        except Refusal as error:
            raise ValueError(error.reason) from error
