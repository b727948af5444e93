"""Compose files in memory: load them, and look at what went wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.core.compose.load import HostContext, LoadedStack, load_stack
from reconciler.core.trees import Content, MemoryTree
from reconciler.errors import BadConfiguration
from reconciler.model.desired import Service

FILE = "stacks/app/compose.yaml"
HOST = "/opt/fleet"


def load(
    text: str, files: Mapping[str, Content] | None = None, *, default_name: str = "app", **host: Any
) -> LoadedStack:
    """The stack of a Compose file that lies at `FILE`, in a check-out at `HOST`."""
    tree = MemoryTree({FILE: textwrap.dedent(text), **(files or {})})
    return load_stack(tree, FILE, HostContext(HOST, host_file_root="/etc/reconciler/env/app", **host), default_name)


def service(body: str, files: Mapping[str, Content] | None = None, rest: str = "", **host: Any) -> Service:
    """The service `web` with an image and `body`; `rest` stands at the top level."""
    indented = textwrap.indent(textwrap.dedent(body), " " * 4)
    text = f"services:\n  web:\n    image: busybox\n{indented}\n{textwrap.dedent(rest)}"
    return load(text, files, **host).stack.service("web")


def problem(text: str, files: Mapping[str, Content] | None = None, **host: Any) -> BadConfiguration:
    """What loading says is wrong."""
    with pytest.raises(BadConfiguration) as caught:
        load(text, files, **host)
    return caught.value


def service_problem(
    body: str, files: Mapping[str, Content] | None = None, rest: str = "", **host: Any
) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        service(body, files, rest, **host)
    return caught.value
