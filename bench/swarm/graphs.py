"""The graphs that are simulated: two real ones that are kept here, random ones, and files of `bench.swarm.debian`.

A file is JSON: package -> [bytes of its sources, KiB installed, numbers of the packages that come before it]; numbers
count the file's packages from 0. `data/base.json` and `data/server.json` are source packages of Debian 12 (a standard
system; a server with nginx, postgresql, php, docker, qemu) with their build dependencies, without the cycles, which
were cut as a bootstrap would.
"""

from __future__ import annotations

import json
import random
from math import sqrt
from pathlib import Path

from bench.swarm.instance import Instance, instance
from bench.swarm.times import works
from reconciler.model.build import Job
from reconciler.swarm.placing.estimate import SERIAL

DATA = Path(__file__).parent / "data"


def shipped(name: str) -> Instance:
    """Serial share 0.1 for every package."""
    return load(DATA / f"{name}.json", name)


def load(path: Path, name: str, serial: tuple[float, float] = (SERIAL, SERIAL)) -> Instance:
    """Build times by the quantile of sqrt(source bytes x installed size); serial shares evenly from a range."""
    packages = json.loads(path.read_text())
    names = list(packages)
    proxies = {key: sqrt(max(1, source) * max(1, installed)) for key, (source, installed, _) in packages.items()}
    edges = [(names[number], key) for key, (_, _, before) in packages.items() for number in before]
    return _instance(name, proxies, edges, serial)


def layered(packages: int, layers: int, seed: int = 0) -> Instance:
    """Each package needs one to four of the layers before it, mostly of the last one; times have no rhyme."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    layer = [min(layers - 1, int(layers * chance.random() ** 1.5)) for _ in range(packages)]
    in_layer: list[list[str]] = [[] for _ in range(layers)]
    for number, level in enumerate(layer):
        in_layer[level].append(f"p{number:05}")
    edges = []
    for level in range(1, layers):
        for key in in_layer[level]:
            for _ in range(chance.randint(1, 4)):
                below = in_layer[level - 1 if chance.random() < 0.7 else chance.randrange(level)]
                if below:
                    edges.append((chance.choice(below), key))
    proxies = {f"p{number:05}": chance.random() for number in range(packages)}
    return _instance(f"layered {packages}/{layers}", proxies, edges, (0.02, 0.4))


def _instance(
    name: str, proxies: dict[str, float], edges: list[tuple[str, str]], serial: tuple[float, float]
) -> Instance:
    chance = random.Random(len(proxies))  # noqa: S311 - repeatable on purpose
    shares = {key: round(chance.uniform(*serial), 2) for key in sorted(proxies)}
    work = works(proxies, shares)
    return instance(name, (Job(key, work[key], shares[key]) for key in sorted(proxies)), edges)
