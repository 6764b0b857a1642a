"""Retract: take documents out of the graph, with all that only they said.

What is left is what the other documents would have made by themselves: a statement goes with its last evidence, an
entity with its last mention, and confidences and names are taken anew from what remains. Everything happens in one
transaction, so that a reader never sees half a document.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from neo4j import Driver, ManagedTransaction
from rapidfuzz import fuzz, process

from kg_sink.connection import GraphError, with_driver
from kg_sink.model import name_order
from kg_sink.queries import run_query
from kg_sink.server import Connection
from transforms.schema import check_name

Row = dict[str, Any]

#: Documents by URI: the one itself, what is attached to it or a row of it, and what lies under it as a folder.
FIND = (
    "UNWIND $uris AS uri MATCH (d:Document {uri: uri}) RETURN d.id AS id, d.uri AS uri",
    "UNWIND $uris AS uri MATCH (d:Document) WHERE d.uri STARTS WITH uri + '#' RETURN d.id AS id, d.uri AS uri",
    "UNWIND $uris AS uri MATCH (d:Document) WHERE d.uri STARTS WITH uri + '/' RETURN d.id AS id, d.uri AS uri",
)
#: Earlier versions of documents that were just written: the same URI, another text.
REPLACED = """
UNWIND $rows AS row
MATCH (d:Document {uri: row.uri}) WHERE d.id <> row.id
RETURN DISTINCT d.id AS id
"""
#: What hung on an earlier version of a mail; what hangs on the new one too has another edge.
ATTACHED = """
UNWIND $ids AS id
MATCH (:Document {id: id})<-[:ATTACHED_TO]-(a:Document)
MATCH (a)-[:ATTACHED_TO]->(p:Document)
WITH a, collect(p.id) AS parents WHERE all(parent IN parents WHERE parent IN $ids)
RETURN a.id AS id
"""
# Every pattern begins at the node whose key is known: ArcadeDB walks from the left, whatever that costs.
_STATEMENTS = """
UNWIND $ids AS id
MATCH (:Document {id: id})<-[:FROM]-(:Evidence)-[:SUPPORTS]->(s:Statement)
WITH DISTINCT s
MATCH (s)-[:HEAD]->(h:Entity)
MATCH (s)-[:TAIL]->(t:Entity)
RETURN s.id AS id, s.relation AS relation, h.id AS head, t.id AS tail
"""
_ENTITIES = """
UNWIND $ids AS id
MATCH (:Document {id: id})<-[:MENTIONED_IN]-(e:Entity)
RETURN DISTINCT e.id AS id
"""
_DROP_EVIDENCE = "UNWIND $ids AS id MATCH (:Document {id: id})<-[:FROM]-(v:Evidence) DETACH DELETE v"
_DROP_DOCUMENTS = "UNWIND $ids AS id MATCH (d:Document {id: id}) DETACH DELETE d"
_SUPPORTED = """
UNWIND $ids AS id
MATCH (:Statement {id: id})<-[:SUPPORTS]-(v:Evidence)
RETURN id, max(v.confidence) AS confidence
"""
_DROP_EDGES = """
UNWIND $rows AS row
MATCH (h:Entity {{id: row.head}})
MATCH (t:Entity {{id: row.tail}})
MATCH (t)<-[r:`{relation}`]-(h)
DELETE r
"""
_SET_CONFIDENCE = """
UNWIND $rows AS row
MATCH (h:Entity {{id: row.head}})
MATCH (t:Entity {{id: row.tail}})
MATCH (t)<-[r:`{relation}`]-(h)
SET r.confidence = row.confidence
"""
_DROP_STATEMENTS = "UNWIND $ids AS id MATCH (s:Statement {id: id}) DETACH DELETE s"
#: Entities whose name some document that is left still gives; that of a hub is found at once.
_NAMED = """
UNWIND $ids AS id
MATCH (e:Entity {id: id})
WHERE EXISTS { (e)-[:MENTIONED_IN {name: e.name}]->() }
RETURN id
"""
_NAMES = """
UNWIND $ids AS id
MATCH (e:Entity {id: id})-[m:MENTIONED_IN]->()
RETURN id, collect(DISTINCT m.name) AS names
"""
_DROP_ENTITIES = "UNWIND $ids AS id MATCH (e:Entity {id: id}) DETACH DELETE e"
_SET_NAMES = "UNWIND $rows AS row MATCH (e:Entity {id: row.id}) SET e.name = row.name"


def find_documents(connection: Connection, uris: Sequence[str]) -> list[Row]:
    """(id, uri) of the documents that URIs mean, sorted by URI.

    Raises:
        GraphError: the graph cannot be read.
    """
    rows = [row for query in FIND for row in run_query(connection, query, {"uris": list(uris)})]
    return sorted({row["id"]: row for row in rows}.values(), key=lambda row: (row["uri"], row["id"]))


def documents_meant(connection: Connection, uris: Sequence[str]) -> list[Row]:
    """As `find_documents`, of which each URI must mean at least one.

    Raises:
        GraphError: one means none; names the nearest there is.
    """
    found = find_documents(connection, uris)
    for uri in uris:
        if not any(row["uri"] == uri or row["uri"].startswith((f"{uri}#", f"{uri}/")) for row in found):
            known = [row["uri"] for row in run_query(connection, "MATCH (d:Document) RETURN d.uri AS uri LIMIT 100000")]
            near = process.extractOne(uri, known, scorer=fuzz.ratio, score_cutoff=70)
            hint = f"did you mean {near[0]}?" if near else "the graph names documents by their full path or URI"
            raise GraphError(f"{uri}: the graph holds no document of that name; {hint}")
    return found


def retract(connection: Connection, ids: Iterable[str]) -> None:
    """Take documents (ids) out of the graph.

    Raises:
        GraphError: the graph cannot be reached, or does not take writes.
    """
    wanted = sorted(ids)

    def work(driver: Driver) -> None:
        with driver.session(database=connection.database) as session:
            session.execute_write(retract_in, wanted)

    with_driver(connection, work)


def retract_replaced(tx: ManagedTransaction, rows: Sequence[Row]) -> None:
    """Take out the earlier versions of documents that this transaction wrote: rows of `id` and `uri`."""
    old: set[str] = set()
    more = {row["id"] for row in tx.run(REPLACED, rows=list(rows))}
    while more:  # mails hang on mails
        old |= more
        more = {row["id"] for row in tx.run(ATTACHED, ids=sorted(old))} - old
    if old:
        retract_in(tx, sorted(old))


def retract_in(tx: ManagedTransaction, ids: list[str]) -> None:
    """Take documents (ids) out, within a transaction."""
    statements = [dict(row) for row in tx.run(_STATEMENTS, ids=ids)]
    entities = [row["id"] for row in tx.run(_ENTITIES, ids=ids)]
    tx.run(_DROP_EVIDENCE, ids=ids).consume()
    tx.run(_DROP_DOCUMENTS, ids=ids).consume()
    _settle_statements(tx, statements)
    _settle_entities(tx, entities)


def _settle_statements(tx: ManagedTransaction, statements: list[Row]) -> None:
    """Drop what lost its last evidence; of the rest, the edge is as sure as the best that is left."""
    keys = sorted(row["id"] for row in statements)
    left = {row["id"]: row["confidence"] for row in tx.run(_SUPPORTED, ids=keys)}
    by_relation: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in statements:
        query = _SET_CONFIDENCE if row["id"] in left else _DROP_EDGES
        by_relation[query, row["relation"]].append({**row, "confidence": left.get(row["id"])})
    for (query, relation), rows in sorted(by_relation.items(), key=lambda item: item[0]):
        # It stands in the graph because a schema had it; nothing else may become Cypher.
        check_name(relation, "the graph's relation")
        tx.run(query.format(relation=relation), rows=rows).consume()
    tx.run(_DROP_STATEMENTS, ids=[key for key in keys if key not in left]).consume()


def _settle_entities(tx: ManagedTransaction, entities: list[str]) -> None:
    """Drop what no document mentions any more; the rest is named as the documents that are left name it."""
    unsettled = set(entities) - {row["id"] for row in tx.run(_NAMED, ids=sorted(entities))}
    names = {row["id"]: row["names"] for row in tx.run(_NAMES, ids=sorted(unsettled))}
    tx.run(_DROP_ENTITIES, ids=sorted(unsettled - names.keys())).consume()
    rows = [{"id": key, "name": min(found, key=name_order)} for key, found in sorted(names.items())]
    tx.run(_SET_NAMES, rows=rows).consume()
