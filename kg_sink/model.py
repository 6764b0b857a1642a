"""The graph model: constraints, and the Cypher that writes each kind of row. Drawn in docs/graph-model.md.

Every write is by key, and every property that several documents set is set by a rule that does not depend on their
order: the same rows, in any order and any number of times, make the same graph. Labels and relationship types come
from the schema, whose names were checked when it was read; nothing else is ever composed into Cypher.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from transforms.records import Structured
from transforms.schema import Schema

Row = dict[str, Any]

CONSTRAINTS = tuple(
    f"CREATE CONSTRAINT tripleflow_{label.lower()}_id IF NOT EXISTS FOR (n:{label}) REQUIRE n.id IS UNIQUE"
    for label in ("Document", "Entity", "Statement", "Evidence")
)
INDEXES = (
    "CREATE INDEX tripleflow_document_uri IF NOT EXISTS FOR (n:Document) ON (n.uri)",
    "CREATE INDEX tripleflow_entity_name IF NOT EXISTS FOR (n:Entity) ON (n.name)",
    "CREATE INDEX tripleflow_entity_type IF NOT EXISTS FOR (n:Entity) ON (n.type)",
    "CREATE INDEX tripleflow_evidence_created IF NOT EXISTS FOR (n:Evidence) ON (n.created)",
)

DOCUMENTS = """
UNWIND $rows AS row
MERGE (d:Document {id: row.id})
  ON CREATE SET d.created = $now
SET d += row.properties
"""

ATTACHMENTS = """
UNWIND $rows AS row
MERGE (d:Document {id: row.id})
  ON CREATE SET d.created = $now
MERGE (p:Document {id: row.parent})
  ON CREATE SET p.created = $now
MERGE (d)-[:ATTACHED_TO]->(p)
"""

# What the graph has already is read first, and the rest made without looking again: most of a new document is new.
# Two writers that make the same node at once meet in its constraint, and `writing` tries again.
KNOWN_DOCUMENTS = "UNWIND $ids AS id MATCH (d:Document {id: id}) RETURN d.id AS id"
KNOWN_ENTITIES = """
UNWIND $ids AS id
MATCH (e:Entity {id: id})
RETURN e.id AS id, e.name AS name, [e.type, e.register_id, e.value, e.number, e.unit] AS properties
"""
KNOWN_STATEMENTS = """
UNWIND $ids AS id
MATCH (s:Statement {id: id})
OPTIONAL MATCH (s)<-[:SUPPORTS]-(v:Evidence)
RETURN s.id AS id, max(v.confidence) AS confidence
"""

_PROPERTIES = ("type", "register_id", "value", "number", "unit")

# Labels are set where the node is made: a server that keeps labels in a record's class (ArcadeDB) cannot change
# them under a constraint, and looks a MERGE on two labels up without an index.
ENTITIES = """
UNWIND $rows AS row
CREATE (e:Entity:`{type}` {{id: row.id, name: row.name, created: $now}})
SET e += row.properties
"""

# The longest name wins, then the first in the alphabet: so the order of documents does not matter.
PROPERTIES = """
UNWIND $rows AS row
MATCH (e:Entity {id: row.id})
SET e += row.properties
SET e.name = CASE
  WHEN e.name IS NULL OR size(row.name) > size(e.name) OR (size(row.name) = size(e.name) AND row.name < e.name)
  THEN row.name ELSE e.name END
"""

# `make` is MERGE, or CREATE for a document that is new. From the document: ArcadeDB walks the edges of the first
# node of a MERGE, and an entity may be in every document there is.
MENTIONS = """
UNWIND $rows AS row
MATCH (e:Entity {{id: row.entity}})
MATCH (d:Document {{id: row.document}})
{make} (d)<-[m:MENTIONED_IN]-(e)
SET m += row.properties
"""

STATEMENTS = """
UNWIND $rows AS row
MATCH (h:Entity {{id: row.head}})
MATCH (t:Entity {{id: row.tail}})
CREATE (h)<-[:HEAD]-(:Statement {{id: row.id, relation: row.relation, created: $now}})-[:TAIL]->(t),
       (h)-[:`{relation}` {{id: row.id, confidence: row.confidence}}]->(t)
"""

SURER = """
UNWIND $rows AS row
MATCH (h:Entity {{id: row.head}})
MATCH (t:Entity {{id: row.tail}})
MATCH (t)<-[r:`{relation}` {{id: row.id}}]-(h)
SET r.confidence = CASE WHEN row.confidence > r.confidence THEN row.confidence ELSE r.confidence END
"""

EVIDENCE = """
UNWIND $rows AS row
MATCH (s:Statement {{id: row.statement}})
MATCH (d:Document {{id: row.document}})
{make} (v:Evidence {{id: row.id}})
SET v.created = coalesce(v.created, $now), v += row.properties
{make} (v)-[:SUPPORTS]->(s)
{make} (v)-[:FROM]->(d)
"""


@dataclass(frozen=True, slots=True)
class Write:
    """One round trip: a Cypher statement and its rows."""

    cypher: str
    rows: list[Row]


#: Runs a query of `$ids` in the transaction that writes, and gives its rows.
Read = Callable[[str, list[str]], list[Row]]


def writes(documents: Iterable[Structured], schema: Schema, read: Read) -> list[Write]:
    """The round trips that write documents: one a kind, and one for each entity type and relation that occurs.

    `read` is asked what of them the graph has already.

    Raises:
        KeyError: an entity type or a relation is not the schema's.
    """
    documents = list(documents)
    known = {row["id"] for row in read(KNOWN_DOCUMENTS, sorted({_id(found) for found in documents}))}
    statements = _statement_rows(documents)
    mentions = {(e.id, _id(found)): _mention_row(e, _id(found)) for found in documents for e in found.resolved.entities}
    evidence = {piece.id: _evidence_row(piece) for found in documents for piece in found.evidence}
    ordered = [
        Write(DOCUMENTS, [_document_row(found) for found in documents]),
        Write(ATTACHMENTS, [_attachment_row(found) for found in documents if found.resolved.analysis.document.parent]),
        *_entity_writes(_entity_rows(documents), schema, read),
        *_made(MENTIONS, mentions.values(), known),
        *_statement_writes(statements, schema, read),
        *_made(EVIDENCE, evidence.values(), known),
    ]
    # Rows in the order of their keys: writers that meet take their locks in the same order.
    return [Write(w.cypher, sorted(w.rows, key=_order)) for w in ordered if w.rows]


def _made(cypher: str, rows: Iterable[Row], known: set[str]) -> list[Write]:
    """What documents alone have: a new document's is created, a known one's merged."""
    rows = list(rows)
    return [
        Write(cypher.format(make="CREATE"), [row for row in rows if row["document"] not in known]),
        Write(cypher.format(make="MERGE"), [row for row in rows if row["document"] in known]),
    ]


def _entity_writes(rows: dict[str, Row], schema: Schema, read: Read) -> list[Write]:
    """New entities by type; of the known, those that get another property or a better name."""
    known = {row["id"]: row for row in read(KNOWN_ENTITIES, sorted(rows))}
    new: dict[str, list[Row]] = defaultdict(list)
    changed = []
    for key, row in rows.items():
        kind = schema.entities[row["properties"]["type"]].name
        if key not in known:
            new[kind].append(row)
        elif not _says(known[key], row):
            changed.append(row)
    created = [Write(ENTITIES.format(type=kind), made) for kind, made in sorted(new.items())]
    return [*created, Write(PROPERTIES, changed)]


def _says(known: Row, row: Row) -> bool:
    """Whether writing an entity's row would leave what is known of it as it is."""
    name, properties = known["name"] or "", dict(zip(_PROPERTIES, known["properties"], strict=True))
    return row["properties"].items() <= properties.items() and name_order(name) <= name_order(row["name"])


def _statement_writes(rows: dict[str, Row], schema: Schema, read: Read) -> list[Write]:
    """New statements by relation; of the known, those that are surer now."""
    best = {row["id"]: row["confidence"] for row in read(KNOWN_STATEMENTS, sorted(rows))}
    by_cypher: dict[str, list[Row]] = defaultdict(list)
    for key, row in rows.items():
        cypher = (SURER if key in best else STATEMENTS).format(relation=schema.relations[row["relation"]].name)
        if key not in best or best[key] is None or row["confidence"] > best[key]:
            by_cypher[cypher].append(row)
    return [Write(cypher, found) for cypher, found in sorted(by_cypher.items())]


def _entity_rows(documents: Iterable[Structured]) -> dict[str, Row]:
    """Entities by id, each with the best of its names; properties of all documents."""
    rows: dict[str, Row] = {}
    for found in documents:
        for entity in found.resolved.entities:
            row = _entity_row(entity)
            before = rows.get(entity.id, row)
            name = min(before["name"], row["name"], key=name_order)
            rows[entity.id] = {**row, "name": name, "properties": before["properties"] | row["properties"]}
    return rows


def _statement_rows(documents: Iterable[Structured]) -> dict[str, Row]:
    """Statements by id, each as sure as the best of its evidence."""
    documents = list(documents)
    surest: dict[str, float] = {}
    for found in documents:
        for piece in found.evidence:
            surest[piece.statement] = max(surest.get(piece.statement, 0.0), piece.confidence)
    names = ("id", "head", "relation", "tail")
    return {
        statement.id: {**{name: getattr(statement, name) for name in names}, "confidence": surest[statement.id]}
        for found in documents
        for statement in found.statements
    }


def _id(found: Structured) -> str:
    return found.resolved.analysis.document.id


def _order(row: Row) -> str:
    return str(row.get("id") or row["entity"])


def _document_row(found: Structured) -> Row:
    document = found.resolved.analysis.document
    names = ("uri", "format", "title", "language", "date", "ocr")
    properties = {name: getattr(document, name) for name in names if getattr(document, name) is not None}
    return {"id": document.id, "properties": properties}


def _attachment_row(found: Structured) -> Row:
    document = found.resolved.analysis.document
    return {"id": document.id, "parent": document.parent}


def _entity_row(entity: Any) -> Row:
    properties = {name: getattr(entity, name) for name in _PROPERTIES if getattr(entity, name) is not None}
    return {"id": entity.id, "name": entity.name, "properties": properties}


def name_order(name: str) -> tuple[int, str]:
    """Sorts the name that an entity goes by first; the rule of `PROPERTIES`."""
    return -len(name), name


def _mention_row(entity: Any, document: str) -> Row:
    properties: Row = {"name": entity.name, "names": sorted(entity.aliases), "count": len(entity.mentions)}
    if entity.link_score is not None:
        properties["link_score"] = entity.link_score
    return {"entity": entity.id, "document": document, "properties": properties}


def _evidence_row(piece: Any) -> Row:
    names = ("text", "start", "end", "head_start", "head_end", "tail_start", "tail_end", "confidence", "model")
    return {
        "id": piece.id,
        "statement": piece.statement,
        "document": piece.document,
        "properties": {name: getattr(piece, name) for name in names},
    }
