"""The least that can be done: git, then the raw Engine API. No YAML, no checks, no way back, no record.

`python -m bench.floor SOCKET REMOTE CLONE` is one pass. A container that differs is stopped, removed, made and started.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.api import Api, slot_of

PARALLEL = 4
PRINT = "bench.fingerprint"


def main(path: str, remote: str, clone: Path) -> None:
    _git(remote, clone)
    wanted = {
        slot: (want, _print(clone, want)) for slot, want in json.loads((clone / "floor.json").read_text()).items()
    }
    live = {slot_of(row): row for row in Api(path).containers()}
    differ = [s for s, (_, print_) in wanted.items() if s not in live or live[s]["Labels"].get(PRINT) != print_]
    if not differ:
        return
    connections = threading.local()

    def bring(slot: str) -> None:
        if not hasattr(connections, "api"):
            connections.api = Api(path)
        _bring(connections.api, slot, live.get(slot), _body(clone, slot, *wanted[slot]))

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(bring, differ))


def _git(remote: str, clone: Path) -> None:
    if not clone.exists():
        subprocess.run(["git", "clone", "--quiet", remote, str(clone)], check=True)
        return
    git = ["git", "-C", str(clone)]
    subprocess.run([*git, "fetch", "--quiet", "origin", "main"], check=True)
    heads = subprocess.run([*git, "rev-parse", "HEAD", "FETCH_HEAD"], check=True, capture_output=True).stdout.split()
    if heads[0] != heads[1]:
        subprocess.run([*git, "reset", "--quiet", "--hard", "FETCH_HEAD"], check=True)


def _print(clone: Path, want: Mapping[str, str]) -> str:
    return sha256(want["image"].encode() + (clone / want["file"]).read_bytes()).hexdigest()


def _body(clone: Path, slot: str, want: Mapping[str, str], print_: str) -> dict[str, Any]:
    stack, service = slot.split("/")
    labels = {"com.docker.compose.project": stack, "com.docker.compose.service": service, PRINT: print_}
    return {
        "Image": want["image"],
        "Cmd": ["sleep", "86400"],
        "Labels": labels,
        "HostConfig": {
            "Binds": [f"{clone / want['file']}:/etc/app.conf:ro"],
            "NetworkMode": "host",
            "RestartPolicy": {"Name": "unless-stopped"},
        },
    }


def _bring(api: Api, slot: str, old: Mapping[str, Any] | None, body: Mapping[str, Any]) -> None:
    if old:
        api.call("POST", f"/containers/{old['Id']}/stop")
        api.call("DELETE", f"/containers/{old['Id']}")
    made = api.call("POST", "/containers/create", body, name=slot.replace("/", "-"))
    api.call("POST", f"/containers/{made['Id']}/start")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
