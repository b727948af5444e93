"""The dispatch engine of one machine: tables of one SQLite file, which orchestrator and drones open each for itself.

No server: a drone looks for its next offer more and more seldom, at last twice a second. What must outlive a power cut
is on the disk when a method returns (offers, outcomes, withdrawals, credentials, events, a new leader). Beats, renewed
leadership, and the word that an outcome is done with outlive a killed process only: the next beat, the next leader and
the fence make up for them.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import ClassVar

from reconciler.core.plain import from_json, to_json
from reconciler.database import Database, Kind
from reconciler.errors import Refused, Terminal
from reconciler.model.swarm import Beat, Event, Lease, Offer, Outcome
from reconciler.ports.swarm import Delivery, DispatchEngine, DroneLink

SCHEMA = """
CREATE TABLE sites (name TEXT PRIMARY KEY);
CREATE TABLE drones (name TEXT PRIMARY KEY, credential TEXT NOT NULL UNIQUE);
CREATE TABLE offers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, build TEXT NOT NULL, attempt INTEGER NOT NULL, drone TEXT NOT NULL,
    state TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (build, attempt));
CREATE INDEX offers_of_a_drone ON offers (drone, seq) WHERE state = 'offered';
CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, build TEXT NOT NULL, attempt INTEGER NOT NULL, drone TEXT NOT NULL,
    body TEXT NOT NULL, UNIQUE (build, attempt, drone));
CREATE TABLE beats (seq INTEGER PRIMARY KEY AUTOINCREMENT, drone TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, body TEXT NOT NULL);
CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL, until REAL NOT NULL);
"""
KIND = Kind(
    name="the engine's file",
    application_id=0x7265656E,  # "reen"
    version=1,
    schema=SCHEMA,
    codes={
        "full": "E-ENGINE-FULL",
        "busy": "E-ENGINE-BUSY",
        "broken": "E-ENGINE-BROKEN",
        "access": "E-ENGINE-AWAY",
        "io": "E-ENGINE-IO",
    },
)
EVENTS = 10_000
"""How many are remembered."""

OFFERS = 10_000
"""How many that have ended are remembered, so that the same again is known for what it is."""

FIRST_LOOK, LAST_LOOK = 0.02, 0.5
"""Seconds between two looks for an offer, at first and at last."""


class EmbeddedEngine(DispatchEngine):
    """The orchestrator's end. `path`: of the file, made when missing. `clock`: epoch seconds, for leadership."""

    EFFECTS: ClassVar[tuple[str, ...]] = DispatchEngine.EFFECTS

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        self._opened: Database | None = None
        self._heard = 0

    @property
    def loss(self) -> str:
        """Why the file had to be begun anew, and where the old one lies: every drone has to be enrolled again."""
        lost = self._database.loss
        return f"{lost.why}; it lies at {lost.aside}" if lost else ""

    def open(self, site: str) -> None:
        if self._opened is None:
            self._opened = Database(self._path, KIND, self._clock)
            self._opened.do("INSERT OR IGNORE INTO sites VALUES (?)", site)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def enroll(self, drone: str) -> str:
        credential = secrets.token_urlsafe(32)
        with self._database.writing() as database:
            database.execute("INSERT OR REPLACE INTO drones VALUES (?,?)", (drone, _hashed(credential)))
        return credential

    def revoke(self, drone: str) -> None:
        with self._database.writing() as database:
            database.execute("DELETE FROM drones WHERE name = ?", (drone,))
            database.execute("DELETE FROM beats WHERE drone = ?", (drone,))
            _withdraw(database, drone)

    def whose(self, credential: str) -> str:
        rows = self._database.ask("SELECT name FROM drones WHERE credential = ?", (_hashed(credential),))
        return str(rows[0][0]) if rows else ""

    def offer(self, drone: str, offer: Offer) -> None:
        self.offer_all([(drone, offer)])

    def offer_all(self, offers: Sequence[tuple[str, Offer]]) -> None:
        with self._database.writing() as database:
            database.executemany(
                "INSERT OR IGNORE INTO offers (build, attempt, drone, state, body) VALUES (?,?,?,'offered',?)",
                [(offer.build, offer.attempt, drone, to_json(offer)) for drone, offer in offers],
            )
            database.execute(
                "DELETE FROM offers WHERE seq <= (SELECT max(seq) FROM offers) - ? AND state != 'offered'", (OFFERS,)
            )

    def withdraw(self, drone: str, build: str = "", attempt: int = 0) -> None:
        with self._database.writing() as database:
            _withdraw(database, drone, build, attempt)

    def outcomes(self) -> Sequence[Delivery]:
        rows = self._database.ask("SELECT seq, body FROM outcomes ORDER BY seq")
        return tuple(_Delivered(self._database, seq, from_json(Outcome, body)) for seq, body in rows)

    def beats(self) -> Sequence[Beat]:
        rows = self._database.ask("SELECT seq, body FROM beats WHERE seq > ? ORDER BY seq", (self._heard,))
        if rows:
            self._heard = rows[-1][0]
        return tuple(from_json(Beat, body) for _, body in rows)

    def outstanding(self, drone: str) -> frozenset[tuple[str, int]]:
        rows = self._database.ask("SELECT build, attempt FROM offers WHERE drone = ? AND state = 'offered'", (drone,))
        return frozenset((build, attempt) for build, attempt in rows)

    def lease(self, name: str, holder: str, ttl: float) -> Lease | None:
        """A new fence is at least the time in seconds, so that it grows even when the file was lost."""
        now = self._clock()
        rows = self._database.ask("SELECT holder, until FROM leases WHERE name = ?", (name,))
        mine = bool(rows) and rows[0][0] == holder and _holds(rows[0][1], now)
        with self._database.writing(durable=not mine) as database:
            row = database.execute("SELECT holder, fence, until FROM leases WHERE name = ?", (name,)).fetchone()
            held = row is not None and _holds(row[2], now)
            if held and row[0] != holder:
                return None
            fence = row[1] if held else max(int(now), row[1] + 1 if row else 0)
            lease = Lease(name, holder, fence, now + ttl)
            database.execute("INSERT OR REPLACE INTO leases VALUES (?,?,?,?)", (name, holder, fence, lease.until))
        return lease

    def emit(self, *events: Event) -> None:
        with self._database.writing() as database:
            for event in events:
                database.execute(
                    "INSERT OR IGNORE INTO events (id, body) VALUES (?,?)", (event.id or None, to_json(event))
                )
            database.execute("DELETE FROM events WHERE seq <= (SELECT max(seq) FROM events) - ?", (EVENTS,))

    def events(self, after: int, limit: int = 100) -> Sequence[Event]:
        rows = self._database.ask("SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return tuple(replace(from_json(Event, body), seq=seq) for seq, body in rows)

    @property
    def _database(self) -> Database:
        if self._opened is None:
            raise Terminal("E-ENGINE-CLOSED", "the engine is not open", next="open it first")
        if self._opened.reopen_when_lost():
            self._heard = 0
        return self._opened


class EmbeddedLink(DroneLink):
    """A drone's end, in its own process. The file is the orchestrator's to make: Transient (E-ENGINE-AWAY) before.

    A drone sees its own offers only, and speaks in its own name only. Safe to use from several threads.
    """

    def __init__(self, path: str | Path, credential: str) -> None:
        self._path, self._credential = path, _hashed(credential)
        self._opened: Database | None = None
        self._opening = Lock()

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def next(self, timeout: float) -> Offer | None:
        until, pause = time.monotonic() + timeout, FIRST_LOOK
        while True:
            rows = self._database.ask(
                """SELECT drones.name, offers.body FROM drones LEFT JOIN offers
                   ON offers.drone = drones.name AND offers.state = 'offered'
                   WHERE drones.credential = ? ORDER BY offers.seq LIMIT 1""",
                (self._credential,),
            )
            if not rows:
                raise _void()
            if rows[0][1] is not None:
                return from_json(Offer, rows[0][1])
            if (left := until - time.monotonic()) <= 0:
                return None
            time.sleep(min(left, pause))
            pause = min(LAST_LOOK, pause * 1.5)

    def working(self, offer: Offer) -> bool:
        rows = self._database.ask(
            """SELECT drones.name, offers.state FROM drones LEFT JOIN offers
               ON offers.drone = drones.name AND offers.build = ? AND offers.attempt = ? WHERE drones.credential = ?""",
            (offer.build, offer.attempt, self._credential),
        )
        if not rows:
            raise _void()
        return bool(rows[0][1] == "offered")

    def finish(self, offer: Offer, outcome: Outcome) -> None:
        with self._database.writing() as database:
            drone = self._me(database, outcome.drone)
            if (outcome.build, outcome.attempt) != (offer.build, offer.attempt):
                raise Refused("E-ENGINE-OTHER", f"an outcome of {outcome.build}:{outcome.attempt} for {offer.lease}")
            lease = (offer.build, offer.attempt, drone)
            known = database.execute(
                "SELECT state FROM offers WHERE build = ? AND attempt = ? AND drone = ?", lease
            ).fetchone()
            if known is None or known[0] == "finished":
                return
            database.execute(
                "INSERT OR IGNORE INTO outcomes (build, attempt, drone, body) VALUES (?,?,?,?)",
                (*lease, to_json(outcome)),
            )
            database.execute(
                "UPDATE offers SET state = 'finished' WHERE build = ? AND attempt = ? AND drone = ?", lease
            )

    def beat(self, beat: Beat) -> None:
        with self._database.writing(durable=False) as database:
            drone = self._me(database, beat.drone)
            database.execute("INSERT OR REPLACE INTO beats (drone, body) VALUES (?,?)", (drone, to_json(beat)))

    def _me(self, database: sqlite3.Connection, named: str) -> str:
        row = database.execute("SELECT name FROM drones WHERE credential = ?", (self._credential,)).fetchone()
        if row is None:
            raise _void()
        if row[0] != named:
            raise Refused(
                "E-ENGINE-OTHER",
                f"the credential is of the drone {row[0]}, and this drone is called {named}",
                why="a drone is called by drone.name of its reconciler.toml, else by host, else by its hostname",
                next=f'set name = "{row[0]}" below [drone] there, or: reconciler drones enroll {named}',
            )
        return str(row[0])

    @property
    def _database(self) -> Database:
        with self._opening:
            if self._opened is None:
                self._opened = Database(self._path, KIND, make=False)
        self._opened.reopen_when_lost()
        return self._opened


@dataclass(frozen=True, slots=True)
class _Delivered:
    _database: Database
    _seq: int
    outcome: Outcome

    def ack(self) -> None:
        with self._database.writing(durable=False) as database:
            database.execute("DELETE FROM outcomes WHERE seq = ?", (self._seq,))


_LONGEST_LEASE = 3600.0
"""Seconds; a lease that seems to hold for longer was taken by a clock that has been set back since."""


def _holds(until: float, now: float) -> bool:
    return now < until <= now + _LONGEST_LEASE


def _withdraw(database: sqlite3.Connection, drone: str, build: str = "", attempt: int = 0) -> None:
    database.execute(
        """UPDATE offers SET state = 'withdrawn' WHERE drone = :drone AND state = 'offered'
           AND (:build = '' OR build = :build) AND (:attempt = 0 OR attempt = :attempt)""",
        {"drone": drone, "build": build, "attempt": attempt},
    )


def _hashed(credential: str) -> str:
    """256 random bits need no salt and no slow hash."""
    return hashlib.sha256(credential.encode()).hexdigest()


def _void() -> Terminal:
    return Terminal(
        "E-ENGINE-CREDENTIAL",
        "the drone's credential is void",
        why="it was revoked, or replaced by a newer one",
        next="enroll the drone again: reconciler drones enroll NAME",
    )
