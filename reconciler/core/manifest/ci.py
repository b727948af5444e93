"""`ci:` of the fleet: whose word a commit needs before it is deployed."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from reconciler.core.compose.values import DURATION, parse_duration
from reconciler.core.manifest.checked import Name, Strict, checked
from reconciler.core.positioned import Map
from reconciler.errors import BadConfiguration
from reconciler.model.gate import CiRules

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/(?!\.{1,2}$)[A-Za-z0-9_.-]+")


class TokenModel(Strict):
    secret: Name


class CiModel(Strict):
    """`none` is a gate that lets everything pass, and says so."""

    provider: Literal["github", "gitea", "forgejo", "generic", "none"]
    repository: Annotated[str, Field(description="owner/name, at GitHub, Gitea and Forgejo")] = ""
    url: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^\s/@]+(/\S*)?)?$",
            description="github: the API of an Enterprise server; gitea, forgejo: the server; generic: has {sha}",
        ),
    ] = ""
    token: TokenModel | None = None
    require: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(description="Workflow files, their names, or contexts; left out: every workflow that a push triggers"),
    ] = []
    fork_pull_requests: Literal["never"] = "never"
    settle: Annotated[str, Field(pattern=DURATION, description="Such as 90s or 5m")] = "2m"
    neutral: Literal["pass", "fail"] = "pass"
    unknown: Literal["pass", "hold"] = "hold"


def load_ci(document: Map, file: str) -> CiRules | None:
    """The rules of a fleet file, None when it has none. BadConfiguration."""
    raw = document.get("ci")
    if raw is None:
        return None
    if not isinstance(raw, Map):
        raise _wrong(document, "ci", "is not a mapping", "write ci: {provider: github, repository: owner/name}")
    model = checked(CiModel, raw, file)
    forge = model.provider in ("github", "gitea", "forgejo")
    if forge and not _REPOSITORY.fullmatch(model.repository):
        raise _wrong(raw, "repository", "is not owner/name", "write the repository as its web address ends")
    if model.provider in ("gitea", "forgejo") and not model.url:
        raise _wrong(raw, "url", "is missing", "write the address of the server, such as https://git.example")
    if model.provider == "generic" and "{sha}" not in model.url:
        raise _wrong(raw, "url", "has no {sha} in it", "write where the state of a commit is told; docs/ci.md")
    return CiRules(
        provider=model.provider,
        repository=model.repository,
        url=model.url.rstrip("/") if forge else model.url,
        token=model.token.secret if model.token else "",
        require=tuple(model.require),
        settle=parse_duration(model.settle) or 0.0,
        neutral=model.neutral,
        unknown=model.unknown,
    )


def _wrong(raw: Map, key: str, what: str, next: str) -> BadConfiguration:
    name = "ci" if key == "ci" else f"ci.{key}"
    at = raw.key_at(key)
    return BadConfiguration("E-MANIFEST-VALUE", f"{name} {what}", why=f"got {raw.get(key)!r}", next=next, at=at)
