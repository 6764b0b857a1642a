"""Write: structured documents → the graph, a batch of documents in one transaction.

The driver repeats a transaction on errors that it calls retryable. A batch that fails for good is tried again
document by document, so that one bad document harms no other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from neo4j import Driver, ManagedTransaction
from neo4j.exceptions import ConstraintError, DriverError, Neo4jError, ServiceUnavailable, SessionExpired

from kg_sink.connection import open_driver
from kg_sink.model import writes
from kg_sink.retracting import retract_replaced
from kg_sink.server import Connection
from transforms.counting import add_seconds
from transforms.dead_letters import letter
from transforms.records import Structured
from transforms.schema import Schema

#: How often writers may meet in one constraint before a batch is given up.
_MEETINGS = 5
#: Documents that one transaction writes.
BATCH = 32


def write(driver: Driver, database: str, schema: Schema, documents: Iterable[Structured], now: str) -> None:
    """Write documents in one transaction, in place of their earlier versions (the same URI, another text).

    `now` (ISO 8601) is stored as the time of what is new.

    Raises:
        Neo4jError, DriverError: the server refused, or could not be reached through all retries.
    """
    documents = list(documents)
    planned = writes(documents, schema)
    versions = [{"id": d.id, "uri": d.uri} for d in (found.resolved.analysis.document for found in documents)]

    def work(tx: ManagedTransaction) -> None:
        for step in planned:
            tx.run(step.cypher, rows=step.rows, now=now).consume()
        retract_replaced(tx, versions)

    with driver.session(database=database) as session:
        for _ in range(_MEETINGS):
            try:
                return session.execute_write(work)
            except ConstraintError:
                continue  # another writer made one of our nodes first; it is found now
        session.execute_write(work)


@dataclass(frozen=True)
class WriteJob:
    """What a worker needs to write."""

    connection: Connection
    schema: Schema
    now: str


class _WriteDoFn(beam.DoFn):
    def __init__(self, job: WriteJob) -> None:
        self._job = job

    def setup(self) -> None:
        self._driver = open_driver(self._job.connection)

    def teardown(self) -> None:
        self._driver.close()

    def process(self, batch: Sequence[Structured]) -> Iterator[Any]:
        begin = time.perf_counter()
        try:
            self._write(batch)
            results: list[Any] = list(batch)
        except (ServiceUnavailable, SessionExpired):
            raise  # the graph is gone: no document's fault, and Beam retries the bundle
        except (Neo4jError, DriverError, KeyError, ValueError, TypeError):
            results = list(self._one_by_one(batch))
        add_seconds("write", time.perf_counter() - begin)
        yield from results

    def _one_by_one(self, batch: Sequence[Structured]) -> Iterator[Any]:
        for document in batch:
            try:
                self._write([document])
            except (Neo4jError, DriverError, KeyError, ValueError, TypeError) as error:
                yield pvalue.TaggedOutput("dead", letter("write", document, error))
            else:
                yield document

    def _write(self, documents: Sequence[Structured]) -> None:
        if documents:
            write(self._driver, self._job.connection.database, self._job.schema, documents, self._job.now)


class WriteGraph(beam.PTransform):
    """Structured → (written, dead): Structured again, once the graph has it."""

    def __init__(self, job: WriteJob) -> None:
        super().__init__()
        self._job = job

    def expand(self, documents: beam.PCollection) -> Any:
        """Collect batches and write them."""
        split = (
            documents
            | "Batch" >> beam.BatchElements(min_batch_size=BATCH, max_batch_size=BATCH)
            | "Write" >> beam.ParDo(_WriteDoFn(self._job)).with_outputs("dead", main="good")
        )
        return split.good, split.dead
