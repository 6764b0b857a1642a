"""Other ways to write the same documents into a graph, to hold the sink against.

Each way is a function of a connection that gives a function of a batch of documents. They write less than the
sink does, which is to their favour: what each leaves out stands with it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from neo4j import ManagedTransaction

from kg_sink.connection import open_driver
from kg_sink.server import Connection
from kg_sink.writing import write
from transforms.records import Evidence, Structured
from transforms.schema import Schema

Row = dict[str, Any]
Writer = Callable[[list[Structured]], object]

_NOW = "2026-01-01T00:00:00+00:00"

# One round trip a triple. No statements, no documents, no second label.
_TRIPLE = """
MERGE (h:Entity {{id: $head.id}}) SET h += $head
MERGE (t:Entity {{id: $tail.id}}) SET t += $tail
MERGE (h)-[r:`{relation}` {{id: $id}}]->(t) SET r += $evidence
"""
_EVIDENCE = ("text", "start", "end", "head_start", "head_end", "tail_start", "tail_end", "confidence", "model")


@dataclass(frozen=True)
class _Loop:
    """The Cypher of a plain loop over the sink's rows; `{type}` and `{relation}` are filled in."""

    documents: str
    entities: str
    mentions: str
    statements: str
    evidence: str


# What a user would write first that can be run again: each node and edge by MERGE.
_MERGING = _Loop(
    "UNWIND $rows AS row MERGE (d:Document {id: row.id}) SET d += row",
    "UNWIND $rows AS row MERGE (e:Entity {{id: row.id}}) SET e += row",
    """
UNWIND $rows AS row
MATCH (e:Entity {id: row.entity})
MATCH (d:Document {id: row.document})
MERGE (e)-[m:MENTIONED_IN]->(d)
SET m.name = row.name, m.names = row.names, m.count = row.count
""",
    """
UNWIND $rows AS row
MATCH (h:Entity {{id: row.head}})
MATCH (t:Entity {{id: row.tail}})
MERGE (s:Statement {{id: row.id}})
SET s.relation = row.relation, s.created = $now
MERGE (h)<-[:HEAD]-(s)
MERGE (s)-[:TAIL]->(t)
MERGE (h)-[r:`{relation}` {{id: row.id}}]->(t)
SET r.confidence = row.confidence
""",
    """
UNWIND $rows AS row
MATCH (s:Statement {id: row.statement})
MATCH (d:Document {id: row.document})
MERGE (v:Evidence {id: row.properties.id})
SET v += row.properties
MERGE (v)-[:SUPPORTS]->(s)
MERGE (v)-[:FROM]->(d)
""",
)
# Faster, and good for one time: new documents only, the first name and confidence stay, and a replay would fail.
_CREATING = _Loop(
    "UNWIND $rows AS row CREATE (d:Document) SET d = row",
    """
UNWIND $rows AS row
OPTIONAL MATCH (known:Entity {{id: row.id}})
WITH row, known WHERE known IS NULL
CREATE (e:Entity:`{type}`) SET e = row
""",
    """
UNWIND $rows AS row
MATCH (e:Entity {id: row.entity})
MATCH (d:Document {id: row.document})
CREATE (e)-[:MENTIONED_IN {name: row.name, names: row.names, count: row.count}]->(d)
""",
    """
UNWIND $rows AS row
OPTIONAL MATCH (known:Statement {{id: row.id}})
WITH row, known WHERE known IS NULL
MATCH (h:Entity {{id: row.head}})
MATCH (t:Entity {{id: row.tail}})
CREATE (h)<-[:HEAD]-(:Statement {{id: row.id, relation: row.relation, created: $now}})-[:TAIL]->(t),
       (h)-[:`{relation}` {{id: row.id, confidence: row.confidence}}]->(t)
""",
    """
UNWIND $rows AS row
MATCH (s:Statement {id: row.statement})
MATCH (d:Document {id: row.document})
CREATE (v:Evidence) SET v = row.properties
CREATE (v)-[:SUPPORTS]->(s)
CREATE (v)-[:FROM]->(d)
""",
)


@contextmanager
def sink(connection: Connection, schema: Schema) -> Iterator[Writer]:
    """This project's sink."""
    with open_driver(connection) as driver:
        yield lambda batch: write(driver, connection.database, schema, batch, _NOW)


@contextmanager
def merging(connection: Connection, schema: Schema) -> Iterator[Writer]:
    """A bare loop of the driver's over the same rows, by UNWIND and MERGE, one transaction a batch."""
    with _bare(connection, _MERGING) as writer:
        yield writer


@contextmanager
def creating(connection: Connection, schema: Schema) -> Iterator[Writer]:
    """The bare loop by CREATE: as fast as a driver can, and for a graph that is written once."""
    with _bare(connection, _CREATING) as writer:
        yield writer


@contextmanager
def _bare(connection: Connection, loop: _Loop) -> Iterator[Writer]:
    with open_driver(connection) as driver, driver.session(database=connection.database) as session:

        def work(tx: ManagedTransaction, steps: list[tuple[str, list[Row]]]) -> None:
            for cypher, rows in steps:
                tx.run(cypher, rows=rows, now=_NOW).consume()

        yield lambda batch: session.execute_write(work, _bare_steps(batch, loop))


@contextmanager
def plain(connection: Connection, schema: Schema) -> Iterator[Writer]:
    """A round trip a triple, as it is written first."""
    with open_driver(connection) as driver, driver.session(database=connection.database) as session:

        def work(batch: list[Structured]) -> None:
            for found in batch:
                nodes = _nodes([found])
                for piece, head, relation, tail in _triples(found):
                    session.run(
                        _TRIPLE.format(relation=relation),
                        head=nodes[head],
                        tail=nodes[tail],
                        id=piece.statement,
                        evidence=_evidence(piece),
                    ).consume()

        yield work


@contextmanager
def graphrag(connection: Connection, schema: Schema) -> Iterator[Writer]:
    """The Neo4jWriter of neo4j-graphrag as it is. Each batch makes its entities anew: there is no key to merge by.

    Raises:
        ImportError: neo4j-graphrag is not installed.
        RuntimeError: the writer says that it failed; its error.
    """
    from neo4j_graphrag.components.kg_writer import Neo4jWriter
    from neo4j_graphrag.components.types import Neo4jGraph, Neo4jNode, Neo4jRelationship

    with open_driver(connection) as driver:
        writer = Neo4jWriter(driver, neo4j_database=connection.database)

        def work(batch: list[Structured]) -> None:
            nodes = [Neo4jNode(id=key, label=row["type"], properties=row) for key, row in _nodes(batch).items()]
            edges = [
                Neo4jRelationship(
                    start_node_id=head,
                    end_node_id=tail,
                    type=relation,
                    properties={"id": piece.statement, **_evidence(piece)},
                )
                for found in batch
                for piece, head, relation, tail in _triples(found)
            ]
            done = asyncio.run(writer.run(Neo4jGraph(nodes=nodes, relationships=edges)))
            if done.status != "SUCCESS":
                raise RuntimeError(str((done.metadata or {}).get("error", done.status)))

        yield work


def _bare_steps(batch: list[Structured], loop: _Loop) -> list[tuple[str, list[Row]]]:
    entities: dict[str, dict[str, Row]] = defaultdict(dict)
    statements: dict[str, dict[str, Row]] = defaultdict(dict)
    for key, row in _nodes(batch).items():
        entities[row["type"]][key] = {**row, "created": _NOW}
    for found in batch:
        for piece, head, relation, tail in _triples(found):
            row = {"head": head, "relation": relation, "tail": tail, "confidence": piece.confidence}
            statements[relation][piece.statement] = {"id": piece.statement, **row}
    return [
        (loop.documents, [_document(found) for found in batch]),
        *((loop.entities.format(type=kind), list(rows.values())) for kind, rows in entities.items()),
        (loop.mentions, [row for found in batch for row in _mentions(found)]),
        *((loop.statements.format(relation=name), list(rows.values())) for name, rows in statements.items()),
        (loop.evidence, [_evidence_row(piece) for found in batch for piece in found.evidence]),
    ]


def _nodes(batch: list[Structured]) -> dict[str, Row]:
    """Entities by id, each with the properties that it has in the sink."""
    rows: dict[str, Row] = {}
    for found in batch:
        for entity in found.resolved.entities:
            row = {"id": entity.id, "type": entity.type, "name": entity.name}
            rows[entity.id] = row if entity.value is None else {**row, "value": entity.value}
    return rows


def _triples(found: Structured) -> Iterator[tuple[Evidence, str, str, str]]:
    """(evidence, head, relation, tail) of all that a document states."""
    statements = {statement.id: statement for statement in found.statements}
    for piece in found.evidence:
        statement = statements[piece.statement]
        yield piece, statement.head, statement.relation, statement.tail


def _document(found: Structured) -> Row:
    document = found.resolved.analysis.document
    names = ("id", "uri", "format", "title", "language", "ocr")
    return {**{name: getattr(document, name) for name in names}, "created": _NOW}


def _mentions(found: Structured) -> Iterator[Row]:
    document = found.resolved.analysis.document.id
    for entity in found.resolved.entities:
        properties = {"name": entity.name, "names": list(entity.aliases), "count": len(entity.mentions)}
        yield {"entity": entity.id, "document": document, **properties}


def _evidence(piece: Evidence) -> Row:
    return {"document": piece.document, **{name: getattr(piece, name) for name in _EVIDENCE}}


def _evidence_row(piece: Evidence) -> Row:
    properties = {"id": piece.id, "created": _NOW, **{name: getattr(piece, name) for name in _EVIDENCE}}
    return {"statement": piece.statement, "document": piece.document, "properties": properties}
