"""Merge: one entity into another, with its statements and evidence; its id stays behind as an alias. And back.

Evidence and mentions keep the ids of entities as their document said them (`head`, `tail`; `said`). The graph is
what they say, read through the aliases: so a later write under the old id goes to the entity that it was merged
into, and a merge is undone by taking its alias away and reading what it moved again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from neo4j import Driver, ManagedTransaction

from kg_sink.aliases import current_ids
from kg_sink.connection import GraphError, with_driver
from kg_sink.model import KNOWN_ENTITIES, MAKE_ENTITIES, statement_writes, surer
from kg_sink.naming import settle_fully
from kg_sink.retracting import drop_mentions, settle_statements
from kg_sink.round_trips import each, own, settled
from kg_sink.server import Connection
from transforms.matching import Match
from transforms.records import Statement
from transforms.schema import check_name

Row = dict[str, Any]

_MAKE_ALIASES = """
UNWIND $rows AS row
MERGE (a:Alias {id: row.entity})
SET a.into = row.into, a.type = row.type, a.name = row.name, a.reason = row.reason, a.score = row.score,
    a.register_id = row.register_id, a.into_name = row.into_name, a.created = $now
"""
_STRAY = "MATCH (a:Alias) MATCH (e:Entity {id: a.id}) RETURN a.id AS id, a.type AS type"
_DROP_ALIASES = "UNWIND $ids AS id MATCH (a:Alias {id: id}) DELETE a"
_ENTITY = "MATCH (e:Entity {id: $id}) RETURN e.type AS type, e.name AS name, e.register_id AS register_id"
_MENTIONS = """
UNWIND $ids AS id
MATCH (e:Entity {id: id})-[m:MENTIONED_IN]->(d:Document)
RETURN id AS entity, d.id AS document, properties(m) AS properties
"""
_EVIDENCE = """
UNWIND $ids AS id
MATCH (:Entity {id: id})<-[:HEAD|TAIL]-(s:Statement)
WITH DISTINCT s
MATCH (s)-[:HEAD]->(h:Entity)
MATCH (s)-[:TAIL]->(t:Entity)
MATCH (s)<-[:SUPPORTS]-(v:Evidence)
RETURN v.id AS id, v.head AS said_head, v.tail AS said_tail, v.confidence AS confidence, s.id AS statement,
       v.first_seen AS first_seen, s.relation AS relation, h.id AS head, t.id AS tail
"""
# Older history does not keep what the document said: what it was when it went is the best that there is.
_PAST_EVIDENCE = tuple(
    f"""
    UNWIND $ids AS id
    MATCH (p:PastEvidence {{{end}: id}})
    RETURN p.id AS id, p.head AS head, p.relation AS relation, p.tail AS tail,
           coalesce(p.said_head, p.head) AS said_head, coalesce(p.said_tail, p.tail) AS said_tail
    """
    for end in ("head", "tail")
)
_PAST_MENTIONS = "UNWIND $ids AS id MATCH (p:PastMention {entity: id}) RETURN p.id AS id, p.said AS said"
_MOVE_PAST = "UNWIND $rows AS row MATCH (p:{label} {{id: row.id}}) SET p += row.properties"
# A merge, or its undoing, is no news of what it moves.
_BACKDATE = """
UNWIND $rows AS row
MATCH (n:{label} {{id: row.id}}) WHERE n.created > row.created
SET n.created = row.created
"""
_MOVE_MENTIONS = """
UNWIND $rows AS row
MATCH (new:Entity {id: row.to})
MATCH (d:Document {id: row.document})
MERGE (d)<-[m:MENTIONED_IN {said: row.said, model: row.model}]-(new)
SET m += row.properties
"""
_UNTIE = "UNWIND $rows AS row MATCH (:Evidence {id: row.id})-[r:SUPPORTS]->(:Statement {id: row.statement}) DELETE r"
_TIE = """
UNWIND $rows AS row
MATCH (v:Evidence {id: row.id})
MATCH (s:Statement {id: row.to})
MERGE (v)-[:SUPPORTS]->(s)
"""


def merge(connection: Connection, merges: Sequence[Match], now: str) -> None:
    """Merge entities, each merge in a transaction of its own.

    Raises:
        GraphError: an entity would be merged into itself; or the graph cannot be reached, or takes no writes.
    """

    def work(driver: Driver) -> None:
        with driver.session(database=connection.database) as session:
            for one in merges:
                settled(session, partial(merge_in, one=one, now=now))

    with_driver(connection, work)


def gather(connection: Connection, now: str) -> int:
    """Read again what was written under an old id since: by a job that looked it up just before the merge.

    Returns how many entities that were. Raises:
        GraphError: the graph cannot be reached, or takes no writes.
    """

    def work(driver: Driver) -> int:
        with driver.session(database=connection.database) as session:
            rows = session.run(_STRAY).data()
            for row in rows:
                settled(session, partial(_read_again, entity=row["id"], kind=row["type"], now=now))
        return len(rows)

    return with_driver(connection, work)


def undo(connection: Connection, alias: str) -> None:
    """Undo the merge of an entity (its old id): what was said of it is its own again.

    Raises:
        GraphError: no such alias; or the graph cannot be reached, or takes no writes.
    """

    def work(driver: Driver) -> None:
        with driver.session(database=connection.database) as session:
            settled(session, partial(undo_in, alias=alias))

    with_driver(connection, work)


def merge_in(tx: ManagedTransaction, one: Match, now: str) -> None:
    """Merge one entity into another, within a transaction; again changes nothing.

    Raises:
        GraphError: the two are one already, the other way round; or the entity is the register's.
    """
    current = current_ids(tx, [one.entity, one.into])
    if current.get(one.into, one.into) == one.entity:
        raise GraphError(f"{one.into} was merged into {one.entity}; undo that first")
    known = tx.run(_ENTITY, id=one.entity).data()
    if known and known[0]["register_id"]:
        raise GraphError(f"{one.entity} is an entry of the register; merge the other one into it")
    if one.entity not in current:
        row = {slot: getattr(one, slot) for slot in Match.__slots__} | {"name": known[0]["name"] if known else None}
        each(tx, _MAKE_ALIASES, [row], now=now)
    _read_again(tx, one.entity, one.type, now)


def undo_in(tx: ManagedTransaction, alias: str) -> None:
    """Undo a merge, within a transaction.

    Raises:
        GraphError: no such alias.
    """
    found = tx.run("MATCH (a:Alias {id: $id}) RETURN a.into AS into, a.type AS type, a.created AS created", id=alias)
    rows = found.data()
    if not rows:
        raise GraphError(f"no entity was merged under the id {alias!r}; list them with: tripleflow resolve --merged")
    holder = current_ids(tx, [alias])[alias]
    each(tx, _DROP_ALIASES, [alias], "ids")
    _read_again(tx, holder, rows[0]["type"], rows[0]["created"])


def _read_again(tx: ManagedTransaction, entity: str, kind: str, now: str) -> None:
    """Put what hangs on an entity where the aliases now say that it belongs."""
    mentions = each(tx, _MENTIONS, [entity], "ids")
    evidence = each(tx, _EVIDENCE, [entity], "ids")
    said = {row["properties"]["said"] for row in mentions} | {
        row[n] for row in evidence for n in ("said_head", "said_tail")
    }
    current = {key: key for key in said} | current_ids(tx, said)
    moved = [
        {"entity": entity, "document": row["document"], "to": current[row["properties"]["said"]],
         "said": row["properties"]["said"], "model": row["properties"]["model"],
         "first_seen": row["properties"]["first_seen"], "properties": own(row["properties"])}
        for row in mentions
        if current[row["properties"]["said"]] != entity
    ]  # fmt: skip
    check_name(kind, "the graph's entity type")
    targets = sorted({row["to"] for row in moved})
    each(tx, MAKE_ENTITIES.format(type=kind), [{"id": key, "type": kind} for key in targets], now=now)
    _backdate(tx, "Entity", moved)
    each(tx, _MOVE_MENTIONS, moved)
    drop_mentions(tx, moved)
    _move_evidence(tx, evidence, current, now)
    settle_fully(tx, [entity, *targets])
    _move_history(tx, entity)


def _move_evidence(tx: ManagedTransaction, evidence: list[Row], current: dict[str, str], now: str) -> None:
    moved: list[Row] = []
    made: dict[str, Row] = {}
    for row in evidence:
        head, relation, tail = current[row["said_head"]], row["relation"], current[row["said_tail"]]
        if (head, tail) == (row["head"], row["tail"]):
            continue
        check_name(relation, "the graph's relation")
        key = Statement.make_id(head, relation, tail)
        new = {"id": key, "head": head, "relation": relation, "tail": tail, "confidence": row["confidence"]}
        made[key] = surer(made.get(key), new)
        moved.append({**row, "to": key})
    read = partial(each, tx, name="ids")
    ends = {row[end] for row in made.values() for end in ("head", "tail")}
    nodes = {row["id"]: row["node"] for row in read(KNOWN_ENTITIES, sorted(ends))}
    for step in statement_writes(made, read, nodes):
        each(tx, step.cypher, step.rows, now=now)
    _backdate(tx, "Statement", moved)
    each(tx, _UNTIE, moved)
    each(tx, _TIE, moved)
    settle_statements(tx, moved)


def _backdate(tx: ManagedTransaction, label: str, moved: list[Row]) -> None:
    """What something moves to (rows of `to` and `first_seen`) has been there at least as long."""
    oldest: dict[str, str] = {}
    for row in moved:
        oldest[row["to"]] = min(row["first_seen"], oldest.get(row["to"], row["first_seen"]))
    each(tx, _BACKDATE.format(label=label), [{"id": key, "created": first} for key, first in sorted(oldest.items())])


def _move_history(tx: ManagedTransaction, entity: str) -> None:
    """The same for what hung on the entity once: entities have the merges of today at any time."""
    evidence = {row["id"]: row for query in _PAST_EVIDENCE for row in each(tx, query, [entity], "ids")}
    mentions = each(tx, _PAST_MENTIONS, [entity], "ids")
    said = {row["said"] for row in mentions} | {row[n] for row in evidence.values() for n in ("said_head", "said_tail")}
    current = {key: key for key in said} | current_ids(tx, said)
    moved = []
    for key, row in sorted(evidence.items()):
        head, relation, tail = current[row["said_head"]], row["relation"], current[row["said_tail"]]
        if (head, tail) != (row["head"], row["tail"]):
            ends = {"head": head, "tail": tail, "said_head": row["said_head"], "said_tail": row["said_tail"]}
            moved.append({"id": key, "properties": {**ends, "statement": Statement.make_id(head, relation, tail)}})
    each(tx, _MOVE_PAST.format(label="PastEvidence"), moved)
    moved = [
        {"id": row["id"], "properties": {"entity": current[row["said"]]}}
        for row in mentions
        if current[row["said"]] != entity
    ]
    each(tx, _MOVE_PAST.format(label="PastMention"), moved)
