"""Messages: of all that name one document, the latest counts, in whichever order they come to the graph.

A stream keeps no order: a deletion has less to go through than the document that it deletes. So the graph remembers
the version of the latest message of each source (`Source.version`), deletions included, and what is older is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from neo4j import ManagedTransaction
from neo4j.exceptions import DriverError, Neo4jError, ServiceUnavailable, SessionExpired

from kg_sink.connection import open_driver
from kg_sink.history import present
from kg_sink.retracting import OF_SOURCES, retract_in
from kg_sink.round_trips import each, settled
from kg_sink.server import Connection
from transforms.counting import add_seconds, event
from transforms.dead_letters import document_of
from transforms.records import DeadLetter, Document, Retraction, Structured

# The first SET locks the node, so that no other transaction writes between reading and setting its version.
_CLAIM = """
UNWIND $rows AS row
MERGE (s:Source {id: row.source})
SET s.asked = row.version
WITH s, row
SET s.version = CASE WHEN s.version IS NULL OR s.version < row.version THEN row.version ELSE s.version END
RETURN s.id AS source, s.version AS version
"""


def claim(tx: ManagedTransaction, versions: Mapping[str, str]) -> dict[str, str]:
    """Source → version of its latest message, these (source → version) among them."""
    rows = [{"source": source, "version": version} for source, version in sorted(versions.items())]
    return {row["source"]: row["version"] for row in each(tx, _CLAIM, rows)}


def latest(tx: ManagedTransaction, documents: Sequence[Structured]) -> list[Structured]:
    """The documents that no later message has overtaken, among them all that no message brought."""
    wanted: dict[str, str] = {}
    for document in map(document_of, documents):
        if document.version:
            source = document.source or document.uri
            wanted[source] = max(wanted.get(source, ""), document.version)
    newest = claim(tx, wanted)

    def stays(document: Document) -> bool:
        return not document.version or document.version >= newest[document.source or document.uri]

    return [found for found in documents if stays(document_of(found))]


def retract_message(tx: ManagedTransaction, retraction: Retraction, now: str) -> int:
    """Take out what was read from a message's document, unless a later one brought it again; returns how many."""
    if claim(tx, {retraction.uri: retraction.version})[retraction.uri] > retraction.version:
        return 0
    ids = [row["id"] for row in each(tx, OF_SOURCES, [retraction.uri], "sources")]
    retract_in(tx, ids, now)
    return len(ids)


class RetractMessages(beam.PTransform):
    """Retraction → (retracted, dead): a URI once its documents are out of the graph, with how many there were."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def expand(self, retractions: beam.PCollection) -> Any:
        """Retract each."""
        work = beam.ParDo(_RetractDoFn(self._connection))
        split = retractions | "Retract" >> work.with_outputs("dead", main="good")
        return split.good, split.dead


class _RetractDoFn(beam.DoFn):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def setup(self) -> None:
        self._driver = open_driver(self._connection)

    def teardown(self) -> None:
        self._driver.close()

    def process(self, retraction: Retraction) -> Iterator[Any]:
        begin = time.perf_counter()
        try:
            with self._driver.session(database=self._connection.database) as session:
                count = settled(session, partial(retract_message, retraction=retraction, now=present()))
        except (ServiceUnavailable, SessionExpired):
            raise  # the graph is gone: no message's fault, and Beam retries the bundle
        except (Neo4jError, DriverError) as error:
            found = DeadLetter.of(retraction.uri, "retract", error)
            yield pvalue.TaggedOutput("dead", found.of_message(retraction.uri))
        else:
            event("withdrawn", uri=retraction.uri, documents=count)
            yield retraction.uri, count
        add_seconds("retract", time.perf_counter() - begin)
