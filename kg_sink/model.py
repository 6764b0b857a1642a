"""The graph model: the Cypher that writes each kind of row. Drawn in docs/graph-model.md.

Every write is by key, and every property that several documents set is set by a rule that does not
depend on their order: the same rows, in any order and any number of times, make the same graph. Labels and
relationship types come from the schema, whose names were checked when it was read; nothing else is ever
composed into Cypher.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from transforms.records import Analysis, Entity, Evidence, Statement, Structured
from transforms.schema import Schema

Row = dict[str, Any]
_NONE: Mapping[str, str] = MappingProxyType({})

# Answers with the time that a document was written last, of those that were there before.
DOCUMENTS = """
UNWIND $rows AS row
MERGE (d:Document {id: row.id})
  ON CREATE SET d.created = $now
WITH d, row, d.last_seen AS before
SET d += row.properties
SET d.last_seen = CASE WHEN before IS NULL OR before < $now THEN $now ELSE before END
RETURN row.id AS id, before
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

MENTIONS = """
UNWIND $rows AS row
MATCH (e:Entity {id: row.entity})
MATCH (d:Document {id: row.document})
MERGE (e)-[m:MENTIONED_IN {said: row.said, model: row.model}]->(d)
  ON CREATE SET m.first_seen = $now
SET m += row.properties
SET m.last_seen = CASE WHEN m.last_seen IS NULL OR m.last_seen < $now THEN $now ELSE m.last_seen END
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
  ON CREATE SET v.first_seen = $now
SET v += row.properties
SET v.last_seen = CASE WHEN v.last_seen IS NULL OR v.last_seen < $now THEN $now ELSE v.last_seen END
MERGE (v)-[:SUPPORTS]->(s)
MERGE (v)-[:FROM]->(d)
"""


@dataclass(frozen=True, slots=True)
class Write:
    """One round trip: a Cypher statement and its rows."""

    cypher: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Writes:
    """What documents come to: rows for `DOCUMENTS`, and the round trips that follow."""

    documents: list[Row]
    steps: list[Write]


def writes(
    documents: Iterable[Structured], schema: Schema, aliases: Mapping[str, str] = MappingProxyType({})
) -> Writes:
    """The round trips that write documents: one a kind, and one for each entity type and relation that occurs.

    `aliases` leads from ids of entities that were merged to those that they were merged into.

    Raises:
        KeyError: an entity type or a relation is not the schema's.
    """
    documents = list(documents)
    entities: dict[str, dict[str, Row]] = {}
    statements: dict[str, dict[str, Row]] = {}
    mentions: dict[tuple[str, str], Row] = {}
    evidence: list[Row] = []
    for found in documents:
        analysis = found.resolved.analysis
        for entity in found.resolved.entities:
            rows = entities.setdefault(schema.entities[entity.type].name, {})
            row = _entity_row(entity, aliases.get(entity.id, entity.id))
            rows[row["id"]] = _longer_named(rows.get(row["id"]), row)
            mentions[entity.id, analysis.document.id] = _mention_row(entity, row["id"], analysis)
        stated = {statement.id: statement for statement in found.statements}
        for piece in found.evidence:
            said = stated[piece.statement]
            row = _statement_row(said, aliases, piece.confidence)
            rows = statements.setdefault(schema.relations[said.relation].name, {})
            rows[row["id"]] = _surer(rows.get(row["id"]), row)
            evidence.append(_evidence_row(piece, said, row["id"]))
    attached = [_attachment_row(found) for found in documents if found.resolved.analysis.document.parent]
    ordered = [
        Write(ATTACHMENTS, attached),
        *(Write(ENTITIES.format(type=kind), list(rows.values())) for kind, rows in sorted(entities.items())),
        Write(PROPERTIES, [row for rows in entities.values() for row in rows.values()]),
        Write(MENTIONS, list(mentions.values())),
        *(Write(STATEMENTS.format(relation=name), list(rows.values())) for name, rows in sorted(statements.items())),
        Write(EVIDENCE, evidence),
    ]
    # Rows in the order of their keys: writers that meet take their locks in the same order.
    sorted_rows = sorted((_document_row(found) for found in documents), key=_order)
    return Writes(sorted_rows, [Write(w.cypher, sorted(w.rows, key=_order)) for w in ordered if w.rows])


def _order(row: Row) -> str:
    return str(row.get("id") or row["entity"])


def _document_row(found: Structured) -> Row:
    document = found.resolved.analysis.document
    names = ("uri", "format", "title", "language", "date", "ocr")
    properties = {name: getattr(document, name) for name in names if getattr(document, name) is not None}
    return {"id": document.id, "properties": properties | {"source": document.source or document.uri}}


def _attachment_row(found: Structured) -> Row:
    document = found.resolved.analysis.document
    return {"id": document.id, "parent": document.parent}


def _entity_row(entity: Entity, key: str) -> Row:
    properties: Row = {"type": entity.type}
    for name in ("register_id", "value", "number", "unit"):
        if getattr(entity, name) is not None:
            properties[name] = getattr(entity, name)
    return {"id": key, "name": entity.name, "properties": properties}


def name_order(name: str) -> tuple[int, str]:
    """Sorts the name that an entity goes by first; the rule of `PROPERTIES`."""
    return -len(name), name


def _longer_named(one: Row | None, other: Row) -> Row:
    if one is None:
        return other
    return min(one, other, key=lambda row: name_order(row["name"]))


def _mention_row(entity: Entity, key: str, analysis: Analysis) -> Row:
    properties: Row = {"name": entity.name, "names": sorted(entity.aliases), "count": len(entity.mentions)}
    if entity.link_score is not None:
        properties["link_score"] = entity.link_score
    place = {"entity": key, "said": entity.id, "document": analysis.document.id, "model": analysis.model}
    return place | {"properties": properties}


def _statement_row(said: Statement, aliases: Mapping[str, str], confidence: float) -> Row:
    head, tail = aliases.get(said.head, said.head), aliases.get(said.tail, said.tail)
    key = Statement.make_id(head, said.relation, tail)
    return {"id": key, "head": head, "relation": said.relation, "tail": tail, "confidence": confidence}


def _surer(one: Row | None, other: Row) -> Row:
    return other if one is None or one["confidence"] < other["confidence"] else one


def _evidence_row(piece: Evidence, said: Statement, statement: str) -> Row:
    names = ("text", "start", "end", "head_start", "head_end", "tail_start", "tail_end", "confidence", "model")
    properties = {name: getattr(piece, name) for name in names}
    # As the document says it, whatever the entities were merged into since: a merge can be undone.
    properties |= {"head": said.head, "relation": said.relation, "tail": said.tail}
    return {"id": piece.id, "statement": statement, "document": piece.document, "properties": properties}
