"""Write: structured documents → the graph, a batch of documents in one transaction.

The driver repeats a transaction on errors that it calls retryable. A batch that fails for good is tried again
document by document, so that one bad document harms no other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from neo4j import Driver, ManagedTransaction
from neo4j.exceptions import DriverError, Neo4jError, ServiceUnavailable, SessionExpired

from kg_sink.aliases import any_merged, current_ids, merged_into
from kg_sink.connection import open_driver
from kg_sink.history import present
from kg_sink.messages import latest
from kg_sink.model import DOCUMENTS, Row, Write, document_rows, entity_writes, writes
from kg_sink.naming import rename, settle_names
from kg_sink.retracting import retract_replaced, retract_unsaid
from kg_sink.retyping import retype
from kg_sink.round_trips import MetError, each, settled
from kg_sink.server import Connection
from transforms.counting import add_seconds
from transforms.dead_letters import document_of, letter
from transforms.records import Structured
from transforms.resolving import HEADERS
from transforms.schema import Schema

#: Seconds that one transaction should take: batches grow and shrink towards it with what the server answers.
BATCH_SECONDS = 0.5
#: The graph is gone: no document's fault, and Beam retries the bundle.
_LOST = (ServiceUnavailable, SessionExpired)
#: What else a document may be to blame for: among others text that is no Unicode, and whole numbers beyond 64 bits.
_REFUSED = (Neo4jError, DriverError, MetError, KeyError, ValueError, TypeError, OverflowError)
#: Rows that a batch holds at most, whatever the server's speed.
BATCH_ROWS = 20_000
#: Where batches wait for a time: seconds, and documents that a batch holds at most, since Beam counts no rows then.
WAIT_SECONDS, BATCH_DOCUMENTS = 1, 200


def write(
    driver: Driver,
    database: str,
    schema: Schema,
    documents: Iterable[Structured],
    now: str,
    *,
    replace_models: bool = False,
) -> list[Structured]:
    """Write documents in one transaction, in place of their earlier versions (the same URI, another text).

    Returns what was written: all but what a later message has overtaken (`messages.latest`).

    What an earlier run of the same model said of a document, and this one does not, goes; with `replace_models`,
    what other models said goes too. `now` (`history.stamp`) is stored as the time at which all this was seen.

    Raises:
        Neo4jError, DriverError: the server refused, or could not be reached through all retries.
    """
    given = list(documents)

    def work(tx: ManagedTransaction) -> list[Structured]:
        documents = _latest(latest(tx, given))
        planned = document_rows(documents)
        ids = {entity.id for found in documents for entity in found.resolved.entities}
        merges = any_merged(tx)
        aliases = current_ids(tx, ids) if merges else {}
        before = each(tx, DOCUMENTS, planned, now=now)
        # Whoever wrote these documents before us has committed: their rows were locked until then.
        known = {row["id"] for row in before if row["before"] is not None}
        read = partial(each, tx, name="ids")
        steps, nodes, types = entity_writes(documents, schema, read, aliases)
        nodes |= retype(tx, types)
        for step in steps:
            nodes |= {key: node for answer in _take(tx, step, now) for key, node in answer.get("nodes", ())}
        steps = writes(documents, schema, read, nodes, known, aliases)
        renamed = {key for step in steps for answer in _take(tx, step, now) for key in answer.get("renamed", ())}
        settle_names(tx, renamed)
        if merges:
            rename(tx, merged_into(tx, {aliases.get(key, key) for key in ids}))
        retract_replaced(tx, [{"id": row["id"], "uri": row["properties"]["uri"]} for row in planned], now)
        said = {document_of(found).id: _said(found) for found in documents}
        retract_unsaid(tx, {key: said[key] for key in known}, now, all_models=replace_models)
        return documents

    with driver.session(database=database) as session:
        return settled(session, work)


def _take(tx: ManagedTransaction, step: Write, now: str) -> list[Row]:
    answers = each(tx, step.cypher, step.rows, now=now)
    made = sum(answer["made"] for answer in answers)
    if made < len(step.rows):
        raise MetError(f"of {len(step.rows)} rows only {made} found their nodes: another writer took them out")
    return answers


def _latest(documents: Iterable[Structured]) -> list[Structured]:
    """Of versions of one document in one batch, the last."""
    documents = list(documents)
    last = {d.uri: d.id for d in map(document_of, documents)}
    return [f for f in documents if last[document_of(f).uri] == document_of(f).id]


def _said(found: Structured) -> dict[str, set[str]]:
    return {
        "evidence": {piece.id for piece in found.evidence},
        # Headers are read by every run, whether they state anything or not.
        "models": {found.resolved.analysis.model, HEADERS, *(piece.model for piece in found.evidence)},
        "mentions": {entity.id for entity in found.resolved.entities},
    }


def rows_of(found: Structured) -> int:
    """About how many rows a document comes to; what batches are measured by."""
    return 1 + 2 * len(found.resolved.entities) + len(found.statements) + len(found.evidence)


@dataclass(frozen=True)
class WriteJob:
    """What a worker needs to write."""

    connection: Connection
    schema: Schema
    now: str | None  # the time at which the run began; without it, in a stream, that of each write
    replace_models: bool = False


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
            results: list[Any] = self._write(batch)
        except _LOST:
            raise
        except _REFUSED:
            results = list(self._one_by_one(batch))
        add_seconds("write", time.perf_counter() - begin, len(batch))
        yield from results

    def _one_by_one(self, batch: Sequence[Structured]) -> Iterator[Any]:
        for document in batch:
            try:
                yield from self._write([document])
            except _LOST:
                raise
            except _REFUSED as error:
                yield pvalue.TaggedOutput("dead", letter("write", document, error))

    def _write(self, documents: Sequence[Structured]) -> list[Structured]:
        if not documents:
            return []
        job = self._job
        database, now = job.connection.database, job.now or present()
        return write(self._driver, database, job.schema, documents, now, replace_models=job.replace_models)


class WriteGraph(beam.PTransform):
    """Structured → (written, dead): Structured again, once the graph has it."""

    def __init__(self, job: WriteJob, *, clocked: bool = False) -> None:
        """`clocked` bounds the wait for a full batch, which needs a runner with real-time timers."""
        super().__init__()
        self._job = job
        self._batches: dict[str, Any] = (
            {"max_batch_size": BATCH_DOCUMENTS, "max_batch_duration_secs": WAIT_SECONDS}
            if clocked
            else {"min_batch_size": 64, "max_batch_size": BATCH_ROWS, "element_size_fn": rows_of}
        )

    def expand(self, documents: beam.PCollection) -> Any:
        """Collect batches and write them."""
        split = (
            documents
            | "Batch" >> beam.BatchElements(target_batch_duration_secs=BATCH_SECONDS, **self._batches)
            | "Write" >> beam.ParDo(_WriteDoFn(self._job)).with_outputs("dead", main="good")
        )
        return split.good, split.dead
