"""What the program says and takes is in its manual."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path
from typing import get_type_hints

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"""["'](E-[A-Z0-9]+(?:-[A-Z0-9]+)*)["']""")


def error_codes() -> dict[str, str]:
    """Every code written in the program, and the file that has it."""
    return {
        code: str(file.relative_to(ROOT))
        for folder in ("reconciler", "sentinels")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for code in CODE.findall(file.read_text())
    }


def troubleshooting_sections() -> set[str]:
    pages = [ROOT / "docs/troubleshooting.md", *sorted((ROOT / "docs/troubleshooting.d").glob("*.md"))]
    headings = (line for page in pages if page.exists() for line in page.read_text().splitlines() if line[:1] == "#")
    return {code for line in headings for code in re.findall(r"E-[A-Z0-9-]*[A-Z0-9]", line)}


def test_every_error_code_has_a_section_in_troubleshooting() -> None:
    missing = {code: file for code, file in error_codes().items() if code not in troubleshooting_sections()}

    assert not missing


def test_troubleshooting_has_no_section_for_a_code_that_is_gone() -> None:
    gone = {code for code in troubleshooting_sections() - error_codes().keys() if not made_of_parts(code)}

    assert not gone


def made_of_parts(code: str) -> bool:
    """Whether the program puts this code together at run time, as E-PULL-401 from the registry's answer."""
    stems = {code.rsplit("-", count)[0] + "-" for count in range(1, code.count("-"))}
    texts = [file.read_text() for file in (ROOT / "reconciler").rglob("*.py")]
    return any(f'"{stem}{{' in text or f'"{stem}"' in text for stem in stems for text in texts)


def test_every_setting_is_documented() -> None:
    from reconciler.model.settings import Settings

    page = (ROOT / "docs/settings.md").read_text()
    missing = [name for name in setting_names(Settings) if f"`{name}`" not in page]

    assert not missing, "write a line for each into docs/settings.md"


def setting_names(settings: type, prefix: str = "") -> list[str]:
    """`host`, `repository.url`, ...: sections are dataclasses within the dataclass."""
    names: list[str] = []
    types = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        kind = types[field.name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            names += setting_names(kind, f"{field.name}.")
        elif not field.metadata.get("derived"):
            names.append(f"{prefix}{field.name}")
    return names


def test_every_make_target_in_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), ROOT / "manifests/README.md"]
    named = {name for page in pages for name in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)}

    assert named
    assert named <= targets


def test_every_make_target_is_explained_by_make_help() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert targets == set(re.findall(r"^make (\S+)", shown, re.MULTILINE))


def test_every_file_that_the_docs_name_exists() -> None:
    """A path in backquotes that starts with a folder of ours has to be there."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    folders = ("docs", "manifests", "reconciler", "scripts", "sentinels", "tests")
    named = {
        (page.name, path)
        for page in pages
        for path in re.findall(rf"`((?:{'|'.join(folders)})/[\w./-]*)`", page.read_text())
    }

    assert not {(page, path) for page, path in named if not (ROOT / path).exists()}


def test_every_command_and_global_option_is_in_its_page() -> None:
    import click

    from reconciler.cli import cli

    def commands(group: click.Group, path: str) -> list[str]:
        found = []
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            inner = commands(command, f"{path} {name}") if isinstance(command, click.Group) else []
            found += [] if command.hidden else [f"{path} {name}", *inner]
        return found

    page = (ROOT / "docs/cli.md").read_text()
    options = [max(parameter.opts, key=len) for parameter in cli.params if isinstance(parameter, click.Option)]
    short = {"--output": "-o json", "--quiet": "-q", "--verbose": "-v"}
    bare = {"reconciler sentinels"}  # a group that does nothing by itself

    assert not [name for name in commands(cli, "reconciler") if f"`{name}" not in page and name not in bare]
    assert not [option for option in options if f"`{short.get(option, option)}" not in page]


def test_every_exit_code_is_in_its_page() -> None:
    page = (ROOT / "docs/cli.md").read_text()

    assert [code for code in (0, 1, 2, 3, 4, 64, 69, 75, 78, 130) if f"| {code} |" not in page] == []


def test_every_key_of_compose_that_is_read_or_refused_is_in_its_page() -> None:
    from reconciler.core.compose import keys

    page = (ROOT / "docs/manifests.md").read_text()
    named = [name for value in vars(keys).values() if isinstance(value, frozenset) for name in value]
    named += keys.SERVICE_REFUSED

    assert not [name for name in named if f"`{name}`" not in page], "add them to docs/manifests.md"


def test_every_key_of_the_fleet_is_in_its_page() -> None:
    from reconciler.core.manifest.fleet import FleetModel
    from reconciler.core.manifest.packages import PackageSetModel
    from reconciler.core.manifest.stack import ServiceModel, StackModel

    page = (ROOT / "docs/manifests.md").read_text()
    models = (FleetModel, StackModel, ServiceModel, PackageSetModel)
    named = [name for model in models for name in model.model_fields]

    assert not [name for name in named if f"`{name}`" not in page and f"{name}:" not in page]


def test_whatever_starts_passes_does_it_as_often() -> None:
    from reconciler.core.diagnosis.running import crontab_line
    from reconciler.model.settings import Watch

    page = (ROOT / "docs/running.md").read_text()
    (first, *_) = re.findall(r"^\S+ \* \* \* \* +root .*$", page, re.MULTILINE)
    minutes = f"{Watch().every / 60:.0f}"

    assert first == crontab_line("/usr/local/bin/reconciler")
    assert f"OnUnitInactiveSec={minutes}min\n" in (ROOT / "systemd/reconciler.timer").read_text()
    assert f"`watch.every` ({minutes} min)" in (ROOT / "docs/cli.md").read_text()
    assert f"| `watch.every` | `{minutes}m` |" in (ROOT / "docs/settings.md").read_text()
