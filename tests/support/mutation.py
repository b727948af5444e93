"""Does the suite see a break of an invariant? Tried in a copy of the tree: python -m tests.support.mutation [WORDS]."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.drone_mutants import DRONE_MUTANTS
from tests.faults.mutants import MUTANTS, Mutant
from tests.faults.swarm_mutants import SWARM_MUTANTS
from tests.support.engine import ROOT


class Copy:
    """A copy of the tree that may be broken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("reconciler", "sentinels", "tests", "scripts", "manifests", "systemd", "pyproject.toml"):
            source, target = ROOT / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)

    @contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        """As long as this lasts, the mutant is in the copy."""
        file = self._folder / mutant.file
        whole = file.read_text()
        assert whole.count(mutant.old) == 1, f"{mutant}: its text is not in {mutant.file} just once"
        file.write_text(whole.replace(mutant.old, mutant.new))
        try:
            yield
        finally:
            file.write_text(whole)

    def passes(self, tests: Iterable[str]) -> bool:
        """Whether these tests pass in the copy; RuntimeError when they could not be run."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *dict.fromkeys(tests)],
            cwd=self._folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self._folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.returncode == 0


@dataclass(frozen=True)
class Seen:
    mutant: Mutant
    seen: bool
    seconds: float


def run(mutants: Sequence[Mutant]) -> Iterator[Seen]:
    """Each of them in turn. AssertionError when its tests fail in the whole tree, too."""
    with tempfile.TemporaryDirectory(prefix="rcltest-mutants-") as folder:
        copy = Copy(Path(folder))
        assert copy.passes(test for mutant in mutants for test in mutant.tests), "the tests fail without any mutant"
        for mutant in mutants:
            begun = time.monotonic()
            with copy.broken(mutant):
                yield Seen(mutant, not copy.passes(mutant.tests), time.monotonic() - begun)


def main(*words: str) -> int:
    """The table; 1 when a mutant was not seen. `words`: only those whose name holds one of them."""
    chosen = [
        mutant
        for mutant in (*MUTANTS, *SWARM_MUTANTS, *DRONE_MUTANTS)
        if not words or any(word in str(mutant) for word in words)
    ]
    missed = 0
    for found in run(chosen):
        missed += not found.seen
        word = "seen" if found.seen else "NOT SEEN"
        print(f"{found.mutant.invariant:4} {word:9} {found.seconds:5.1f} s  {found.mutant.name}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mutants seen")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
