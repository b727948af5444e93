"""USE flags as emerge prints them: `USE="nls ssl* -debug (-selinux) {test} fresh%*" L10N="de -pt-BR"`."""

from __future__ import annotations

import re

from reconciler.core.packages.lines import excerpt

_GROUP = re.compile(r'([A-Z][A-Z0-9_]*)="([^"]*)"')
_FLAG = re.compile(r"([({]?)(-?)([A-Za-z0-9][A-Za-z0-9+_@-]*)([%*]{0,2})([)}]?)([%*]{0,2})")
_PAIRS = ("", "()", "{}")


def read_use(text: str) -> tuple[str, ...]:
    """All groups of a line: the flags sorted by name, with a hyphen where they are off.

    Those of a variable of USE_EXPAND bear its name, as Portage calls them: L10N="de" is `l10n_de`. Braces, parentheses
    (cannot be changed), `%` and `*` (differs from what is installed) are dropped, and so is a flag that this version
    has no more, `(-gone%)`. Raises ValueError for what is no flag, and for one that is both on and off.
    """
    told: dict[str, str] = {}
    for group, flags in _GROUP.findall(text):
        prefix = "" if group == "USE" else f"{group.lower()}_"
        for token in flags.split():
            match = _FLAG.fullmatch(token)
            if match is None:
                raise ValueError(f"{excerpt(token)!r} is no USE flag")
            opened, off, name, marks, closed, more_marks = match.groups()
            if opened + closed not in _PAIRS:
                raise ValueError(f"{excerpt(token)!r} is no USE flag")
            if opened == "(" and off and "%" in marks + more_marks:
                continue
            name = prefix + name
            flag = off + name
            if told.setdefault(name, flag) != flag:
                raise ValueError(f"the flag {name!r} is both on and off")
    return tuple([told[name] for name in sorted(told)])
