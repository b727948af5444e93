"""The stacks of the crash scenarios, and a host with what they need."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reconciler.adapters.docker.memory import Behaviour
from reconciler.model import labels
from tests.support.crash import CrashHost
from tests.support.gitremote import Content

APP = "manifests/stacks/app/compose.yaml"
CONF = "manifests/stacks/app/web.conf"
SOLO = "manifests/stacks/solo/compose.yaml"
STACK = """
name: app
services:
  db:
    image: {db}
    volumes: ["data:/data"]
    networks: [back]
    restart: unless-stopped
  seed:
    image: {job}
    networks: [back]
    depends_on:
      db: {{condition: service_healthy}}
    x-reconciler: {{job: true}}
  web:
    image: {web}
    networks: [front, back]
    volumes: ["./web.conf:/etc/web.conf:ro"]
    configs: [{{source: motd, target: /etc/motd}}]
    restart: {policy}
    depends_on:
      db: {{condition: service_healthy}}
      seed: {{condition: service_completed_successfully}}
  side:
    image: box/side:1
    network_mode: "service:web"
    restart: unless-stopped
    depends_on: [web]
{more}
networks:
  front: {{internal: {internal}}}
  back: {{}}
volumes:
  data: {{}}
configs:
  motd: {{content: "{motd}"}}
"""
ONE = """
name: {name}
services:
  {name}:
    image: {image}
    restart: always
    deploy: {{update_config: {{order: start-first}}}}
"""
EXTRA = """
  extra:
    image: box/extra:1
    networks: [back]
    restart: unless-stopped
"""


SWAP = "manifests/stacks/swap/compose.yaml"
PAIR = """
name: swap
services:
  a: {{image: {image}, restart: always, container_name: {a}, networks: {{{net}: {{ipv4_address: 10.9.9.{x}}}}}}}
  b: {{image: box/extra:1, restart: always, container_name: {b}, networks: {{{net}: {{ipv4_address: 10.9.9.{y}}}}}}}
networks: {{{net}: {{ipam: {{config: [{{subnet: 10.9.9.0/24}}]}}}}}}
"""


def app(**changes: str) -> str:
    given = {"db": "box/db:1", "job": "box/job:1", "web": "box/web:1", "policy": "always"}
    return STACK.format(**{**given, "internal": "false", "motd": "hello", "more": "", **changes})


def pair(image: str = "box/web:1", a: str = "left", b: str = "right", net: str = "one") -> str:
    """Two services that have a name and an address each, which they may exchange, on a network that may be renamed."""
    x, y = (8, 9) if a == "left" else (9, 8)
    return PAIR.format(image=image, a=a, b=b, net=net, x=x, y=y)


def migrating(word: str = "schema", **changes: str) -> str:
    """The same application, whose database is migrated with every revision; by the word `fails` that fails."""
    migration = f"{{name: schema, service: db, command: [migrate, {word}]}}"
    return f"{app(more=EXTRA, **changes)}\nx-reconciler: {{migrations: [{migration}]}}\n"


def one(name: str, image: str = "box/solo:1") -> str:
    return ONE.format(name=name, image=image)


TOLD = "manifests/stacks/told/compose.yaml"
LISTENS = """
name: told
services:
  told:
    image: {image}
    restart: always
    volumes: ["./conf:/conf:ro", "./quiet:/quiet:ro", "./alone:/alone:ro"]
    x-reconciler:
      on_change:
        - {{paths: [conf/a], action: signal, signal: SIGHUP}}
        - {{paths: [conf/b], action: exec, command: [reload]}}
        - {{paths: [quiet], action: none}}
        - {{paths: [alone], action: signal, signal: SIGHUP}}
"""


def conf(**files: str) -> dict[str, Content]:
    return {f"manifests/stacks/told/{path.replace('_', '/')}": text for path, text in files.items()}


def probed(image: str, probe: str) -> str:
    """The stack of one service with something that has to hold."""
    return f"{one('solo', image)}x-reconciler: {{verify: [{{{probe}}}]}}\n"


BEFORE: Mapping[str, Content] = {
    APP: app(more=EXTRA),
    SOLO: one("solo"),
    CONF: "port 80\n",
}


@contextmanager
def crash_host() -> Iterator[CrashHost]:
    """In memory, because a run is thousands of passes that each wait for the disk."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="rcltest-crash-", dir=shm if shm.is_dir() else None) as folder:
        host = CrashHost(Path(folder))
        engine = host.engine
        engine.offer("box/db:1", "box/job:1", "box/web:1", "box/side:1", "box/solo:1", "box/extra:1", "box/bad:1")
        engine.offer("box/stubborn:1", "box/flap:1")
        engine.registry |= {"box/db:2", "box/job:2", "box/web:2", "box/web:3", "box/solo:2"}
        engine.behaviour |= {f"box/db:{n}": Behaviour(health="healthy") for n in (1, 2)}
        engine.behaviour |= {f"box/job:{n}": Behaviour(exits=0) for n in (1, 2)}
        engine.behaviour["box/bad:1"] = Behaviour(health="unhealthy")
        engine.refuses.add("box/stubborn:1")
        engine.flaps.add("box/flap:1")
        other = {labels.OWNER: "another/fleet@elsewhere", labels.PROJECT: "app", labels.SERVICE: "web"}
        for name, marks in (("theirs", other), ("nobodys", {}), ("app-web-1.kept-theirs", other)):
            always = {"RestartPolicy": {"Name": "always"}}
            engine.start(engine.create(name, {"Image": "box/solo:1", "Labels": marks, "HostConfig": always}, ""))
        yield host
