"""Queries as of a time: the graph's evidence and mentions that stood then, and the history of what went since.

Entities are those of today, merges included, and go by today's names; one that is gone, by the best that it had.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from kg_sink.connection import GraphError
from kg_sink.model import name_order
from kg_sink.queries import NAMED, find_entities, run_query
from kg_sink.round_trips import pieces
from kg_sink.server import Connection

Row = dict[str, Any]

_LIVE = """
MATCH (s)<-[:SUPPORTS]-(v:Evidence) WHERE v.first_seen <= $at
MATCH (s)-[:HEAD]->(h:Entity)
MATCH (s)-[:TAIL]->(t:Entity)
MATCH (v)-[:FROM]->(d:Document)
RETURN v.id AS id, s.id AS statement, s.relation AS relation, h.id AS head, h.name AS head_name, h.type AS head_type,
       t.id AS tail, t.name AS tail_name, t.type AS tail_type, v.text AS text, d.title AS title, d.uri AS uri,
       v.start AS start, v.end AS end, v.confidence AS confidence, v.model AS model
"""
_PAST = """
MATCH (p:PastEvidence {{{slot}: key}}) WHERE p.first_seen <= $at AND p.until > $at
RETURN p.id AS id, p.statement AS statement, p.relation AS relation, p.head AS head, p.head_name AS head_name,
       p.head_type AS head_type, p.tail AS tail, p.tail_name AS tail_name, p.tail_type AS tail_type, p.text AS text,
       p.title AS title, p.uri AS uri, p.start AS start, p.end AS end, p.confidence AS confidence, p.model AS model
"""
_EACH = "UNWIND $keys AS key "
_OF_STATEMENTS = (
    _EACH + "MATCH (s:Statement {id: key}) WITH s" + _LIVE,
    _EACH + _PAST.format(slot="statement"),
)
_OF_ENTITIES = (
    _EACH + "MATCH (:Entity {id: key})<-[:HEAD|TAIL]-(s:Statement) WITH DISTINCT s" + _LIVE,
    _EACH + _PAST.format(slot="head"),
    _EACH + _PAST.format(slot="tail"),
)
_MENTIONS = (
    """
    MATCH (e:Entity)-[m:MENTIONED_IN]->(d:Document) WHERE m.first_seen <= $at
    RETURN e.id AS id, e.type AS type, e.name AS name, m.subtypes AS subtypes, d.id AS document
    """,
    """
    MATCH (p:PastMention) WHERE p.first_seen <= $at AND p.until > $at
    RETURN p.entity AS id, p.type AS type, p.name AS name, p.subtypes AS subtypes, p.document AS document
    """,
)
_FIND = """
MATCH (p:PastMention) WHERE p.first_seen <= $at AND p.until > $at
  AND ($text IN [p.entity, p.said] OR toLower(p.name) = toLower($text)
       OR any(s IN p.names WHERE toLower(s) = toLower($text)))
RETURN p.entity AS id, p.type AS type, p.name AS name, count(p) AS documents ORDER BY documents DESC, id
"""
#: What was replaced or withdrawn since is in the history alone.
_RUNS = tuple(
    f"""
    MATCH (v:{label})
    RETURN v.first_seen AS time, v.model AS model, count(v) AS evidence ORDER BY time DESC, model LIMIT $limit
    """
    for label in ("Evidence", "PastEvidence")
)


def runs(connection: Connection, limit: int) -> list[Row]:
    """The runs that brought something new, latest first: time, model and pieces of evidence."""
    pieces_of: Counter[tuple[str, str]] = Counter()
    for query in _RUNS:
        for row in run_query(connection, query, {"limit": limit}):
            pieces_of[row["time"], row["model"]] += row["evidence"]
    latest = sorted(sorted(pieces_of, key=lambda run: run[1]), key=lambda run: run[0], reverse=True)[:limit]
    return [{"time": time, "model": model, "evidence": pieces_of[time, model]} for time, model in latest]


def find_entities_then(connection: Connection, text: str, at: str) -> list[Row]:
    """The entities that an id, a name or a spelling means now, or else meant at a time.

    Raises:
        GraphError: there is none; names the nearest ones.
    """
    try:
        return find_entities(connection, text)
    except GraphError:
        found = run_query(connection, _FIND, {"text": text, "at": at})
        if found:
            return found
        raise


def entities_then(connection: Connection, at: str, kind: str | None = None, name: str | None = None) -> list[Row]:
    """Entities that documents mentioned at a time, those in most documents first."""
    live, past = (run_query(connection, query, {"at": at}) for query in _MENTIONS)
    entities: dict[str, Row] = {}
    documents: dict[str, set[str]] = defaultdict(set)
    for row in (*live, *_as_today(connection, past, [("id", "type", "name")])):
        if kind in (None, row["type"], *(row["subtypes"] or ())) and (name or "").lower() in row["name"].lower():
            entities[row["id"]] = {slot: row[slot] for slot in ("id", "type", "name")}
            documents[row["id"]].add(row["document"])
    rows = [{**entity, "documents": len(documents[key])} for key, entity in entities.items()]
    return sorted(rows, key=lambda row: (-row["documents"], row["name"], row["id"]))


def evidence_then(connection: Connection, at: str, statements: Sequence[str]) -> list[Row]:
    """The evidence of statements (ids) at a time, surest first."""
    return _read(connection, _OF_STATEMENTS, statements, at)


def about_then(connection: Connection, at: str, entity: str) -> list[Row]:
    """What was stated of an entity (id) at a time, surest first: a row a statement."""
    return stated(_read(connection, _OF_ENTITIES, [entity], at))


def step_then(connection: Connection, at: str, entities: Sequence[str]) -> list[Row]:
    """The statements about entities (ids) at a time, as a search outwards takes them (`queries.STEP`)."""
    return list({row["statement"]: row for row in _read(connection, _OF_ENTITIES, entities, at)}.values())


def stated(evidence: Sequence[Row]) -> list[Row]:
    """Evidence rows → a row for each statement, surest first."""
    by_statement: dict[str, list[Row]] = defaultdict(list)
    for row in evidence:
        by_statement[row["statement"]].append(row)
    rows = [
        {
            "statement": key,
            "head": found[0]["head_name"],
            "relation": found[0]["relation"],
            "tail": found[0]["tail_name"],
            "confidence": found[0]["confidence"],
            "evidence": len(found),
        }
        for key, found in by_statement.items()
    ]
    return sorted(rows, key=lambda row: (-row["confidence"], row["statement"]))


def _read(connection: Connection, queries: Sequence[str], keys: Sequence[str], at: str) -> list[Row]:
    live, *past = (run_query(connection, query, {"keys": list(keys), "at": at}) for query in queries)
    gone = list({row["id"]: row for rows in past for row in rows}.values())
    ends = [(end, f"{end}_type", f"{end}_name") for end in ("head", "tail")]
    found = [*live, *_as_today(connection, gone, ends)]
    return sorted(found, key=lambda row: (-row["confidence"], row["uri"], row["start"], row["id"]))


def _as_today(connection: Connection, rows: list[Row], slots: Sequence[tuple[str, str, str]]) -> list[Row]:
    """Rows of history, with one type and name for each entity: `slots` are those of its id, its type and its name."""
    names: dict[str, tuple[str, str]] = {}
    for row in rows:
        for key, kind, name in slots:
            then = row[kind], row[name] or row[key]
            names[row[key]] = min(then, names.get(row[key], then), key=lambda known: name_order(known[1]))
    for piece in pieces(sorted(names)):
        today = run_query(connection, NAMED.cypher, {"ids": piece})
        names.update((row["id"], (row["type"], row["name"])) for row in today)
    return [
        row | {slot: value for key, *kept in slots for slot, value in zip(kept, names[row[key]], strict=True)}
        for row in rows
    ]
