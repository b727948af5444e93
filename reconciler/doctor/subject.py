"""What is examined: this host by its own file, as far as that can be read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.diagnosis.commands import SettingPlace
from reconciler.model.settings import Settings
from reconciler.ports import Clock
from reconciler.settings import place_of, variable_of


@dataclass(frozen=True, slots=True)
class Subject:
    """`file`: reconciler.toml; `deadline`: seconds for one question to the engine or to a machine nearby."""

    file: str
    settings: Settings
    clock: Clock
    deadline: float = 10.0
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def me(self) -> int:
        return os.geteuid()

    def place(self, name: str) -> SettingPlace:
        """Where a setting is made, for a command that changes it."""
        if (variable := variable_of(name)) in self.environment:
            return SettingPlace(self.file, name, variable=variable)
        at, section = place_of(name, self.file), place_of(name.rpartition(".")[0] or name, self.file)
        line = self._line(at.line)
        return SettingPlace(
            self.file,
            name,
            line=at.line,
            section_line=section.line if self._line(section.line).lstrip().startswith("[") else 0,
            one_line=line.count("[") == line.count("]"),
            opens=line.rstrip().endswith("["),
        )

    def _line(self, number: int) -> str:
        if not number:
            return ""
        with open(self.file) as file:
            return file.read().splitlines()[number - 1]
