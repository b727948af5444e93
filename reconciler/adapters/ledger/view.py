"""The ledger for those who only look: see `DatabaseView`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconciler.adapters.ledger.sqlite import KIND, SqliteLedger
from reconciler.database_view import DatabaseView


class LedgerView(SqliteLedger):
    """The ledger in the file `path`; an empty one when there is none, or none that can be used.

    `note`: what is special about this view, in a sentence; "" when nothing is. Writing raises Transient.
    """

    note: str

    def _opened(self, path: str | Path, clock: Callable[[], float]) -> DatabaseView:
        database = DatabaseView(path, KIND, clock)
        self.note = database.note
        return database
