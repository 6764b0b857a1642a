"""Ready queries, as Cypher with parameters, and the one function that runs any query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neo4j import READ_ACCESS, Driver, Query
from neo4j.exceptions import ClientError
from neo4j.graph import Node, Path, Relationship

from kg_sink.connection import GraphError, with_driver
from kg_sink.server import Connection

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready query: its parameters are those that its Cypher names."""

    name: str
    help: str
    cypher: str


ENTITIES = Ready(
    "entities",
    "Entities, by type and part of the name, with the number of documents that mention them.",
    """
    MATCH (e:Entity)
    WHERE ($type IS NULL OR e.type = $type) AND ($name IS NULL OR toLower(e.name) CONTAINS toLower($name))
    OPTIONAL MATCH (e)-[:MENTIONED_IN]->(d:Document)
    WITH e, count(d) AS documents
    RETURN e.id AS id, e.type AS type, e.name AS name, e.register_id AS register_id, documents
    ORDER BY documents DESC, name, id LIMIT $limit
    """,
)
FIND = Ready(
    "find",
    "The entities that an id or a name means: the id, else that very name, else a spelling in a document.",
    """
    MATCH (e:Entity)
    WHERE e.id = $entity OR toLower(e.name) = toLower($entity)
    RETURN e.id AS id, e.type AS type, e.name AS name ORDER BY id
    """,
)
FIND_SPELLING = Ready(
    "find_spelling",
    "The entities that a document spells so.",
    """
    MATCH (e:Entity)-[m:MENTIONED_IN]->(:Document)
    WHERE any(spelling IN m.names WHERE toLower(spelling) = toLower($entity))
    RETURN DISTINCT e.id AS id, e.type AS type, e.name AS name ORDER BY id
    """,
)
ABOUT = Ready(
    "about",
    "Everything that is stated of an entity, surest first.",
    """
    MATCH (e:Entity {id: $id})<-[:HEAD|TAIL]-(s:Statement)
    MATCH (s)-[:HEAD]->(h:Entity)
    MATCH (s)-[:TAIL]->(t:Entity)
    OPTIONAL MATCH (s)<-[:SUPPORTS]-(v:Evidence)
    WITH DISTINCT s, h, t, count(v) AS evidence, max(v.confidence) AS confidence
    RETURN s.id AS statement, h.name AS head, s.relation AS relation, t.name AS tail, confidence, evidence
    ORDER BY confidence DESC, statement LIMIT $limit
    """,
)
MENTIONS = Ready(
    "mentions",
    "The documents that mention an entity, and how they spell it.",
    """
    MATCH (e:Entity {id: $id})-[m:MENTIONED_IN]->(d:Document)
    RETURN d.id AS document, d.title AS title, d.uri AS uri, m.names AS names, m.count AS count
    ORDER BY count DESC, document LIMIT $limit
    """,
)
EVIDENCE = Ready(
    "evidence",
    "The evidence of a statement: the sentence, the document and the model.",
    """
    MATCH (s:Statement {id: $statement})-[:HEAD]->(h:Entity)
    MATCH (s)-[:TAIL]->(t:Entity)
    MATCH (s)<-[:SUPPORTS]-(v:Evidence)-[:FROM]->(d:Document)
    RETURN h.name AS head, s.relation AS relation, t.name AS tail, v.text AS text, d.title AS title, d.uri AS uri,
           v.start AS start, v.end AS end, v.confidence AS confidence, v.model AS model
    ORDER BY confidence DESC, uri, start
    """,
)
CHANGES = Ready(
    "changes",
    "Statements that are new since a date, newest first.",
    """
    MATCH (s:Statement) WHERE s.created >= $since
    MATCH (s)-[:HEAD]->(h:Entity)
    MATCH (s)-[:TAIL]->(t:Entity)
    RETURN s.created AS created, s.id AS statement, h.name AS head, s.relation AS relation, t.name AS tail
    ORDER BY created DESC, statement LIMIT $limit
    """,
)
COUNTS = (
    Ready("documents", "", "MATCH (n:Document) RETURN coalesce(n.format, '?') AS name, count(*) AS count"),
    Ready("entities", "", "MATCH (n:Entity) RETURN n.type AS name, count(*) AS count"),
    Ready("statements", "", "MATCH (n:Statement) RETURN n.relation AS name, count(*) AS count"),
    Ready("evidence", "", "MATCH (n:Evidence) RETURN n.model AS name, count(*) AS count"),
)
#: One round of a search outwards from an entity: the statements at the frontier.
STEP = Ready(
    "step",
    "",
    """
    UNWIND $ids AS id
    MATCH (e:Entity {id: id})<-[:HEAD|TAIL]-(s:Statement)
    MATCH (s)-[:HEAD]->(h:Entity)
    MATCH (s)-[:TAIL]->(t:Entity)
    RETURN DISTINCT s.id AS statement, s.relation AS relation, h.id AS head, h.name AS head_name, h.type AS head_type,
           t.id AS tail, t.name AS tail_name, t.type AS tail_type
    ORDER BY statement LIMIT $limit
    """,
)


def run_query(connection: Connection, cypher: str, parameters: Row | None = None) -> list[Row]:
    """Run a query that reads; nodes and relationships come back as plain values.

    Raises:
        GraphError: the server cannot be reached, or refuses the query; one line.
    """

    def work(driver: Driver) -> list[Row]:
        with driver.session(database=connection.database, default_access_mode=READ_ACCESS) as session:
            result = session.run(Query(cypher), parameters or {})
            return [{name: plain(value) for name, value in record.items()} for record in result]

    return with_driver(connection, work)


def plain(value: Any) -> Any:
    """A value that JSON and CSV can hold."""
    if isinstance(value, Node):
        return {"labels": sorted(value.labels), **{k: plain(v) for k, v in value.items()}}
    if isinstance(value, Relationship):
        return {"type": value.type, **{k: plain(v) for k, v in value.items()}}
    if isinstance(value, Path):
        return [plain(part) for part in (*value.nodes, *value.relationships)]
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def find_entity(connection: Connection, text: str) -> Row:
    """The one entity that an id or a name means; of several, the one with the smallest id of the best kind of match.

    Raises:
        GraphError: there is none.
    """
    for query in (FIND, FIND_SPELLING):
        found = run_query(connection, query.cypher, {"entity": text})
        if found:
            return min(found, key=lambda row: (row["id"] != text, row["id"]))
    near = run_query(connection, ENTITIES.cypher, {"type": None, "name": text, "limit": 3})
    hint = "; there are " + ", ".join(repr(row["name"]) for row in near) if near else ""
    raise GraphError(f"no entity {text!r} in the graph{hint}; list them with: tripleflow query entities")


def find_paths(connection: Connection, one: str, other: str, hops: int = 4, most: int = 10) -> list[Row]:
    """The shortest paths of statements between two entities (ids), searched breadth first, a round trip a hop.

    Dates, amounts and numbers are not walked through: that two documents name one day joins nothing.
    """
    parents: dict[str, list[Row]] = {one: []}
    frontier, reached = [one], False
    for _ in range(hops):
        if reached or not frontier:
            break
        found: dict[str, list[Row]] = {}
        for row in run_query(connection, STEP.cypher, {"ids": frontier, "limit": 20_000}):
            for here, there in (("head", "tail"), ("tail", "head")):
                if row[here] in frontier and row[there] not in parents:
                    found.setdefault(row[there], []).append({"from": row[here], **row})
        parents.update(found)
        reached = other in found
        types = {row[side]: row[f"{side}_type"] for rows in found.values() for row in rows for side in ("head", "tail")}
        frontier = sorted(node for node in found if types[node] not in {"Date", "Money", "Number"})
    return [_path(steps) for steps in _walk(parents, other, most)] if reached else []


def _walk(parents: dict[str, list[Row]], node: str, most: int) -> list[list[Row]]:
    if not parents[node]:
        return [[]]
    paths: list[list[Row]] = []
    for row in parents[node]:
        paths += [[*before, row] for before in _walk(parents, row["from"], most)]
        if len(paths) >= most:
            break
    return paths[:most]


def _path(steps: list[Row]) -> Row:
    text = " ; ".join(f"{step['head_name']} {step['relation']} {step['tail_name']}" for step in steps)
    return {"hops": len(steps), "path": text, "statements": [step["statement"] for step in steps]}


def check_parameters(error: ClientError) -> str:
    """What a refused query needs, in one line."""
    return " ".join(str(error.message).split())
