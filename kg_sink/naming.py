"""Naming: the name that an entity goes by, taken from the mentions that are left, and the end of those without any.

An entity goes by the longest name that its own mentions give it (then the first in the alphabet). One that others
were merged into and that has no mention of its own goes by the register's name for it, or by theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from neo4j import ManagedTransaction

from kg_sink.model import name_order
from kg_sink.round_trips import each

Row = dict[str, Any]

#: Entities that their own mentions still give the name that they have; that of a hub is found at once.
_NAMED = """
UNWIND $ids AS id
MATCH (e:Entity {id: id})
WHERE EXISTS { (e)-[:MENTIONED_IN {name: e.name, said: e.id}]->() }
RETURN id
"""
_NAMES = """
UNWIND $ids AS id
MATCH (e:Entity {id: id})-[m:MENTIONED_IN]->()
RETURN id, m.said AS said, collect(DISTINCT m.name) AS names
"""
_MERGED = """
UNWIND $ids AS id
MATCH (a:Alias {into: id}) WHERE a.register_id IS NOT NULL
RETURN id, a.into_name AS name, a.register_id AS register_id
"""
# The SET changes nothing and locks the node: a writer that mentions it just now comes before, and is seen, or after.
_DROP_UNMENTIONED = """
UNWIND $ids AS id
MATCH (e:Entity {id: id})
SET e.type = e.type
WITH e, id WHERE NOT EXISTS { (e)-[:MENTIONED_IN]->() }
DETACH DELETE e
RETURN id
"""
_SET_NAMES = """
UNWIND $rows AS row
MATCH (e:Entity {id: row.id})
SET e.name = row.name, e.register_id = coalesce(row.register_id, e.register_id)
"""


def settle_names(tx: ManagedTransaction, ids: Iterable[str]) -> None:
    """After mentions of entities (ids) went: drop those that have none, and name anew those that lost their name."""
    wanted = set(ids)
    settle_fully(tx, wanted - {row["id"] for row in each(tx, _NAMED, sorted(wanted), "ids")})


def settle_fully(tx: ManagedTransaction, ids: Iterable[str]) -> None:
    """After mentions of entities (ids) came and went: drop those that have none, and name the rest anew."""
    wanted = set(ids)
    gone = {row["id"] for row in each(tx, _DROP_UNMENTIONED, sorted(wanted), "ids")}
    rename(tx, wanted - gone)


def rename(tx: ManagedTransaction, ids: Iterable[str]) -> None:
    """Name entities (ids) by the rule of this module."""
    wanted = sorted(ids)
    own: dict[str, set[str]] = defaultdict(set)
    others: dict[str, set[str]] = defaultdict(set)
    for row in each(tx, _NAMES, wanted, "ids"):
        (own if row["said"] == row["id"] else others)[row["id"]].update(row["names"])
    registered = {row["id"]: row for row in each(tx, _MERGED, wanted, "ids")}
    rows = []
    for key in sorted({*own, *others}):
        entry = registered.get(key, {})
        names = own.get(key) or ({entry["name"]} if entry.get("name") else others[key])
        rows.append({"id": key, "name": min(names, key=name_order), "register_id": entry.get("register_id")})
    each(tx, _SET_NAMES, rows)
