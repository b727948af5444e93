"""The model of a package set: packages/NAME.yaml. Whether its atoms are some, `core/packages/sets.py` says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reconciler.core.manifest.checked import Name, Strict
from reconciler.core.manifest.kinds import Says

Short = Annotated[Name, Field(max_length=64)]
Flags = Annotated[
    str,
    Field(pattern=r"^\s*[+-]?[A-Za-z0-9][\w@+-]*(\s+[+-]?[A-Za-z0-9][\w@+-]*)*\s*$"),
    Says("USE flags with a blank between them", "+vaapi -x265"),
]
Wish = Annotated[str, Field(max_length=4096), Says("an atom as Portage reads it", "app-editors/neovim")]


class PackageSetModel(Strict):
    """What the build swarm keeps built."""

    apiVersion: Literal["reconciler/v1"] = "reconciler/v1"  # noqa: N815  the name that manifests use everywhere
    kind: Literal["PackageSet"]
    name: Annotated[Short, Field(description="As the file is called, without .yaml")]
    profile: Annotated[Short, Field(description="For which drones, and into which folder of the binhost")] = "default"
    atoms: Annotated[
        list[Wish],
        Field(
            min_length=1, max_length=10_000, description="As Portage reads them: www-client/firefox, =dev-lang/go-1.2*"
        ),
    ]
    use: Annotated[
        dict[str, Flags],
        Field(max_length=10_000, description="Atom -> flags with a blank between: +vaapi -x265; lines of package.use"),
    ] = {}
