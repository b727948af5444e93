"""Which of the atoms that emerge was asked for it cannot have: it stops at the first such one, and says nothing of the
others."""

from __future__ import annotations

import re
from collections.abc import Collection

_NAMED = re.compile(r'(?:to|could) satisfy "([^"\n]+)"|\(dependency required by "([^"\n]+)" \[argument\]\)')


def unsatisfied(text: str, asked: Collection[str]) -> tuple[str, ...]:
    """Those of `asked` that are to blame for what it printed, without colours: they, or what one of them needs."""
    named = {atom for found in _NAMED.findall(text) for atom in found if atom}
    return tuple(atom for atom in asked if atom in named)
