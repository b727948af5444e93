"""The tables of the swarm's store, and what their rows mean.

None is WITHOUT ROWID: the quick_check of SQLite 3.40 takes a sound one, whose key is in another order than its columns,
for damaged.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from reconciler.core.plain import to_json
from reconciler.database import Kind
from reconciler.model.package import Package
from reconciler.model.swarm import ENDED, Build

SCHEMA = f"""
CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL);
INSERT INTO facts VALUES ('fence', 0), ('id', lower(hex(randomblob(4))));
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL,
    ended REAL, told INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE INDEX requests_live ON requests (seq) WHERE ended IS NULL OR told = 0;
CREATE TABLE wanted (request TEXT NOT NULL, build TEXT NOT NULL, PRIMARY KEY (request, build));
CREATE INDEX wanted_by ON wanted (build);
CREATE TABLE decisions (seq INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX decisions_of ON decisions (request, seq);
CREATE TABLE builds (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, cpv TEXT NOT NULL, kind TEXT NOT NULL,
    package TEXT NOT NULL, profile TEXT NOT NULL, state TEXT NOT NULL, since REAL NOT NULL, queued REAL NOT NULL,
    attempt INTEGER NOT NULL, drone TEXT NOT NULL, reason TEXT NOT NULL, use TEXT NOT NULL, atoms TEXT NOT NULL,
    failures TEXT NOT NULL, bump INTEGER NOT NULL, work REAL NOT NULL, seconds REAL, stored TEXT NOT NULL,
    lead TEXT NOT NULL);
CREATE INDEX builds_live ON builds (seq) WHERE state NOT IN {ENDED};
CREATE INDEX builds_by_time ON builds (since, id);
CREATE TABLE edges (first TEXT NOT NULL, then_ TEXT NOT NULL, PRIMARY KEY (first, then_));
CREATE INDEX edges_to ON edges (then_, first);
CREATE TABLE attempts (
    build TEXT NOT NULL, attempt INTEGER NOT NULL, ended REAL, body TEXT NOT NULL, PRIMARY KEY (build, attempt));
CREATE INDEX attempts_live ON attempts (build) WHERE ended IS NULL;
CREATE TABLE members (
    member TEXT NOT NULL, build TEXT NOT NULL, attempt INTEGER NOT NULL, PRIMARY KEY (member, build, attempt));
CREATE INDEX members_of ON members (build, attempt);
CREATE TABLE drones (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE took (seq INTEGER PRIMARY KEY AUTOINCREMENT, package TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX took_by ON took (package, seq);
CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
"""
KIND = Kind(
    name="the swarm's store",
    application_id=0x72657377,  # "resw"
    version=1,
    schema=SCHEMA,
    codes={
        "full": "E-SWARM-FULL",
        "busy": "E-SWARM-BUSY",
        "broken": "E-SWARM-BROKEN",
        "access": "E-SWARM-ACCESS",
        "io": "E-SWARM-IO",
    },
)
FIXED = "id, kind, package, profile, queued, use, atoms, work"
CHANGING = "state, since, attempt, drone, reason, failures, bump, seconds, stored, lead"
BUILD = f"{FIXED}, {CHANGING}"


def cpv_of(build: Build) -> str:
    return build.package.cpv if build.package else " ".join(build.atoms)


def row_of(build: Build) -> tuple[object, ...]:
    fixed = (
        build.id, build.kind, to_json(build.package), build.profile, build.queued, to_json(build.use),
        to_json(build.atoms), build.work,
    )  # fmt: skip
    return (*fixed, *changing_of(build))


def changing_of(build: Build) -> tuple[object, ...]:
    return (
        build.state, build.since, build.attempt, build.drone, build.reason, to_json(build.failures), build.bump,
        build.seconds, build.stored, build.lead,
    )  # fmt: skip


def build_of(row: Sequence[Any]) -> Build:
    id, kind, package, profile, queued, use, atoms, work, state, since, attempt, drone, reason, failures = row[:14]
    told = json.loads(package)
    return Build(
        id, kind, Package(**{**told, "use": tuple(told["use"])}) if told else None, profile, state, since, queued,
        attempt, drone, reason, {atom: tuple(flags) for atom, flags in json.loads(use).items()},
        tuple(json.loads(atoms)), tuple(json.loads(failures)), row[14], work, row[15], row[16], row[17],
    )  # fmt: skip


def cursor_of(text: str) -> tuple[float, str]:
    """Raises ValueError for what no page had."""
    since, tilde, id = text.partition("~")
    if not tilde:
        raise ValueError(f"no page begins at {text!r}")
    return float(since), id
