"""The truth of the swarm in one SQLite file: what is committed is on the disk, whole, when `commit` returns."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from reconciler.adapters.swarm.rows import BUILD, CHANGING, KIND, build_of, changing_of, cpv_of, cursor_of, row_of
from reconciler.core.plain import from_json, to_json
from reconciler.database import Database
from reconciler.errors import Stale
from reconciler.model.queue import Attempt, BuildPage, BuildQuery, Changes, Decision, Known, Live, Move, Took
from reconciler.model.swarm import ENDED, Build, BuildState, Event, Request
from reconciler.ports.swarm import BuildStore

KEPT_BUILDS, KEPT_REQUESTS, KEPT_TIMES, KEPT_EVENTS = 5_000, 1_000, 20, 10_000
"""How many that have ended are remembered; how often a package took how long; how many events wait for an engine."""


AT_ONCE = 1_000
"""How many are forgotten by one `prune`: nobody should wait for it."""


class SqliteStore(BuildStore):
    """A `BuildStore` in the file `path`, whose folder is made when missing. `clock` (epoch seconds) names losses."""

    EFFECTS: ClassVar[tuple[str, ...]] = BuildStore.EFFECTS

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(path, KIND, clock)
        self._version = self._database.changes()

    def close(self) -> None:
        self._database.close()

    @property
    def loss(self) -> str:
        lost = self._database.loss
        return f"{lost.why}; it lies at {lost.aside}" if lost else ""

    def commit(self, changes: Changes, fence: int = 0) -> None:
        try:
            with self._database.writing() as database:
                _lead(database, fence)
                _write(database, changes)
        except sqlite3.IntegrityError as error:
            raise Stale(
                "E-SWARM-STALE", "somebody was faster", why=str(error), next="nothing: what is asked for again is found"
            ) from error

    def changed(self) -> bool:
        version = self._database.changes()
        changed, self._version = version != self._version, version
        return changed

    def live(self) -> Live:
        with self._database.reading() as database:
            builds = database.execute(f"SELECT {BUILD} FROM builds WHERE state NOT IN {ENDED} ORDER BY seq").fetchall()
            edges = database.execute(
                f"""SELECT first, then_ FROM builds CROSS JOIN edges ON then_ = builds.id
                    WHERE state NOT IN {ENDED}"""
            ).fetchall()
            attempts = database.execute("SELECT body FROM attempts WHERE ended IS NULL").fetchall()
            requests = _requests(database, "WHERE ended IS NULL OR told = 0 ORDER BY seq")
            drones = database.execute("SELECT body FROM drones ORDER BY name").fetchall()
        living = {row[0] for row in builds}
        return Live(
            tuple(build_of(row) for row in builds),
            tuple((first, then) for first, then in edges if first in living),
            tuple(from_json(Attempt, body) for (body,) in attempts),
            tuple(request for request in requests if request.ended is None),
            tuple(request for request in requests if request.ended is not None),
            tuple(from_json(Known, body) for (body,) in drones),
        )

    def by_key(self, key: str) -> tuple[Request, str] | None:
        with self._database.reading() as database:
            digest = database.execute("SELECT digest FROM requests WHERE key = ?", (key,)).fetchone()
            found = _requests(database, "WHERE key = ?", key)
        return (found[0], digest[0]) if found else None

    def request(self, id: str) -> Request | None:
        with self._database.reading() as database:
            return next(iter(_requests(database, "WHERE id = ?", id)), None)

    def requests(self, limit: int = 100) -> Sequence[Request]:
        with self._database.reading() as database:
            return _requests(database, "ORDER BY seq DESC LIMIT ?", limit)

    def decisions(self, request: str) -> Sequence[Decision]:
        rows = self._ask("SELECT body FROM decisions WHERE request = ? ORDER BY seq", (request,))
        return tuple(from_json(Decision, body) for (body,) in rows)

    def build(self, id: str) -> Build | None:
        return next(iter(self.builds([id])), None)

    def builds(self, ids: Sequence[str]) -> Sequence[Build]:
        rows = self._ask(
            f"SELECT {BUILD} FROM builds WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),)
        )
        found = {row[0]: build_of(row) for row in rows}
        return tuple(found[id] for id in ids if id in found)

    def page(self, query: BuildQuery) -> BuildPage:
        which = """WHERE (:drone = '' OR drone = :drone) AND (:profile = '' OR profile = :profile)
            AND (:package = '' OR instr(cpv, :package)) AND (:since IS NULL OR since >= :since)
            AND (:until IS NULL OR since < :until)
            AND (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))"""
        asked: dict[str, object] = {
            "drone": query.drone, "profile": query.profile, "package": query.package, "since": query.since,
            "until": query.until, "states": json.dumps(query.states), "limit": query.limit + 1,
        }  # fmt: skip
        behind = ""
        if query.after:
            asked["at"], asked["id"] = cursor_of(query.after)
            behind = "AND (since, id) < (:at, :id)"
        with self._database.reading() as database:
            total = database.execute(f"SELECT count(*) FROM builds {which}", asked).fetchone()[0]
            rows = database.execute(
                f"SELECT {BUILD} FROM builds {which} {behind} ORDER BY since DESC, id DESC LIMIT :limit", asked
            ).fetchall()
        builds = tuple(build_of(row) for row in rows[: query.limit])
        more = len(rows) > query.limit and builds
        return BuildPage(builds, f"{builds[-1].since!r}~{builds[-1].id}" if more else "", total)

    def counts(self) -> Mapping[BuildState, int]:
        return dict(self._ask("SELECT state, count(*) FROM builds GROUP BY state"))

    def attempts(self, build: str) -> Sequence[Attempt]:
        rows = self._ask(
            """SELECT body FROM attempts JOIN members USING (build, attempt) WHERE member = ?
               ORDER BY attempts.attempt""",
            (build,),
        )
        return tuple(from_json(Attempt, body) for (body,) in rows)

    def around(self, build: str) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        with self._database.reading() as database:
            needs = database.execute("SELECT first FROM edges WHERE then_ = ? ORDER BY first", (build,)).fetchall()
            needed = database.execute("SELECT then_ FROM edges WHERE first = ? ORDER BY then_", (build,)).fetchall()
            wanted = database.execute("SELECT request FROM wanted WHERE build = ?", (build,)).fetchall()
        return tuple(id for (id,) in needs), tuple(id for (id,) in needed), tuple(id for (id,) in wanted)

    def took(self) -> Sequence[Took]:
        return tuple(from_json(Took, body) for (body,) in self._ask("SELECT body FROM took ORDER BY seq"))

    def unsent(self, limit: int = 1000) -> Sequence[Event]:
        """Under the id of the file that they lie in: one that was begun anew counts from 1 again."""
        rows = self._ask(
            """SELECT value || '-' || seq, body FROM outbox, facts WHERE name = 'id' ORDER BY seq LIMIT ?""", (limit,)
        )
        return tuple(replace(from_json(Event, body), id=id) for id, body in rows)

    def sent(self, events: Sequence[Event]) -> None:
        """A power cut may bring them back; whoever gets them knows their ids."""
        with self._database.writing(durable=False) as database:
            rows = [(int(event.id.rpartition("-")[2]),) for event in events]
            database.executemany("DELETE FROM outbox WHERE seq = ?", rows)

    def prune(self) -> None:
        with self._database.writing() as database:
            _forget_builds(database)
            _forget_requests(database)
            database.execute(
                """DELETE FROM took WHERE seq IN (SELECT seq FROM (SELECT seq, row_number() OVER
                   (PARTITION BY package ORDER BY seq DESC) AS newer FROM took) WHERE newer > ?)""",
                (KEPT_TIMES,),
            )
            database.execute("DELETE FROM outbox WHERE seq <= (SELECT max(seq) FROM outbox) - ?", (KEPT_EVENTS,))

    def _ask(self, query: str, values: Any = ()) -> list[Any]:
        return self._database.ask(query, values)


def _lead(database: sqlite3.Connection, fence: int) -> None:
    if not fence:
        return
    seen = database.execute("SELECT value FROM facts WHERE name = 'fence'").fetchone()[0]
    if seen > fence:
        raise Stale(
            "E-SWARM-DEPOSED",
            "another orchestrator leads",
            why=f"it has committed under fence {seen}, this one has {fence}",
            next="nothing: this one stands by until the other one is gone",
        )
    if seen < fence:
        database.execute("UPDATE facts SET value = ? WHERE name = 'fence'", (fence,))


def _write(database: sqlite3.Connection, changes: Changes) -> None:
    for request in changes.requests:
        _put_request(database, request, changes.digest)
    database.executemany(
        f"INSERT INTO builds (cpv, {BUILD}) VALUES ({','.join('?' * 19)})",
        [(cpv_of(build), *row_of(build)) for build in changes.builds],
    )
    for move in changes.moves:
        _move(database, move)
    _put_edges(database, changes.edges)
    _put_attempts(database, changes.attempts)
    for request_id, decisions in changes.decisions.items():
        rows = [(request_id, to_json(decision)) for decision in decisions]
        database.executemany("INSERT INTO decisions (request, body) VALUES (?,?)", rows)
    rows = [(known.name, to_json(known)) for known in changes.drones]
    database.executemany("INSERT OR REPLACE INTO drones VALUES (?,?)", rows)
    database.executemany("DELETE FROM drones WHERE name = ?", [(name,) for name in changes.gone])
    database.executemany("UPDATE requests SET told = 1 WHERE id = ?", [(id,) for id in changes.told])
    rows = [(took.package, to_json(took)) for took in changes.took]
    database.executemany("INSERT INTO took (package, body) VALUES (?,?)", rows)
    database.executemany("INSERT INTO outbox (body) VALUES (?)", [(to_json(each),) for each in changes.events])


def _put_request(database: sqlite3.Connection, request: Request, digest: str) -> None:
    database.execute(
        """INSERT INTO requests (id, key, digest, ended, body) VALUES (?,?,?,?,?)
           ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, body = excluded.body""",
        (request.id, request.key, digest, request.ended, to_json(replace(request, builds=()))),
    )
    rows = [(request.id, build) for build in request.builds]
    database.executemany("INSERT OR IGNORE INTO wanted VALUES (?,?)", rows)


def _move(database: sqlite3.Connection, move: Move) -> None:
    """The fence: only who knows the build as it is may move it."""
    before, after = move.before, move.after
    columns = ", ".join(f"{name.strip()} = ?" for name in CHANGING.split(","))
    changed = database.execute(
        f"UPDATE builds SET {columns} WHERE id = ? AND attempt = ? AND drone = ? AND state = ?",
        (*changing_of(after), before.id, before.attempt, before.drone, before.state),
    )
    if changed.rowcount != 1:
        raise Stale(
            "E-SWARM-STALE",
            f"{before.id} is not {before.state} under attempt {before.attempt} any more",
            next="nothing: the next tick looks anew",
        )


def _put_edges(database: sqlite3.Connection, edges: Sequence[tuple[str, str]]) -> None:
    """Whoever saw a build come to nothing held what needed it then; nothing new may need it."""
    database.executemany("INSERT OR IGNORE INTO edges (first, then_) VALUES (?,?)", edges)
    gone = database.execute(
        f"""SELECT builds.id, builds.state FROM builds JOIN edges ON first = builds.id JOIN builds AS needing
            ON needing.id = then_ WHERE builds.id IN (SELECT value FROM json_each(?))
            AND builds.state IN {ENDED} AND builds.state != 'succeeded' AND needing.state NOT IN {ENDED}""",
        (json.dumps(sorted({first for first, _ in edges})),),
    ).fetchone()
    if gone is not None:
        raise Stale("E-SWARM-STALE", f"{gone[0]} is {gone[1]} by now", next="nothing: it is looked at anew")


def _put_attempts(database: sqlite3.Connection, attempts: Iterable[Attempt]) -> None:
    for attempt in attempts:
        database.execute(
            "INSERT OR REPLACE INTO attempts VALUES (?,?,?,?)",
            (attempt.build, attempt.attempt, attempt.ended, to_json(attempt)),
        )
        rows = [(member, attempt.build, attempt.attempt) for member in attempt.members]
        database.executemany("INSERT OR IGNORE INTO members VALUES (?,?,?)", rows)


def _forget_builds(database: sqlite3.Connection) -> None:
    """The oldest that have ended, and nobody wants any more."""
    gone = database.execute(
        f"""SELECT id FROM builds WHERE state IN {ENDED} AND id NOT IN
                (SELECT build FROM wanted JOIN requests ON request = id WHERE ended IS NULL OR told = 0)
            ORDER BY since DESC, id DESC LIMIT ? OFFSET ?""",
        (AT_ONCE, KEPT_BUILDS),
    ).fetchall()
    tries = database.execute(
        "SELECT DISTINCT build, attempt FROM members WHERE member IN (SELECT value FROM json_each(?))",
        (json.dumps([id for (id,) in gone]),),
    ).fetchall()
    for what in ("builds WHERE id", "edges WHERE first", "edges WHERE then_", "members WHERE member"):
        database.executemany(f"DELETE FROM {what} = ?", gone)
    database.executemany(
        """DELETE FROM attempts WHERE build = ? AND attempt = ? AND NOT EXISTS (SELECT 1 FROM members
           WHERE members.build = attempts.build AND members.attempt = attempts.attempt)""",
        tries,
    )


def _forget_requests(database: sqlite3.Connection) -> None:
    gone = database.execute(
        """SELECT id FROM requests WHERE ended IS NOT NULL AND told = 1 ORDER BY seq DESC LIMIT ? OFFSET ?""",
        (AT_ONCE, KEPT_REQUESTS),
    ).fetchall()
    for what in ("requests WHERE id", "wanted WHERE request", "decisions WHERE request"):
        database.executemany(f"DELETE FROM {what} = ?", gone)


def _requests(database: sqlite3.Connection, which: str, *values: object) -> list[Request]:
    rows = database.execute(f"SELECT id, body FROM requests {which}", values).fetchall()
    return [replace(from_json(Request, body), builds=_wanted(database, id)) for id, body in rows]


def _wanted(database: sqlite3.Connection, request: str) -> tuple[str, ...]:
    return tuple(
        id for (id,) in database.execute("SELECT build FROM wanted WHERE request = ? ORDER BY rowid", (request,))
    )
