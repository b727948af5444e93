"""Where a commit can be looked at, from the address that the repository is fetched from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_SCP = re.compile(r"(?:[^@/:]+@)?([A-Za-z0-9.-]+):(?!/)(.+)")
"""host:owner/name, as ssh(1) and git write it."""
_WAYS = {
    "github": ("{base}/commit/{sha}", "{base}/compare/{old}...{sha}"),
    "gitea": ("{base}/commit/{sha}", "{base}/compare/{old}...{sha}"),
    "gitlab": ("{base}/-/commit/{sha}", "{base}/-/compare/{old}...{sha}"),
}
_NAMES = {"github": "github", "gitlab": "gitlab", "gitea": "gitea", "forgejo": "gitea", "codeberg": "gitea"}


@dataclass(frozen=True, slots=True)
class Forge:
    """`base`: the page of the repository, "" when nobody knows of one."""

    base: str = ""
    kind: str = ""

    def commit(self, sha: str) -> str:
        """The page of a commit, or ""."""
        return _WAYS[self.kind][0].format(base=self.base, sha=sha) if self.base and sha else ""

    def compare(self, old: str, sha: str) -> str:
        """The page of all that lies between, or ""."""
        known = self.base and old and sha and old != sha
        return _WAYS[self.kind][1].format(base=self.base, old=old, sha=sha) if known else ""


def forge_of(url: str, kind: str = "") -> Forge:
    """For the address of a repository. `kind`: github, gitea, forgejo, gitlab, none; "": as the host's name tells."""
    place = _place(url)
    if not place:
        return Forge()
    scheme, host, path = place
    named = _NAMES.get(kind, "") or next((way for word, way in _NAMES.items() if word in host), "")
    if kind == "none" or not named:
        return Forge()
    return Forge(f"{scheme}://{host}/{path}", named)


def _place(url: str) -> tuple[str, str, str] | None:
    """Scheme, host and path of the pages; None when the repository lies on no forge. No password comes along."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme in ("http", "https") and parts.hostname:
        host = f"{parts.hostname}:{port}" if port else parts.hostname
        scheme, path = parts.scheme, parts.path
    elif parts.scheme in ("ssh", "git+ssh") and parts.hostname:
        scheme, host, path = "https", parts.hostname, parts.path
    elif "://" not in url and (scp := _SCP.fullmatch(url)):
        scheme, host, path = "https", scp[1], scp[2]
    else:
        return None
    path = path.strip("/").removesuffix(".git")
    return (scheme, host, path) if "/" in path and re.fullmatch(r"[\w./~+-]+", path) else None
