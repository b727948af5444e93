"""The text of the two files that `init` writes itself: fleet.yaml, and the host's own reconciler.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import yaml

MARK = "# Written by reconciler init"
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")

_EXAMPLE = """
# No stack yet. A stack is a folder with the Compose file that you have already:
#   stacks/web/compose.yaml
# When its data lies elsewhere on the host, say where; relative paths that git does not have begin there:
#   directories: {web: /home/ana/web}
"""


def fleet_text(host: str, checkout: str, directories: Mapping[str, str]) -> str:
    """`directories`: stack -> the folder in which its project was started."""
    entry: dict[str, object] = {"connect": "local", "checkout": checkout}
    if directories:
        entry["directories"] = dict(directories)
    hosts = yaml_text({"hosts": {host: entry}})
    head = f"{MARK}. `reconciler schema` and docs/manifests.md have every key.\n"
    return f"{head}apiVersion: reconciler/v1\nkind: Fleet\n{hosts}{'' if directories else _EXAMPLE}"


class _Dumper(yaml.SafeDumper):
    """Quotes whatever is not plainly text: PyYAML's YAML 1.1 and the core schema differ on `1e3`."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if _PLAIN.fullmatch(text) else '"')


_Dumper.add_representer(str, _text)


def yaml_text(data: Mapping[str, object]) -> str:
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000))


def settings_text(
    host: str,
    repository: Mapping[str, str],
    docker: str,
    allow_host_mounts: Sequence[str],
    allow_privileged: Sequence[str],
) -> str:
    """`repository`: its settings that are not the default; `docker`: the engine's address, or ""."""
    lines = [
        f"{MARK}. docs/settings.md has every setting. This file says what the repository may ask of this host.",
        f"host = {_quoted(host)}",
        "",
        "[repository]",
        *(f"{key} = {_quoted(value)}" for key, value in repository.items()),
        *(["", "[docker]", f"host = {_quoted(docker)}"] if docker else []),
        "",
        "[trust]",
        "# Folders that stacks may mount; the checkout has to lie in one of them as well.",
        f"allow_host_mounts = {_list(allow_host_mounts)}",
        "# Stacks that may do what is as much as being root here.",
        f"allow_privileged = {_list(allow_privileged)}",
    ]
    return "\n".join(lines) + "\n"


def _list(values: Sequence[str]) -> str:
    return "[\n" + "".join(f"    {_quoted(value)},\n" for value in values) + "]" if values else "[]"


def _quoted(text: str) -> str:
    """A basic string of TOML 1.0; JSON's escapes are a part of its own, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
