"""The graph model: constraints, and the Cypher that writes each kind of row. Drawn in docs/graph-model.md.

Every write is by key, and every property that several documents set is set by a rule that does not
depend on their order: the same rows, in any order and any number of times, make the same graph. Labels and
relationship types come from the schema, whose names were checked when it was read; nothing else is ever
composed into Cypher.
"""

from __future__ import annotations

from collections.abc import Iterable
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

# Labels are set where the node is made: a server that keeps labels in a record's class (ArcadeDB) cannot change
# them under a constraint, and looks a MERGE on two labels up without an index. Two writers that make the same
# node at once meet in the constraint, and `writing` tries again.
ENTITIES = """
UNWIND $rows AS row
OPTIONAL MATCH (known:Entity {{id: row.id}})
WITH row, known WHERE known IS NULL
CREATE (:Entity:`{type}` {{id: row.id, created: $now}})
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

# Written from the document: ArcadeDB walks the edges of the first node of a MERGE, and an entity may be in every
# document there is.
MENTIONS = """
UNWIND $rows AS row
MATCH (e:Entity {id: row.entity})
MATCH (d:Document {id: row.document})
MERGE (d)<-[m:MENTIONED_IN]-(e)
SET m += row.properties
"""

STATEMENTS = """
UNWIND $rows AS row
MATCH (h:Entity {{id: row.head}})
MATCH (t:Entity {{id: row.tail}})
MERGE (s:Statement {{id: row.id}})
  ON CREATE SET s.created = $now, s.relation = row.relation
MERGE (s)-[:HEAD]->(h)
MERGE (s)-[:TAIL]->(t)
MERGE (h)-[r:`{relation}` {{id: row.id}}]->(t)
SET r.confidence = CASE
  WHEN r.confidence IS NULL OR row.confidence > r.confidence THEN row.confidence ELSE r.confidence END
"""

EVIDENCE = """
UNWIND $rows AS row
MATCH (s:Statement {id: row.statement})
MATCH (d:Document {id: row.document})
MERGE (v:Evidence {id: row.id})
  ON CREATE SET v.created = $now
SET v += row.properties
MERGE (v)-[:SUPPORTS]->(s)
MERGE (v)-[:FROM]->(d)
"""


@dataclass(frozen=True, slots=True)
class Write:
    """One round trip: a Cypher statement and its rows."""

    cypher: str
    rows: list[Row]


def writes(documents: Iterable[Structured], schema: Schema) -> list[Write]:
    """The round trips that write documents: one a kind, and one for each entity type and relation that occurs.

    Raises:
        KeyError: an entity type or a relation is not the schema's.
    """
    documents = list(documents)
    entities: dict[str, dict[str, Row]] = {}
    statements: dict[str, dict[str, Row]] = {}
    mentions: list[Row] = []
    evidence: list[Row] = []
    for found in documents:
        document = found.resolved.analysis.document.id
        for entity in found.resolved.entities:
            rows = entities.setdefault(schema.entities[entity.type].name, {})
            row = _entity_row(entity)
            rows[entity.id] = _longer_named(rows.get(entity.id), row)
            mentions.append(_mention_row(entity, document))
        surest: dict[str, float] = {}
        for piece in found.evidence:
            surest[piece.statement] = max(surest.get(piece.statement, 0.0), piece.confidence)
            evidence.append(_evidence_row(piece))
        for statement in found.statements:
            rows = statements.setdefault(schema.relations[statement.relation].name, {})
            before = rows.get(statement.id, {"confidence": 0.0})["confidence"]
            rows[statement.id] = {
                "id": statement.id,
                "head": statement.head,
                "relation": statement.relation,
                "tail": statement.tail,
                "confidence": max(before, surest[statement.id]),
            }
    parents = [_attachment_row(found) for found in documents if found.resolved.analysis.document.parent]
    ordered = [
        Write(DOCUMENTS, [_document_row(found) for found in documents]),
        Write(ATTACHMENTS, parents),
        *(Write(ENTITIES.format(type=kind), list(rows.values())) for kind, rows in sorted(entities.items())),
        Write(PROPERTIES, [row for rows in entities.values() for row in rows.values()]),
        Write(MENTIONS, mentions),
        *(Write(STATEMENTS.format(relation=name), list(rows.values())) for name, rows in sorted(statements.items())),
        Write(EVIDENCE, evidence),
    ]
    # Rows in the order of their keys: writers that meet take their locks in the same order.
    return [Write(w.cypher, sorted(w.rows, key=_order)) for w in ordered if w.rows]


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
    properties = {"type": entity.type}
    for name in ("register_id", "value", "number", "unit"):
        if getattr(entity, name) is not None:
            properties[name] = getattr(entity, name)
    return {"id": entity.id, "name": entity.name, "properties": properties}


def name_order(name: str) -> tuple[int, str]:
    """Sorts the name that an entity goes by first; the rule of `PROPERTIES`."""
    return -len(name), name


def _longer_named(one: Row | None, other: Row) -> Row:
    if one is None:
        return other
    return min(one, other, key=lambda row: name_order(row["name"]))


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
