"""The manual page is that of the program, and every man can read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/man/reconciler.1"


def test_the_page_is_that_of_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/manpage.py", "--print"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert PAGE.read_text() == done.stdout, "run: make man"


def test_it_renders_without_a_warning() -> None:
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", PAGE], capture_output=True, text=True, check=True)

    assert done.stderr == ""
    assert "reconciler" in done.stdout
    assert "\\" not in done.stdout
