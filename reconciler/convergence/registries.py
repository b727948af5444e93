"""Registries are asked about moved tags now and then; one that is down is no trouble for anybody."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from reconciler.core.tags import due_at, moved, registry_of, tracked
from reconciler.core.wanted import Want
from reconciler.errors import ReconcilerError
from reconciler.model.images import Tag
from reconciler.model.observed import Observed, Slot
from reconciler.ports import Clock, ContainerEngine, Images

_AT_ONCE = 4


class Registries:
    """`every`: seconds between two questions about a tag; 0: none is asked."""

    def __init__(self, engine: ContainerEngine, images: Images, clock: Clock, every: float) -> None:
        self._engine, self._images, self._clock, self._every = engine, images, clock, every

    def moved(self, wants: Mapping[Slot, Want], observed: Observed) -> dict[str, str]:
        """Reference -> digest of what its registry has now and this host does not, as far as anybody knows."""
        if not self._every:
            return {}
        asked, known, now = tracked(wants.values(), observed, self._every), self._images.known(), self._clock.now()
        due = [name for name, interval in asked.items() if due_at(known.get(name), interval, now) <= now]
        tags = {name: tag for name, tag in known.items() if name in asked} | self._answers(due, known, now)
        if due or tags.keys() != known.keys():
            again = [due_at(tags[name], interval, now) for name, interval in asked.items()]
            self._images.remember(tags, min(again, default=now + self._every))
        return moved(tags, asked, observed)

    def _answers(self, due: list[str], known: Mapping[str, Tag], now: float) -> dict[str, Tag]:
        """One registry after the other is asked in a row, several rows at once."""
        rows = [list(row) for _, row in groupby(sorted(due, key=registry_of), registry_of)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return {name: tag for row in pool.map(lambda row: self._row(row, known, now), rows) for name, tag in row}

    def _row(self, row: list[str], known: Mapping[str, Tag], now: float) -> list[tuple[str, Tag]]:
        """A registry that does not answer is not asked about the rest: each may cost its whole deadline."""
        answers, down = [], False
        for name in row:
            before = known.get(name, Tag("", 0.0))
            digest = "" if down else self._ask(name)
            down = down or not digest
            answers.append((name, Tag(digest, now) if digest else Tag(before.digest, now, before.failures + 1)))
        return answers

    def _ask(self, name: str) -> str:
        try:
            return self._engine.digest(name)
        except ReconcilerError:
            return ""
