"""The keys that say whose commits this host follows."""

from __future__ import annotations

import shutil
from pathlib import Path

from reconciler.core.diagnosis.signers import SignersFacts
from reconciler.doctor.files import look_at
from reconciler.doctor.init import install
from reconciler.model.settings import Trust


def probe_signers(trust: Trust) -> SignersFacts:
    """Nothing is looked at when commits need no signature."""
    if trust.signatures == "off":
        return SignersFacts()
    allowed = look_at(trust.allowed_signers, follow=True) if trust.allowed_signers else None
    if trust.gpg_home and allowed and allowed.kind == "missing":
        allowed = None
    others = tuple(look_at(path, follow=True) for path in (trust.revoked_signers, trust.gpg_home) if path)
    needed = (*(("ssh-keygen",) if allowed else ()), *(("gpg",) if trust.gpg_home else ()))
    missing = {name: install(name) for name in needed if not shutil.which(name)}
    return SignersFacts(trust.signatures, allowed, _keys(trust.allowed_signers) if allowed else 0, others, missing)


def _keys(file: str) -> int:
    """How many lines of allowed_signers are no comment."""
    try:
        lines = Path(file).read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in lines)
