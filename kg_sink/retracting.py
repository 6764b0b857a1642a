"""Retract: take documents, or single pieces of evidence, out of the graph, with all that only they said.

What is left is what the rest would have made by itself: a statement goes with its last evidence, an entity with its
last mention, and confidences and names are taken anew from what remains. Everything happens in one transaction, so
that a reader never sees half a document; what goes is kept as history, unless it is to be forgotten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from neo4j import Driver, ManagedTransaction
from rapidfuzz import fuzz, process

from kg_sink.aliases import forget_names
from kg_sink.connection import GraphError, with_driver
from kg_sink.history import forget, keep_evidence, keep_mentions
from kg_sink.model import crowded_documents
from kg_sink.naming import settle_names
from kg_sink.queries import run_query
from kg_sink.round_trips import each, settled
from kg_sink.server import Connection
from transforms.schema import check_name

Row = dict[str, Any]


def _by_uri(label: str, name: str) -> tuple[str, ...]:
    """Documents by URI: the one itself, what is attached to it or a row of it, and what lies under it as a folder."""
    answer = f"RETURN DISTINCT d.{name} AS id, d.uri AS uri"
    return (
        f"UNWIND $uris AS uri MATCH (d:{label} {{uri: uri}}) {answer}",
        f"UNWIND $uris AS uri MATCH (d:{label}) WHERE d.uri STARTS WITH uri + '#' {answer}",
        f"UNWIND $uris AS uri MATCH (d:{label}) WHERE d.uri STARTS WITH uri + '/' {answer}",
    )


_FIND = _by_uri("Document", "id")
_FIND_PAST = _by_uri("PastEvidence", "document") + _by_uri("PastMention", "document")
_FILES = ("MATCH (d:Document) RETURN DISTINCT coalesce(d.source, d.uri) AS file",)
_PAST_FILES = tuple(
    f"MATCH (d:{label}) RETURN DISTINCT split(d.uri, '#')[0] AS file" for label in ("PastEvidence", "PastMention")
)
#: Documents that were read from a file or message, its rows and attachments among them.
OF_SOURCES = "UNWIND $sources AS source MATCH (d:Document {source: source}) RETURN d.id AS id"
#: Earlier versions of documents that were just written: the same URI, another text.
_REPLACED = """
UNWIND $rows AS row
MATCH (d:Document {uri: row.uri}) WHERE d.id <> row.id
RETURN DISTINCT d.id AS id
"""
#: What hung on an earlier version of a mail; what hangs on the new one too has another edge.
_ATTACHED = """
UNWIND $ids AS id
MATCH (:Document {id: id})<-[:ATTACHED_TO]-(a:Document)
MATCH (a)-[:ATTACHED_TO]->(p:Document)
WITH a, collect(p.id) AS parents WHERE all(parent IN parents WHERE parent IN $ids)
RETURN a.id AS id
"""
# Every pattern begins at the node whose key is known: ArcadeDB walks from the left, whatever that costs.
_EVIDENCE_OF = """
UNWIND $ids AS id
MATCH (:Document {id: id})<-[:FROM]-(v:Evidence)
RETURN id AS document, v.id AS id, v.model AS model
"""
_MENTIONS_OF = """
UNWIND $ids AS id
MATCH (d:Document {id: id})<-[m:MENTIONED_IN]-(e:Entity)
RETURN e.id AS entity, e.name AS name, e.type AS type, id AS document, d.uri AS uri, d.title AS title,
       properties(m) AS properties
"""
# An end may be missing: once, header facts could outlive their entities.
_AROUND = """
UNWIND $ids AS id
MATCH (v:Evidence {id: id})-[:SUPPORTS]->(s:Statement)
OPTIONAL MATCH (s)-[:HEAD]->(h:Entity)
OPTIONAL MATCH (s)-[:TAIL]->(t:Entity)
MATCH (v)-[:FROM]->(d:Document)
RETURN properties(v) AS properties, s.id AS statement, s.relation AS relation, h.id AS head, h.name AS head_name,
       h.type AS head_type, t.id AS tail, t.name AS tail_name, t.type AS tail_type, d.id AS document, d.uri AS uri,
       d.title AS title
"""
_DROP_EVIDENCE = "UNWIND $ids AS id MATCH (v:Evidence {id: id}) DETACH DELETE v"
_DROP_DOCUMENTS = "UNWIND $ids AS id MATCH (d:Document {id: id}) DETACH DELETE d"
_DROP_MENTIONS = """
UNWIND $rows AS row
MATCH (:Document {id: row.document})<-[m:MENTIONED_IN]-(:Entity {id: row.entity})
WHERE m.said = row.said AND m.model = row.model
DELETE m
"""
#: The same for documents that mention more than `CROWDED`.
_DROP_MENTIONS_OF_CROWD = """
UNWIND $rows AS row
MATCH (:Entity {id: row.entity})-[m:MENTIONED_IN]->(:Document {id: row.document})
WHERE m.said = row.said AND m.model = row.model
DELETE m
"""
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
MATCH (s:Statement {{id: row.statement}})
SET r.confidence = row.confidence, s.confidence = row.confidence
"""
# The SET changes nothing and locks the node: a writer that supports it just now comes before, and is seen, or after.
_DROP_STATEMENTS = """
UNWIND $ids AS id
MATCH (s:Statement {id: id})
SET s.relation = s.relation
WITH s, id WHERE NOT EXISTS { (s)<-[:SUPPORTS]-() }
DETACH DELETE s
RETURN id
"""


def find_documents(connection: Connection, uris: Sequence[str], *, history: bool = False) -> list[Row]:
    """(id, uri) of the documents that URIs mean, sorted by URI; with `history`, of those too that it alone knows.

    Raises:
        GraphError: the graph cannot be read.
    """
    queries = _FIND + _FIND_PAST if history else _FIND
    rows = [row for query in queries for row in run_query(connection, query, {"uris": list(uris)})]
    return sorted({row["id"]: row for row in rows}.values(), key=lambda row: (row["uri"], row["id"]))


def files_that_match(connection: Connection, matches: Callable[[str], object], *, history: bool = False) -> list[str]:
    """The files, or URIs, that documents of the graph were read from and that `matches` accepts, sorted.

    With `history`, of those too that it alone knows: unless their name holds a "#", as those of attachments do.

    Raises:
        GraphError: the graph cannot be read.
    """
    queries = _FILES + _PAST_FILES if history else _FILES
    found = {row["file"] for query in queries for row in run_query(connection, query)}
    return sorted(filter(matches, found))


def documents_meant(connection: Connection, uris: Sequence[str], *, history: bool = False) -> list[Row]:
    """As `find_documents`, of which each URI must mean at least one.

    Raises:
        GraphError: one means none; names the nearest there is.
    """
    found = find_documents(connection, uris, history=history)
    for uri in uris:
        if not any(row["uri"] == uri or row["uri"].startswith((f"{uri}#", f"{uri}/")) for row in found):
            known = [row["uri"] for row in run_query(connection, "MATCH (d:Document) RETURN d.uri AS uri LIMIT 100000")]
            near = process.extractOne(uri, known, scorer=fuzz.ratio, score_cutoff=70)
            hint = f"did you mean {near[0]}?" if near else "the graph names documents by their full path or URI"
            raise GraphError(f"{uri}: the graph holds no document of that name; {hint}")
    return found


def retract(connection: Connection, ids: Iterable[str], now: str, *, history: bool = True) -> None:
    """Take documents (ids) out of the graph at `now`; without `history`, leave no trace of them.

    Ids that history alone knows are forgotten then as well, and so are all earlier versions.

    Raises:
        GraphError: the graph cannot be reached, or does not take writes.
    """
    wanted = sorted(ids)

    def work(driver: Driver) -> None:
        with driver.session(database=connection.database) as session:
            settled(session, lambda tx: retract_in(tx, wanted, now, history=history))

    with_driver(connection, work)


def retract_replaced(tx: ManagedTransaction, rows: Sequence[Row], now: str) -> None:
    """Take out the earlier versions of documents that this transaction wrote: rows of `id` and `uri`."""
    old: set[str] = set()
    more = {row["id"] for row in each(tx, _REPLACED, rows)}
    while more:  # mails hang on mails
        old |= more
        more = {row["id"] for row in tx.run(_ATTACHED, ids=sorted(old))} - old
    retract_in(tx, sorted(old), now)


def retract_unsaid(tx: ManagedTransaction, said: dict[str, Row], now: str, *, all_models: bool) -> None:
    """Take out what earlier runs said of documents, and the run that just wrote them does not say any more.

    `said` leads from a document's id to what was written of it: sets of ids `evidence`, of `models`, and of
    entities as they were said, `mentions`. What other models said stays, unless `all_models` are to be replaced.
    """
    evidence = []
    for row in each(tx, _EVIDENCE_OF, sorted(said), "ids"):
        now_said = said[row["document"]]
        if row["id"] not in now_said["evidence"] and (all_models or row["model"] in now_said["models"]):
            evidence.append(row["id"])
    mentions = []
    for row in each(tx, _MENTIONS_OF, sorted(said), "ids"):
        now_said, edge = said[row["document"]], row["properties"]
        # Before version 2 of the graph, mentions did not say which model made them.
        own = edge["model"] in now_said["models"] or not edge["model"]
        if (own and (edge["said"] not in now_said["mentions"] or not edge["model"])) or (all_models and not own):
            mentions.append(row)
    if evidence or mentions:
        _withdraw(tx, evidence, mentions, now, history=True)


def retract_in(tx: ManagedTransaction, ids: Sequence[str], now: str, *, history: bool = True) -> None:
    """Take documents (ids) out, within a transaction."""
    if not ids:
        return
    evidence = [row["id"] for row in each(tx, _EVIDENCE_OF, ids, "ids")]
    mentions = each(tx, _MENTIONS_OF, ids, "ids")
    past = set() if history else forget(tx, ids)
    _withdraw(tx, evidence, mentions, now, history=history, documents=ids)
    if not history:
        forget_names(tx, past | {row["properties"]["said"] for row in mentions})


def _withdraw(
    tx: ManagedTransaction,
    evidence: Sequence[str],
    mentions: Sequence[Row],
    now: str,
    *,
    history: bool,
    documents: Sequence[str] = (),
) -> None:
    """Take out evidence (ids), mentions (rows of `_MENTIONS_OF`) and whole documents, and settle what they held up."""
    around = each(tx, _AROUND, sorted(evidence), "ids")
    if history:
        keep_evidence(tx, around, now)
        keep_mentions(tx, mentions, now)
    # Documents first: from one that holds much, ArcadeDB takes its edges one by one as the other ends go.
    each(tx, _DROP_DOCUMENTS, documents, "ids")
    each(tx, _DROP_EVIDENCE, sorted(evidence), "ids")
    whole = set(documents)
    edges = [
        {"entity": row["entity"], "document": row["document"], **{n: row["properties"][n] for n in ("said", "model")}}
        for row in mentions
        if row["document"] not in whole
    ]
    drop_mentions(tx, edges)
    settle_statements(tx, around)
    settle_names(tx, {row["entity"] for row in mentions})


def drop_mentions(tx: ManagedTransaction, rows: Sequence[Row]) -> None:
    """Take out edges from entities to documents: rows of `entity`, `document`, `said` and `model`."""
    crowded = crowded_documents(rows)
    each(tx, _DROP_MENTIONS, [row for row in rows if row["document"] not in crowded])
    each(tx, _DROP_MENTIONS_OF_CROWD, [row for row in rows if row["document"] in crowded])


def settle_statements(tx: ManagedTransaction, rows: Iterable[Row]) -> None:
    """Drop what lost its last evidence; of the rest, statement and edge are as sure as the best that is left.

    Rows of `statement`, `relation`, and the ids `head` and `tail`.
    """
    names = ("statement", "relation", "head", "tail")
    statements = {row["statement"]: {name: row[name] for name in names} for row in rows}
    gone = {row["id"] for row in each(tx, _DROP_STATEMENTS, sorted(statements), "ids")}
    left = {row["id"]: row["confidence"] for row in each(tx, _SUPPORTED, sorted(statements.keys() - gone), "ids")}
    by_relation: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for key, row in sorted(statements.items()):
        query = _SET_CONFIDENCE if key in left else _DROP_EDGES
        by_relation[query, row["relation"]].append({**row, "confidence": left.get(key)})
    for (query, relation), found in sorted(by_relation.items(), key=lambda item: item[0]):
        # It stands in the graph because a schema had it; nothing else may become Cypher.
        check_name(relation, "the graph's relation")
        each(tx, query.format(relation=relation), found)
