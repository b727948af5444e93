"""The names of the build swarm: of drones, profiles and sets. Each becomes a folder, a file, a part of an address.

One rule for all who check one, so that a command says at once what the orchestrator would say.
"""

from __future__ import annotations

import re

PATTERN = r"[A-Za-z0-9][A-Za-z0-9+_.-]{0,63}"
MAY_BE = "letters, digits and + _ . - are good for it, 64 at most, and a letter or digit first"

_NAME = re.compile(PATTERN)


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None
