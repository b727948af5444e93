"""A package set: packages/NAME.yaml as it is written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reconciler.core.manifest.checked import Name, Strict

Flags = Annotated[str, Field(pattern=r"^\s*[+-]?[A-Za-z0-9][\w@+-]*(\s+[+-]?[A-Za-z0-9][\w@+-]*)*\s*$")]


class PackageSetModel(Strict):
    """What the build swarm keeps built."""

    apiVersion: Literal["reconciler/v1"] = "reconciler/v1"  # noqa: N815  the name that manifests use everywhere
    kind: Literal["PackageSet"]
    name: Annotated[Name, Field(description="As the file is called")]
    profile: Annotated[Name, Field(description="For which drones, and into which folder of the binhost")] = "default"
    atoms: Annotated[
        list[Annotated[str, Field(max_length=4096)]],
        Field(min_length=1, description="As Portage reads them: app-editors/neovim, =sys-libs/glibc-2.39*"),
    ]
    use: Annotated[dict[str, Flags], Field(description="Atom -> flags with a blank between: +vaapi -x265")] = {}
