"""Aliases: the old ids of entities that were merged, and where each leads now."""

from __future__ import annotations

from collections.abc import Iterable

from neo4j import ManagedTransaction

from kg_sink.round_trips import each

_ALIASES = "UNWIND $ids AS id MATCH (a:Alias {id: id}) RETURN a.id AS id, a.into AS into"
_SOME_ALIAS = "MATCH (a:Alias) RETURN a.id AS id LIMIT 1"
_MERGED_INTO = "UNWIND $ids AS id MATCH (a:Alias {into: id}) RETURN DISTINCT id"
_STILL_SAID = (
    """
    UNWIND $rows AS row
    MATCH (:Entity {id: row.into})-[:MENTIONED_IN {said: row.id}]->(:Document)
    RETURN DISTINCT row.id AS id
    """,
    "UNWIND $rows AS row MATCH (:PastMention {entity: row.into, said: row.id}) RETURN DISTINCT row.id AS id",
)
_FORGET_NAMES = "UNWIND $ids AS id MATCH (a:Alias {id: id}) REMOVE a.name"


def any_merged(tx: ManagedTransaction) -> bool:
    """Whether the graph has any merged entity: if not, no id needs to be looked up."""
    return bool(tx.run(_SOME_ALIAS).data())


def current_ids(tx: ManagedTransaction, ids: Iterable[str]) -> dict[str, str]:
    """Of entities (ids) that were merged: where each is now."""
    wanted = sorted(set(ids))
    step = {row["id"]: row["into"] for row in each(tx, _ALIASES, wanted, "ids")}
    while more := sorted(set(step.values()) - step.keys()):  # merged again since
        found = {row["id"]: row["into"] for row in each(tx, _ALIASES, more, "ids")}
        if not found:
            break
        step |= found
    return {key: _end(step, key) for key in wanted if key in step}


def _end(step: dict[str, str], key: str) -> str:
    while key in step:
        key = step[key]
    return key


def merged_into(tx: ManagedTransaction, ids: Iterable[str]) -> set[str]:
    """Those entities (ids) that others were merged into."""
    return {row["id"] for row in each(tx, _MERGED_INTO, sorted(set(ids)), "ids")}


def forget_names(tx: ManagedTransaction, ids: Iterable[str]) -> None:
    """Take the names of merged entities (old ids) away where neither a document nor history says them any more.

    The merges stay: they hold no name, and a document that says one later means whom it was found to mean.
    """
    rows = [{"id": key, "into": into} for key, into in sorted(current_ids(tx, ids).items())]
    said = {row["id"] for query in _STILL_SAID for row in each(tx, query, rows)}
    each(tx, _FORGET_NAMES, [row["id"] for row in rows if row["id"] not in said], "ids")
