"""Retyping: an entity whose type the register corrected is made anew under its new label, with all that hangs on it.

A server that keeps labels in a record's class (ArcadeDB) cannot change them under a constraint.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from neo4j import ManagedTransaction

from kg_sink.round_trips import each, own
from transforms.schema import check_name

Row = dict[str, Any]

_ENTITIES = "UNWIND $ids AS id MATCH (e:Entity {id: id}) RETURN id, properties(e) AS properties"
_FROM = """
UNWIND $ids AS id
MATCH (:Entity {id: id})-[r]->(o)
RETURN id AS head, type(r) AS type, properties(r) AS properties, o.id AS tail
"""
_TO = """
UNWIND $ids AS id
MATCH (:Entity {id: id})<-[r]-(o)
RETURN o.id AS head, type(r) AS type, properties(r) AS properties, id AS tail
"""
_DROP = "UNWIND $ids AS id MATCH (e:Entity {id: id}) DETACH DELETE e"
_MAKE = """
UNWIND $rows AS row
CREATE (e:Entity:`{type}` {{id: row.id}})
SET e += row.properties
RETURN row.id AS id, elementId(e) AS node
"""
_TIE = """
UNWIND $rows AS row
MATCH (h:{head} {{id: row.head}})
MATCH (t:{tail} {{id: row.tail}})
CREATE (h)-[r:`{type}`]->(t)
SET r += row.properties
"""
#: Labels of the ends of the graph's own edges; those of any other join entities.
_ENDS = {"MENTIONED_IN": ("Entity", "Document"), "HEAD": ("Statement", "Entity"), "TAIL": ("Statement", "Entity")}


def retype(tx: ManagedTransaction, types: Mapping[str, str]) -> dict[str, str]:
    """Give entities (id → type, a name of the schema) another type; id → the element id that each has now."""
    ids = sorted(types)
    entities = each(tx, _ENTITIES, ids, "ids")
    edges = each(tx, _FROM, ids, "ids")
    # What joins two of them has come already.
    edges += [row for row in each(tx, _TO, ids, "ids") if row["head"] not in types]
    each(tx, _DROP, ids, "ids")
    made: dict[str, list[Row]] = defaultdict(list)
    for row in entities:
        kind = types[row["id"]]
        made[kind].append({"id": row["id"], "properties": own(row["properties"]) | {"type": kind}})
    nodes = {row["id"]: row["node"] for kind in sorted(made) for row in each(tx, _MAKE.format(type=kind), made[kind])}
    tied: dict[str, list[Row]] = defaultdict(list)
    for row in edges:
        tied[row["type"]].append({**row, "properties": own(row["properties"])})
    for name, rows in sorted(tied.items()):
        if name not in _ENDS:
            check_name(name, "the graph's relation")
        head, tail = _ENDS.get(name, ("Entity", "Entity"))
        each(tx, _TIE.format(head=head, tail=tail, type=name), rows)
    return nodes
