"""Every error code of the loader has its section for people."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    sources = [ROOT / "reconciler/core/document.py", *(ROOT / "reconciler/core/compose").glob("*.py")]
    raised = {code for file in sources for code in re.findall(r'"(E-[A-Z]+-[A-Z]+)"', file.read_text())}
    pages = [*(ROOT / "docs").glob("troubleshooting.d/*.md"), *(ROOT / "docs").glob("troubleshooting.md")]
    documented = {code for page in pages for code in re.findall(r"^### (E-[A-Z-]+)$", page.read_text(), re.MULTILINE)}
    assert len(raised) > 10
    assert raised <= documented
    assert {code for code in documented if code.startswith(("E-YAML-", "E-COMPOSE-"))} <= raised
