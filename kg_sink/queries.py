"""Ready queries, as Cypher with parameters, and the one function that runs any query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neo4j import READ_ACCESS, Driver
from neo4j.graph import Node, Path, Relationship
from rapidfuzz import fuzz, process

from kg_sink.connection import GraphError, with_driver
from kg_sink.server import Connection
from transforms.records import is_value

Row = dict[str, Any]
Step = Callable[[list[str]], list[Row]]


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready query: its parameters are those that its Cypher names."""

    name: str
    help: str
    cypher: str


ENTITIES = Ready(
    "entities",
    "Entities, by type or subtype and part of the name, with the number of documents that mention them so.",
    """
    MATCH (e:Entity)
    WHERE $name IS NULL OR toLower(e.name) CONTAINS toLower($name)
    OPTIONAL MATCH (e)-[m:MENTIONED_IN]->(d:Document)
    WITH e, m, d WHERE $type IS NULL OR e.type = $type OR $type IN m.subtypes
    WITH e, count(DISTINCT d) AS documents
    RETURN e.id AS id, e.type AS type, e.name AS name, e.register_id AS register_id, documents
    ORDER BY documents DESC, name, id LIMIT $limit
    """,
)
FIND = Ready(
    "find",
    "The entities that an id, a name or a spelling in some document means, the most mentioned first.",
    """
    MATCH (e:Entity)
    OPTIONAL MATCH (e)-[m:MENTIONED_IN]->(d:Document)
    WHERE any(spelling IN m.names WHERE toLower(spelling) = toLower($entity))
    WITH e, count(DISTINCT d) AS documents
    WHERE documents > 0 OR e.id = $entity OR toLower(e.name) = toLower($entity)
    RETURN e.id AS id, e.type AS type, e.name AS name, e.register_id AS register_id, documents
    ORDER BY e.id = $entity DESC, documents DESC, id
    """,
)
ALIAS = Ready("alias", "", "MATCH (a:Alias {id: $id}) RETURN a.into AS into")
MERGED = Ready(
    "merged",
    "Entities that were merged, the latest first.",
    """
    MATCH (a:Alias) OPTIONAL MATCH (e:Entity {id: a.into})
    RETURN a.id AS id, a.name AS entity, coalesce(e.name, a.into) AS into, a.type AS type, a.reason AS reason,
           a.score AS score, a.created AS created
    ORDER BY created DESC, id
    """,
)
SPELLINGS = Ready(
    "spellings",
    "Every entity with all that documents call it.",
    """
    MATCH (e:Entity)-[m:MENTIONED_IN]->(:Document) WHERE e.value IS NULL
    UNWIND m.names AS spelling
    RETURN e.id AS id, e.type AS type, e.name AS name, e.register_id AS register_id,
           collect(DISTINCT spelling) AS spellings ORDER BY id
    """,
)
NAMED = Ready("named", "", "UNWIND $ids AS id MATCH (e:Entity {id: id}) RETURN id, e.type AS type, e.name AS name")
NAMES = Ready("names", "", "MATCH (e:Entity) RETURN DISTINCT e.name AS name LIMIT 100000")
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
    RETURN d.id AS document, d.title AS title, d.uri AS uri, m.names AS names, m.subtypes AS subtypes, m.count AS count
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
           v.start AS start, v.end AS end, v.confidence AS confidence, v.model AS model, v.first_seen AS first_seen,
           v.last_seen AS last_seen
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
#: How much of a time (ISO 8601) names a period.
PERIODS = {"hour": 13, "day": 10, "month": 7, "year": 4}
TIMELINE = Ready(
    "timeline",
    "Documents and evidence by period of the document's own date ($own), or of the time when it was first written.",
    """
    MATCH (d:Document) WHERE d.uri IS NOT NULL AND (NOT $own OR d.date IS NOT NULL)
    OPTIONAL MATCH (d)<-[:FROM]-(v:Evidence)
    WITH left(CASE WHEN $own THEN d.date ELSE d.created END, $length) AS period, d, count(v) AS evidence
    RETURN period, count(d) AS documents, sum(evidence) AS evidence ORDER BY period
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
    """Run a query; nodes and relationships come back as plain values, and what it wrote is taken back.

    Raises:
        GraphError: the server cannot be reached, or refuses the query; one line.
    """

    def work(driver: Driver) -> list[Row]:
        # Not every server holds a session to its read access, so the transaction is never committed.
        with (
            driver.session(database=connection.database, default_access_mode=READ_ACCESS) as session,
            session.begin_transaction() as transaction,
        ):
            result = transaction.run(cypher, parameters or {})
            rows = [{name: plain(record[name]) for name in record.keys()} for record in result]  # noqa: SIM118
            transaction.rollback()
            return rows

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


def find_entities(connection: Connection, text: str) -> list[Row]:
    """The entities that an id, a name or a spelling means, those first that most documents spell so.

    Raises:
        GraphError: there is none; names the nearest ones.
    """
    meant = text
    while merged := run_query(connection, ALIAS.cypher, {"id": meant}):
        meant = merged[0]["into"]
    found = run_query(connection, FIND.cypher, {"entity": meant})
    if found:
        return found[:1] if found[0]["id"] == meant else found
    names = [row["name"] for row in run_query(connection, NAMES.cypher)]
    near = [name for name, *_ in process.extract(text, names, scorer=fuzz.WRatio, limit=3, score_cutoff=70)]
    hint = "did you mean " + " or ".join(map(repr, near)) + "?" if near else "list them with: tripleflow query entities"
    raise GraphError(f"no entity {text!r} in the graph; {hint}")


def find_paths(
    connection: Connection, one: str, other: str, hops: int = 4, most: int = 10, step: Step | None = None
) -> list[Row]:
    """The shortest paths of statements between two entities (ids), searched breadth first, a round trip a hop.

    `step` gives the statements about entities (ids), as `STEP` does; that one without it.
    Dates, amounts and numbers are not walked through: that two documents name one day joins nothing.
    """
    step = step or (lambda ids: run_query(connection, STEP.cypher, {"ids": ids, "limit": 20_000}))
    # node → neighbour towards `one` → the statements between them
    parents: dict[str, dict[str, list[Row]]] = {one: {}}
    frontier = {one}
    for _ in range(hops):
        if other in parents or not frontier:
            break
        found: dict[str, dict[str, list[Row]]] = {}
        walkable: set[str] = set()
        for row in step(sorted(frontier)):
            for here, there in (("head", "tail"), ("tail", "head")):
                if row[here] in frontier and row[there] not in parents:
                    found.setdefault(row[there], {}).setdefault(row[here], []).append(row)
                    if not is_value(row[there]):
                        walkable.add(row[there])
        parents.update(found)
        frontier = walkable
    return [_path(steps) for steps in _walk(parents, other, most)] if other in parents else []


def _walk(parents: dict[str, dict[str, list[Row]]], node: str, most: int) -> list[list[list[Row]]]:
    if not parents[node]:
        return [[]]
    paths: list[list[list[Row]]] = []
    for before, rows in sorted(parents[node].items()):
        if len(paths) >= most:  # between two hubs there are more than can be counted
            break
        paths += [[*steps, rows] for steps in _walk(parents, before, most)]
    return paths[:most]


def _path(steps: list[list[Row]]) -> Row:
    text = "; ".join(
        f"{rows[0]['head_name']} {'|'.join(sorted({row['relation'] for row in rows}))} {rows[0]['tail_name']}"
        for rows in steps
    )
    return {"hops": len(steps), "path": text, "statements": [row["statement"] for rows in steps for row in rows]}
