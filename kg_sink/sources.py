"""Sources: the files that a watch has read, as the graph remembers them, and the documents that went from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from neo4j import Driver, ManagedTransaction

from kg_sink.connection import with_driver
from kg_sink.queries import run_query
from kg_sink.retracting import OF_SOURCES, retract
from kg_sink.round_trips import each, pieces, settled
from kg_sink.server import Connection

Row = dict[str, Any]

_READ = "MATCH (s:Source) RETURN s.id AS path, s.stamp AS stamp, s.tries AS tries"
_TRY = "UNWIND $paths AS path MERGE (s:Source {id: path}) SET s.tries = coalesce(s.tries, 0) + 1"
_TAKE_BACK = "UNWIND $paths AS path MATCH (s:Source {id: path}) WHERE s.tries > 0 SET s.tries = s.tries - 1"
_MARK = "UNWIND $rows AS row MERGE (s:Source {id: row.path}) SET s.stamp = row.stamp, s.tries = 0"
_DROP = "UNWIND $paths AS path MATCH (s:Source {id: path}) DELETE s"
#: Rows and attachments that their file held once, and that the run which just read it did not find.
_VANISHED = """
MATCH (d:Document {last_seen: $now})
WITH DISTINCT d.source AS source
MATCH (o:Document {source: source}) WHERE o.last_seen < $now AND o.uri <> source
RETURN o.id AS id, o.uri AS uri
"""
#: Documents that one transaction takes out.
_PIECE = 200


def read_sources(connection: Connection) -> dict[str, tuple[str, int]]:
    """Path → (stamp of the version that was read last, how often a process has died over it since)."""
    return {row["path"]: (row["stamp"] or "", row["tries"] or 0) for row in run_query(connection, _READ)}


def begin_sources(connection: Connection, paths: Iterable[str]) -> None:
    """Note that files are about to be read, so that one which kills its reader time and again is found."""
    _write(connection, _TRY, "paths", sorted(paths))


def take_back_begin(connection: Connection, paths: Iterable[str]) -> None:
    """Note that reading files ended without an outcome, and without the end of the process: it was not their doing."""
    _write(connection, _TAKE_BACK, "paths", sorted(paths))


def finish_sources(connection: Connection, stamps: Mapping[str, str]) -> None:
    """Note that files (path → stamp) were read, and are in the graph or in the dead letters."""
    _write(connection, _MARK, "rows", [{"path": path, "stamp": stamp} for path, stamp in sorted(stamps.items())])


def withdraw_sources(connection: Connection, paths: Iterable[str], now: str) -> int:
    """Take out all documents that were read from files; returns how many."""
    wanted = sorted(paths)
    found = [row["id"] for row in run_query(connection, OF_SOURCES, {"sources": wanted})]
    _retract(connection, found, now)
    _write(connection, _DROP, "paths", wanted)
    return len(found)


def withdraw_vanished(connection: Connection, failed: Set[str], now: str) -> int:
    """Take out rows and attachments that a file no longer holds, after a run (its `now`); returns how many.

    What is in `failed` (URIs of documents or of whole files), or hangs on it, was not read, and so has not vanished.
    """
    rows = run_query(connection, _VANISHED, {"now": now})
    gone = [row["id"] for row in rows if not failed & set(_holders(row["uri"]))]
    _retract(connection, gone, now)
    return len(gone)


def _holders(uri: str) -> Iterator[str]:
    """A URI, and those of what it is a row of or is attached to: "m.eml#a.eml#b.txt", "m.eml#a.eml", "m.eml"."""
    while uri:
        yield uri
        uri = uri.rpartition("#")[0]


def _retract(connection: Connection, ids: list[str], now: str) -> None:
    for piece in pieces(ids, _PIECE):
        retract(connection, piece, now)


def _write(connection: Connection, query: str, name: str, rows: list[Any]) -> None:
    def unit(tx: ManagedTransaction) -> None:
        each(tx, query, rows, name)

    def work(driver: Driver) -> None:
        with driver.session(database=connection.database) as session:
            settled(session, unit)

    if rows:
        with_driver(connection, work)
