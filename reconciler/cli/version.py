"""version: ours, and those of what we stand on."""

from __future__ import annotations

import click

from reconciler import __version__
from reconciler.cli.frame import Answer, Frame, Helpful, give, global_options


@click.command(cls=Helpful)
@global_options
@click.pass_obj
def version(frame: Frame) -> int:
    """Print the version."""
    import platform
    from importlib.metadata import version as installed

    parts = {name: installed(name) for name in ("docker", "pygit2", "pydantic", "PyYAML")}
    data = {"version": __version__, "python": platform.python_version(), "libraries": parts}
    lines = [f"reconciler {__version__}"]
    if frame.wide:
        lines += [f"  python {platform.python_version()}", *(f"  {name} {number}" for name, number in parts.items())]
    return give(frame, Answer(data, lines, [__version__]))
