"""`ci:` of the fleet: whose word a commit needs before it is deployed."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NoReturn

from pydantic import Field

from reconciler.core.compose.problems import show
from reconciler.core.compose.values import parse_duration
from reconciler.core.manifest.checked import Duration, Name, Strict, Text, checked
from reconciler.core.manifest.kinds import Says
from reconciler.core.mistakes import Mistakes
from reconciler.core.positioned import Map
from reconciler.errors import BadConfiguration
from reconciler.model.gate import CiRules

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/(?!\.{1,2}$)[A-Za-z0-9_.-]+")


class TokenModel(Strict):
    secret: Name


class CiModel(Strict):
    """`none` is a gate that lets everything pass, and says so."""

    provider: Literal["github", "gitea", "forgejo", "generic", "none"]
    repository: Annotated[
        str, Field(description="owner/name, at GitHub, Gitea and Forgejo"), Says("owner/name", "owner/name")
    ] = ""
    url: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^\s/@]+(/\S*)?)?$",
            description="github: the API of an Enterprise server; gitea, forgejo: the server; generic: has {sha}",
        ),
        Says("an http:// or https:// address without a password in it", "https://git.example"),
    ] = ""
    token: TokenModel | None = None
    require: Annotated[
        list[Text],
        Field(description="Workflow files, their names, or contexts; left out: every workflow that a push triggers"),
    ] = []
    fork_pull_requests: Literal["never"] = "never"
    settle: Duration = "2m"
    neutral: Literal["pass", "fail"] = "pass"
    unknown: Literal["pass", "hold"] = "hold"


class _CiAlone(Strict, extra="ignore"):
    """A fleet of which only this part is looked at."""

    ci: CiModel | None = None


def load_ci(document: Map, file: str) -> CiRules | None:
    """The rules of a fleet file, None when it has none. BadConfiguration."""
    model = checked(_CiAlone, document, file).ci
    if model is None:
        return None
    raw = document.child("ci")
    forge = model.provider in ("github", "gitea", "forgejo")
    with Mistakes() as mistakes:
        if forge and not _REPOSITORY.fullmatch(model.repository):
            mistakes.of(_refuse, raw, "repository", "is not owner/name", "write the repository as its web address ends")
        if model.provider in ("gitea", "forgejo") and not model.url:
            mistakes.of(
                _refuse, raw, "url", "is missing", "write the address of the server, such as https://git.example"
            )
        if model.provider == "generic" and "{sha}" not in model.url:
            mistakes.of(
                _refuse, raw, "url", "has no {sha} in it", "write where the state of a commit is told; docs/ci.md"
            )
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


def _refuse(raw: Map, key: str, what: str, next: str) -> NoReturn:
    why = f"it is {show(raw[key])}" if key in raw else f"`provider: {raw['provider']}` needs it"
    raise BadConfiguration("E-MANIFEST-VALUE", f"ci.{key} {what}", why=why, next=next, at=raw.key_at(key))
