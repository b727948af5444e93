"""`reconciler drone` as a process of its own, for an orchestrator that is one, too."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cli import COMMAND, environment
from tests.support.serving import Orchestrator, eventually

EMERGE = """\
#!/bin/sh
# Does what a test wants of it, and makes what emerge would have made. Only for faults that a real one does not have.
for atom; do :; done
cpv=${atom#=}; cpv=${cpv%%::*}
category=${cpv%%/*}; pf=${cpv#*/}; name=${pf%-*}
echo ">>> Emerging (1 of 1) $cpv::gentoo"
echo ">>> Compiling source in $PORTAGE_TMPDIR/portage/$cpv/work"
mkdir -p "$PORTAGE_TMPDIR/portage/$cpv/work"
echo "$cpv" >> "FAKE/begun"
while [ -e "FAKE/hold" ]; do sleep 0.05; done
if [ -e "FAKE/fill" ] && ! head -c 8M /dev/zero > "$PORTAGE_TMPDIR/portage/$cpv/work/big"; then
    echo " * ERROR: $cpv::gentoo failed (compile phase):"
    echo " *   it could not write"
    exit 1
fi
if [ -e "FAKE/fail" ]; then
    echo " * ERROR: $cpv::gentoo failed (compile phase):"
    echo " *   it was told to"
    exit 1
fi
mkdir -p "$PKGDIR/$category/$name"
path=$category/$name/$pf-1.gpkg.tar
echo "what $cpv is" > "$PKGDIR/$path"
size=$(wc -c < "$PKGDIR/$path")
printf 'CHOST: x86_64-pc-linux-gnu\\nPACKAGES: 1\\nTIMESTAMP: 1\\nVERSION: 0\\n\\n' > "$PKGDIR/Packages"
printf 'BUILD_ID: 1\\nBUILD_TIME: 1\\nCPV: %s\\nEAPI: 8\\nPATH: %s\\nSIZE: %s\\nMTIME: 1\\nREPO: gentoo\\n\\n' \\
    "$cpv" "$path" "$size" >> "$PKGDIR/Packages"
echo "$cpv" >> "FAKE/ended"
"""
PORTAGEQ = """\
#!/bin/sh
echo ""
echo "FAKE/tmp"
echo "FAKE"
"""


@dataclass
class FakePortage:
    """A folder with programs of those names, and files that tell them what to do. `emerge`: another script for it."""

    folder: Path
    emerge: str = EMERGE

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir(parents=True)
        (self.folder / "tmp").mkdir()
        for name, text in (("emerge", self.emerge), ("portageq", PORTAGEQ)):
            program = self.folder / "bin" / name
            program.write_text(text.replace("FAKE", str(self.folder)))
            program.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def tell(self, word: str) -> None:
        (self.folder / word).touch()

    def tell_no_more(self, word: str) -> None:
        (self.folder / word).unlink()

    def begun(self) -> list[str]:
        return self._lines("begun")

    def ended(self) -> list[str]:
        return self._lines("ended")

    def _lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []


@dataclass
class DroneProcess:
    """One machine's drone. `around`: the environment that its Portage lives in. `url`: another way to its orchestrator.

    `more`: lines of its section.
    """

    orchestrator: Orchestrator
    folder: Path
    around: Mapping[str, str]
    name: str = "tau"
    profile: str = "default"
    more: str = ""
    url: str = ""
    process: subprocess.Popen[str] | None = None
    _logs: list[Path] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "reconciler.toml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def secret(self) -> Path:
        return self.folder / "secrets" / "drone"

    def enroll(self) -> None:
        credential = self.orchestrator.ask("POST", f"/api/drones/{self.name}/enroll").data["credential"]
        self.secret.parent.mkdir(parents=True, exist_ok=True)
        self.secret.write_text(credential)
        self.secret.chmod(0o600)

    def start(self) -> DroneProcess:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f'{self.orchestrator.config.read_text()}\n[swarm]\nurl = "{self.url or self.orchestrator.url}"\n'
            f'[drone]\nname = "{self.name}"\nprofile = "{self.profile}"\ndirectory = "{self.state}"\n{self.more}'
        )
        self._logs.append(self.folder / f"{len(self._logs)}.log")
        with self._logs[-1].open("w") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "drone", "--config", str(self.config)],
                env={**environment(), **self.around},
                stdout=log,
                stderr=log,
                text=True,
            )
        return self

    @property
    def said(self) -> str:
        """By its last start."""
        return self._logs[-1].read_text()

    @property
    def said_ever(self) -> str:
        """By all of its starts."""
        return "".join(log.read_text() for log in self._logs)

    def says(self, words: str) -> None:
        eventually(lambda: words in self.said, f"{words!r} in {self._logs[-1]}")

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self) -> int:
        """Its exit code, once it has one."""
        assert self.process is not None
        code = self.process.wait(60)
        self.process = None
        return code

    def kill(self) -> None:
        self.ask_to_stop(signal.SIGKILL)
        self.ended()

    def trouble(self) -> list[str]:
        return [
            line
            for line in self.said_ever.splitlines()
            if "Traceback" in line or "E-INTERNAL" in line or "mistake" in line
        ]

    def leave(self) -> None:
        if self.process is not None:
            self.kill()
