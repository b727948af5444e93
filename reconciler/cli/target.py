"""The argument TARGET, and its completion from what was fetched last: without the network, and without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from reconciler.model.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def target_argument(*, required: bool = True) -> Callable[[F], F]:
    """HOST, HOST/STACK or HOST/STACK/SERVICE; "" when it may be left out and is."""
    if required:
        return click.argument("target", shell_complete=complete_target)
    return click.argument("target", required=False, default="", shell_complete=complete_target)


def complete_target(ctx: click.Context, _param: click.Parameter | None, incomplete: str) -> list[str]:
    """What begins like that, one level further than what was typed. Nothing at all when anything is wrong."""
    from reconciler.settings import load_settings

    try:
        deepest = incomplete.count("/") + 1
        known = _known(load_settings(config_of(ctx)))
        return [name for name in known if name.startswith(incomplete) and name.count("/") <= deepest]
    except Exception:  # noqa: BLE001  whoever presses Tab must not be shown an error
        return []


def known_targets(settings: Settings, otherwise: str) -> list[str]:
    """What the manifests that were fetched last have; `otherwise` alone when they cannot be read."""
    try:
        return _known(settings)
    except Exception:  # noqa: BLE001  a clone that is damaged is no reason to doubt what a person asks for
        return [otherwise]


def _known(settings: Settings) -> list[str]:
    from reconciler.core.names import targets
    from reconciler.git.objects import Objects, newest_fetched

    clone = Path(settings.state.directory) / "repository.git"
    if not (revision := newest_fetched(clone)):
        return [settings.host]
    return list(targets(Objects(clone).tree(revision), settings.repository.path, settings.host))


def config_of(ctx: click.Context) -> str | None:
    """`--config`, wherever on the line it stands."""
    here: click.Context | None = ctx
    while here is not None:
        if given := here.params.get("config"):
            return str(given)
        here = here.parent
    return None
