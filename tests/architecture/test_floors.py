"""Who may import whom, and how big a file may grow."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
LINES = 350


def sources(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def test_imports_point_down_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)

    status = lint_imports(config_filename="pyproject.toml", no_cache=True)

    assert status == 0, capsys.readouterr().out


def test_the_sentinel_protocol_uses_the_standard_library_only() -> None:
    foreign = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in sources("sentinels")
        for name in imported(file)
        if name not in sys.stdlib_module_names and name != "sentinels"
    }

    assert not foreign


@pytest.mark.parametrize("file", sources("reconciler", "sentinels"), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_holds_one_thought(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LINES, "it has become two: split it"


def imported(file: Path) -> set[str]:
    """The top-level packages that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found
