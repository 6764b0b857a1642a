"""The graph model: the Cypher that writes each kind of row. Drawn in docs/graph-model.md.

Every write is by key, and every property that several documents set is set by a rule that does not
depend on their order: the same rows, in any order and any number of times, make the same graph. Labels and
relationship types come from the schema, whose names were checked when it was read; nothing else is ever
composed into Cypher.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
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
RETURN count(*) AS made
"""

# What the graph has already is read first, and the rest made without looking again: most of a new document is new.
# Two writers that make the same node at once meet in its constraint, and `writing` tries again.
# An entity is looked up by its key once in a transaction; from then on its element id leads there at once, and the
# key only says that it is still the same.
KNOWN_ENTITIES = """
UNWIND $ids AS id
MATCH (e:Entity {id: id})
RETURN e.id AS id, elementId(e) AS node, labels(e) AS labels, e.name AS name,
       [e.type, e.register_id, e.value, e.number, e.unit] AS properties
"""
KNOWN_STATEMENTS = """
UNWIND $ids AS id
MATCH (s:Statement {id: id})
RETURN s.id AS id, s.confidence AS confidence
"""

_PROPERTIES = ("type", "register_id", "value", "number", "unit")
_MENTION = ("name", "names", "count", "link_score", "subtypes")
_SAID = ("text", "start", "end", "head_start", "head_end", "tail_start", "tail_end", "confidence", "model")
_EVIDENCE = (*_SAID, "head", "relation", "tail")
_SEEN = "first_seen: $now, last_seen: $now"


def _copied(names: Iterable[str]) -> str:
    """Inside of a pattern: the row's properties of these names."""
    return ", ".join(f"{name}: row.properties.{name}" for name in names)


# Labels are set where the node is made: a server that keeps labels in a record's class (ArcadeDB) cannot change
# them under a constraint, and looks a MERGE on two labels up without an index.
ENTITIES = """
UNWIND $rows AS row
CREATE (e:Entity:`{type}` {{id: row.id, name: row.name, created: $now}})
SET e += row.properties
RETURN count(*) AS made, collect([row.id, elementId(e)]) AS nodes
"""
#: As `ENTITIES`, of those that are not there yet, without a name.
MAKE_ENTITIES = """
UNWIND $rows AS row
OPTIONAL MATCH (known:Entity {{id: row.id}})
WITH row, known WHERE known IS NULL
CREATE (:Entity:`{type}` {{id: row.id, type: row.type, created: $now}})
"""

# The longest name wins, then the first in the alphabet: so the order of documents does not matter.
PROPERTIES = """
UNWIND $rows AS row
MATCH (e:Entity {id: row.id})
SET e += row.properties
SET e.name = CASE
  WHEN e.name IS NULL OR size(row.name) > size(e.name) OR (size(row.name) = size(e.name) AND row.name < e.name)
  THEN row.name ELSE e.name END
RETURN count(*) AS made
"""

# Of a new document. Its properties stand in the pattern, since a `SET` would write each of them once more.
NEW_MENTIONS = f"""
UNWIND $rows AS row
MATCH (e:Entity {{id: row.entity}}) WHERE elementId(e) = row.node
MATCH (d:Document {{id: row.document}})
CREATE (e)-[:MENTIONED_IN {{said: row.said, model: row.model, {_copied(_MENTION)}, {_SEEN}}}]->(d)
RETURN count(*) AS made
"""
# Of a document that was there before. Answers with the entities that it called otherwise, or that the graph still calls
# otherwise than the register, whose entries have one name in all documents.
MENTIONS = """
UNWIND $rows AS row
MATCH (e:Entity {{id: row.entity}}) WHERE elementId(e) = row.node
MATCH (d:Document {{id: row.document}})
MERGE {pattern}
WITH m, row, m.name <> row.properties.name
  OR (e.register_id IS NOT NULL AND row.said = row.entity AND e.name <> row.properties.name) AS otherwise
SET m += row.properties
SET m.first_seen = coalesce(m.first_seen, $now)
SET m.last_seen = CASE WHEN m.last_seen IS NULL OR m.last_seen < $now THEN $now ELSE m.last_seen END
RETURN count(*) AS made, collect(CASE WHEN otherwise THEN row.entity END) AS renamed
"""

STATEMENTS = """
UNWIND $rows AS row
MATCH (h:Entity {{id: row.head}}) WHERE elementId(h) = row.head_node
MATCH (t:Entity {{id: row.tail}}) WHERE elementId(t) = row.tail_node
CREATE (h)<-[:HEAD]-(:Statement {{id: row.id, relation: row.relation, confidence: row.confidence,
                                  created: $now}})-[:TAIL]->(t),
       (h)-[:`{relation}` {{id: row.id, confidence: row.confidence}}]->(t)
RETURN count(*) AS made
"""

SURER = """
UNWIND $rows AS row
MATCH (h:Entity {{id: row.head}}) WHERE elementId(h) = row.head_node
MATCH (t:Entity {{id: row.tail}}) WHERE elementId(t) = row.tail_node
MATCH (t)<-[r:`{relation}` {{id: row.id}}]-(h)
MATCH (s:Statement {{id: row.id}})
SET r.confidence = CASE WHEN row.confidence > r.confidence THEN row.confidence ELSE r.confidence END
SET s.confidence = CASE WHEN row.confidence > s.confidence THEN row.confidence ELSE s.confidence END
RETURN count(*) AS made
"""

NEW_EVIDENCE = f"""
UNWIND $rows AS row
MATCH (s:Statement {{id: row.statement}})
MATCH (d:Document {{id: row.document}})
CREATE (d)<-[:FROM]-(:Evidence {{id: row.id, {_copied(_EVIDENCE)}, {_SEEN}}})-[:SUPPORTS]->(s)
RETURN count(*) AS made
"""
EVIDENCE = """
UNWIND $rows AS row
MATCH (s:Statement {id: row.statement})
MATCH (d:Document {id: row.document})
MERGE (v:Evidence {id: row.id})
SET v += row.properties
SET v.first_seen = coalesce(v.first_seen, $now)
SET v.last_seen = CASE WHEN v.last_seen IS NULL OR v.last_seen < $now THEN $now ELSE v.last_seen END
MERGE (v)-[:SUPPORTS]->(s)
MERGE (v)-[:FROM]->(d)
RETURN count(*) AS made
"""

# ArcadeDB walks the edges of a pattern's first node, one after another, for each row. An entity may be in every
# document there is, so the way goes from the document; but one that mentions more than `CROWDED` is worse.
CROWDED = 300
_FROM_DOCUMENT = "(d)<-[m:MENTIONED_IN {said: row.said, model: row.model}]-(e)"
_FROM_ENTITY = "(e)-[m:MENTIONED_IN {said: row.said, model: row.model}]->(d)"


@dataclass(frozen=True, slots=True)
class Write:
    """One round trip: a Cypher statement and its rows. It answers with how many it wrote (`made`): all, unless a node
    that it needs was taken out by another writer."""

    cypher: str
    rows: list[Row]


#: Runs a query of `$ids` in the transaction that writes, and gives its rows.
Read = Callable[[str, list[str]], list[Row]]


def document_rows(documents: Iterable[Structured]) -> list[Row]:
    """Rows of `DOCUMENTS`, which comes first: its answer says which documents are new."""
    return sorted((_document_row(found) for found in documents), key=_order)


def entity_writes(
    documents: Iterable[Structured], schema: Schema, read: Read, aliases: Mapping[str, str] = _NONE
) -> tuple[list[Write], dict[str, str], dict[str, str]]:
    """The round trips that write the entities of documents, where those are (id → `node`) that the graph has, and
    which of these need another type first (id → type), since the register says so now (`retyping.retype`).

    Writes of new entities answer with where they are too, as pairs in `nodes`. The parameters are those of `writes`.

    Raises:
        KeyError: an entity type is not the schema's.
    """
    rows: dict[str, Row] = {}
    for found in documents:
        for entity in found.resolved.entities:
            row = _entity_row(entity, aliases.get(entity.id, entity.id))
            rows[row["id"]] = _both(rows.get(row["id"], row), row)
    known = {row["id"]: row for row in read(KNOWN_ENTITIES, sorted(rows))}
    nodes = {key: row["node"] for key, row in known.items()}
    return _ordered(_entity_writes(rows, schema, known)), nodes, _retyped(rows, known)


def writes(
    documents: Iterable[Structured],
    schema: Schema,
    read: Read,
    nodes: Mapping[str, str],
    known: Set[str] = frozenset(),
    aliases: Mapping[str, str] = _NONE,
) -> list[Write]:
    """The round trips that write the rest of what documents hold: one a kind, and one for each relation.

    `read` is asked what of it the graph has already; `nodes` says where the entities are (`entity_writes`); `known`
    are the documents (ids) that it had before; `aliases` leads from ids of entities that were merged to those that
    they were merged into.

    Raises:
        KeyError: a relation is not the schema's.
    """
    documents = list(documents)
    statements: dict[str, Row] = {}
    mentions: dict[tuple[str, str, str], Row] = {}
    evidence: dict[str, Row] = {}
    for found in documents:
        analysis = found.resolved.analysis
        for entity in found.resolved.entities:
            key = aliases.get(entity.id, entity.id)
            row = _mention_row(entity, key, analysis) | {"node": nodes.get(key)}
            mentions[entity.id, analysis.document.id, analysis.model] = row
        stated = {statement.id: statement for statement in found.statements}
        for piece in found.evidence:
            said = stated[piece.statement]
            row = _statement_row(said, aliases, piece.confidence)
            statements[row["id"]] = surer(statements.get(row["id"]), row)
            evidence[piece.id] = _evidence_row(piece, said, row["id"])
    for row in statements.values():
        row["relation"] = schema.relations[row["relation"]].name
    attached = [_attachment_row(found) for found in documents if found.resolved.analysis.document.parent]
    return _ordered(
        [
            Write(ATTACHMENTS, attached),
            *_mention_writes(mentions.values(), known),
            *statement_writes(statements, read, nodes),
            *_evidence_writes(evidence.values(), known),
        ]
    )


def _ordered(steps: Iterable[Write]) -> list[Write]:
    """Rows in the order of their keys: writers that meet take their locks in the same order."""
    return [Write(step.cypher, sorted(step.rows, key=_order)) for step in steps if step.rows]


def _mention_writes(rows: Iterable[Row], known: Set[str]) -> list[Write]:
    """What documents alone have: a new document's is created, a known one's merged."""
    rows = list(rows)
    crowded = crowded_documents(rows)
    old = [row for row in rows if row["document"] in known]
    return [
        Write(NEW_MENTIONS, [row for row in rows if row["document"] not in known]),
        Write(MENTIONS.format(pattern=_FROM_DOCUMENT), [row for row in old if row["document"] not in crowded]),
        Write(MENTIONS.format(pattern=_FROM_ENTITY), [row for row in old if row["document"] in crowded]),
    ]


def crowded_documents(rows: Iterable[Row]) -> set[str]:
    """Those documents (ids) of which more than `CROWDED` mentions are among rows."""
    return {document for document, count in Counter(row["document"] for row in rows).items() if count > CROWDED}


def _evidence_writes(rows: Iterable[Row], known: Set[str]) -> list[Write]:
    rows = list(rows)
    return [
        Write(NEW_EVIDENCE, [row for row in rows if row["document"] not in known]),
        Write(EVIDENCE, [row for row in rows if row["document"] in known]),
    ]


def _entity_writes(rows: dict[str, Row], schema: Schema, known: dict[str, Row]) -> list[Write]:
    """New entities by type; of the known, those that get another property or a better name."""
    new: dict[str, list[Row]] = defaultdict(list)
    changed = []
    for key, row in rows.items():
        kind = schema.entities[row["properties"]["type"]].name
        if key not in known:
            new[kind].append(row)
        elif not _says(known[key], row := _untyped(row)):
            changed.append(row)
    created = [Write(ENTITIES.format(type=kind), made) for kind, made in sorted(new.items())]
    return [*created, Write(PROPERTIES, changed)]


def _retyped(rows: Mapping[str, Row], known: Mapping[str, Row]) -> dict[str, str]:
    """Entities of the register that the graph has under another label: id → type."""
    types = {key: row["properties"]["type"] for key, row in rows.items() if "register_id" in row["properties"]}
    return {key: kind for key, kind in types.items() if key in known and kind not in known[key]["labels"]}


def _untyped(row: Row) -> Row:
    """An entity's row for one that is there: only the register changes its type, and `retyping` its label with it."""
    return {**row, "properties": {name: value for name, value in row["properties"].items() if name != "type"}}


def _says(known: Row, row: Row) -> bool:
    """Whether writing an entity's row would leave what is known of it as it is."""
    name, properties = known["name"] or "", dict(zip(_PROPERTIES, known["properties"], strict=True))
    return row["properties"].items() <= properties.items() and name_order(name) <= name_order(row["name"])


def statement_writes(rows: Mapping[str, Row], read: Read, nodes: Mapping[str, str]) -> list[Write]:
    """New statements (id → row) by relation; of the known, those that are surer now. `nodes` is as in `writes`.

    Relations become Cypher here: they must be names of a schema.
    """
    best = {row["id"]: row["confidence"] for row in read(KNOWN_STATEMENTS, sorted(rows))}
    by_cypher: dict[str, list[Row]] = defaultdict(list)
    for key, row in rows.items():
        cypher = (SURER if key in best else STATEMENTS).format(relation=row["relation"])
        if key not in best or best[key] is None or row["confidence"] > best[key]:
            ends = {"head_node": nodes.get(row["head"]), "tail_node": nodes.get(row["tail"])}
            by_cypher[cypher].append(row | ends)
    return [Write(cypher, found) for cypher, found in sorted(by_cypher.items())]


def _both(one: Row, other: Row) -> Row:
    """Two documents' rows of one entity: the better of its names, the properties of both, the register's before all."""
    name = min(one["name"], other["name"], key=name_order)
    less, more = sorted((one["properties"], other["properties"]), key=lambda found: "register_id" in found)
    return {**other, "name": name, "properties": less | more}


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
    properties = {name: getattr(entity, name) for name in _PROPERTIES if getattr(entity, name) is not None}
    return {"id": key, "name": entity.name, "properties": properties}


def name_order(name: str) -> tuple[int, str]:
    """Sorts the name that an entity goes by first; the rule of `PROPERTIES`."""
    return -len(name), name


def _mention_row(entity: Entity, key: str, analysis: Analysis) -> Row:
    properties: Row = {"name": entity.name, "names": sorted(entity.aliases), "count": len(entity.mentions)}
    # What is None takes away what an earlier run said.
    properties |= {"link_score": entity.link_score, "subtypes": list(entity.subtypes) or None}
    place = {"entity": key, "said": entity.id, "document": analysis.document.id, "model": analysis.model}
    return place | {"properties": properties}


def _statement_row(said: Statement, aliases: Mapping[str, str], confidence: float) -> Row:
    head, tail = aliases.get(said.head, said.head), aliases.get(said.tail, said.tail)
    key = Statement.make_id(head, said.relation, tail)
    return {"id": key, "head": head, "relation": said.relation, "tail": tail, "confidence": confidence}


def surer(one: Row | None, other: Row) -> Row:
    """Of two rows of one statement, the surer."""
    return other if one is None or one["confidence"] < other["confidence"] else one


def _evidence_row(piece: Evidence, said: Statement, statement: str) -> Row:
    properties = {name: getattr(piece, name) for name in _SAID}
    # As the document says it, whatever the entities were merged into since: a merge can be undone.
    properties |= {"head": said.head, "relation": said.relation, "tail": said.tail}
    return {"id": piece.id, "statement": statement, "document": piece.document, "properties": properties}
