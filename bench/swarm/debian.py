"""Large graphs from Debian's own indices: source packages with their build dependencies, through apt.

`python -m bench.swarm.debian FOLDER 1000 20000` writes one file for each number of packages. The indices come into
apt lists of its own; the machine's are not touched. It needs apt with a Debian archive among its sources.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.swarm.placing.graph import build

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TARGET = "$(ORIGIN)|$(SITE)|$(RELEASE)|$(COMPONENT)|$(FILENAME)"


class NoIndex(Exception):
    """Debian's indices cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """`size`: bytes of the source archive; `installed`: KiB of all its binary packages; `needs`: binary packages."""

    size: int
    installed: int
    needs: tuple[str, ...]


def write(folder: Path, counts: Iterable[int]) -> list[Path]:
    """One graph file for each number of packages, see bench/swarm/graphs.py."""
    with tempfile.TemporaryDirectory() as lists:
        texts = _fetch(Path(lists))
    sources, origin = read(texts["Packages"], texts["Sources"])
    before = acyclic({name: _needed(name, source, sources, origin) for name, source in sources.items()})
    files = []
    for count in counts:
        chosen = sorted(_closed(before, count))
        files.append(folder / f"debian-{count}.json")
        files[-1].write_text("{\n" + ",\n".join(_rows(chosen, sources, before)) + "\n}\n")
    return files


def _rows(chosen: Sequence[str], sources: Mapping[str, Source], before: Mapping[str, set[str]]) -> Iterator[str]:
    number = {name: place for place, name in enumerate(chosen)}
    for name in chosen:
        source, firsts = sources[name], sorted(number[first] for first in before[name])
        yield f"{json.dumps(name)}: {json.dumps([source.size, source.installed, firsts])}"


def read(packages: str, sources_text: str) -> tuple[dict[str, Source], dict[str, str]]:
    """The sources, and which of them makes each binary package (or provides it), from the text of the two indices."""
    sources: dict[str, Source] = {}
    origin: dict[str, str] = {}
    installed: dict[str, int] = {}
    provided: dict[str, str] = {}
    for package in _paragraphs(packages):
        source = package.get("Source", package["Package"]).split()[0]
        origin[package["Package"]] = source
        installed[source] = installed.get(source, 0) + int(package.get("Installed-Size", "0"))
        for name in re.findall(r"(?:^|, )([^ ,(]+)", package.get("Provides", "")):
            provided.setdefault(name, source)
    for package in _paragraphs(sources_text):
        name = package["Package"]
        if name in installed:
            size = sum(
                int(line.split()[1]) for line in package.get("Checksums-Sha256", "").splitlines() if line.strip()
            )
            needs = (package.get("Build-Depends", ""), package.get("Build-Depends-Arch", ""))
            sources[name] = Source(size, installed[name], tuple(_binaries(", ".join(needs))))
    return sources, provided | origin


def _fetch(lists: Path) -> dict[str, str]:
    """Text of the two indices."""
    sources = lists / "sources.list"
    options = [f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=-", f"Dir::State::lists={lists}/lists"]
    options += [f"Dir::Cache={lists}/cache", "Acquire::Languages=none"]
    apt = ["apt-get", *(word for option in options for word in ("-o", option))]
    (lists / "lists/partial").mkdir(parents=True)
    (lists / "cache").mkdir()
    known = _run(["apt-get", "indextargets", "--format", _TARGET, "Created-By: Packages"]).splitlines()
    archives = [line.split("|") for line in known if line.startswith("Debian|")]
    if not archives:
        raise NoIndex("apt has no Debian archive among its sources")
    _, site, release, component, _ = archives[0]
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    sources.write_text("".join(f"{kind} {signed}{site} {release} {component}\n" for kind in ("deb", "deb-src")))
    _run([*apt, "update", "--quiet"])
    texts = {}
    for kind in ("Packages", "Sources"):
        names = _run([*apt, "indextargets", "--format", "$(FILENAME)", f"Created-By: {kind}"]).split()
        if not names or not Path(names[0]).exists():
            raise NoIndex(f"the archive at {site} gave no {kind}")
        texts[kind] = _run(["/usr/lib/apt/apt-helper", "cat-file", names[0]])
    return texts


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except OSError as error:
        raise NoIndex(f"{command[0]} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NoIndex(f"{command[0]} took more than 5 minutes") from None
    if done.returncode:
        raise NoIndex(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """deb822: `Key: value`, lines that go on are indented, an empty line between two."""
    for paragraph in text.split("\n\n"):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.splitlines():
            if line[:1] in (" ", "\t"):
                fields[key] += "\n" + line
            else:
                key, _, value = line.partition(":")
                fields[key] = value.strip()
        if fields:
            yield fields


def _binaries(field: str) -> Iterator[str]:
    """The first alternative of each dependency, for amd64, without those of special build profiles."""
    for entry in re.split(r",\s*", field.replace("\n", " ")):
        first = entry.split("|")[0]
        arches = re.search(r"\[([^]]*)\]", first)
        if arches and not _amd64(arches[1].split()):
            continue
        if any(not word.startswith("!") for word in re.findall(r"<([^>]*)>", first)):
            continue
        if name := re.match(r"\s*([a-z0-9][a-z0-9.+-]+)", first):
            yield name[1]


def _amd64(arches: Sequence[str]) -> bool:
    if arches[0].startswith("!"):
        return not {"!amd64", "!linux-any", "!any-amd64"} & set(arches)
    return bool({"amd64", "any", "linux-any", "any-amd64"} & set(arches))


def _needed(name: str, source: Source, sources: Mapping[str, Source], origin: Mapping[str, str]) -> set[str]:
    return {first for binary in source.needs if (first := origin.get(binary, name)) in sources and first != name}


def acyclic(before: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """In each cycle what most others of it need is built first, without what comes later: a bootstrap."""
    graph = build(((first, then) for then, each in before.items() for first in each), before)
    ring = {name: cycle[0] for cycle in graph.cycles for name in cycle}
    needed: dict[str, int] = dict.fromkeys(before, 0)
    for then, each in before.items():
        for first in each:
            needed[first] += first in ring and ring[first] == ring.get(then)

    def kept(first: str, then: str) -> bool:
        if first not in ring or ring[first] != ring.get(then):
            return True
        return (-needed[first], first) < (-needed[then], then)

    return {then: {first for first in each if kept(first, then)} for then, each in before.items()}


def _closed(before: Mapping[str, set[str]], count: int) -> set[str]:
    """About so many packages with all that they need, from a repeatable choice of wishes."""
    wishes = sorted(before)
    random.Random(count).shuffle(wishes)  # noqa: S311 - repeatable on purpose
    chosen: set[str] = set()
    for wish in wishes:
        more: set[str] = set()
        waiting = [wish]
        while waiting:
            if (name := waiting.pop()) not in more and name not in chosen:
                more.add(name)
                waiting += before[name]
        if len(chosen) + len(more) <= count:
            chosen |= more
        if len(chosen) == count:
            break
    return chosen


def main() -> None:
    folder, *counts = sys.argv[1:]
    try:
        for file in write(Path(folder), map(int, counts)):
            print(file)
    except NoIndex as error:
        sys.exit(f"no graph: {error}")


if __name__ == "__main__":
    main()
