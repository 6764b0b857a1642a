"""Export: the whole graph as sorted JSON lines, equal for equal graphs whatever way they were written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from neo4j import READ_ACCESS, Driver

from kg_sink.connection import with_driver
from kg_sink.round_trips import own
from kg_sink.server import Connection

#: When a thing was written is not what it says.
_LEFT_OUT = frozenset({"created", "first_seen", "last_seen"})
_NODES = "MATCH (n:{label}) RETURN n ORDER BY n.id"
_EDGES = (
    "MATCH (a:{label})-[r]->(b) RETURN labels(a) AS a, a.id AS head, type(r) AS type, properties(r) AS p, b.id AS tail"
)
LABELS = ("Document", "Entity", "Statement", "Evidence", "Alias")


def canonical_export(connection: Connection) -> list[str]:
    """Every node and edge as one JSON line each, sorted.

    Raises:
        GraphError: the graph cannot be read.
    """

    def work(driver: Driver) -> list[str]:
        with driver.session(database=connection.database, default_access_mode=READ_ACCESS) as session:
            lines = [line for label in LABELS for line in _nodes(session, label)]
            lines += [line for label in LABELS for line in _edges(session, label)]
        return sorted(lines)

    return with_driver(connection, work)


def _nodes(session: Any, label: str) -> Iterator[str]:
    for record in session.run(_NODES.format(label=label)):
        node = record["n"]
        yield _line({"kind": "node", "labels": sorted(node.labels), "properties": _clean(dict(node))})


def _edges(session: Any, label: str) -> Iterator[str]:
    for record in session.run(_EDGES.format(label=label)):
        yield _line(
            {
                "kind": "edge",
                "type": record["type"],
                "head": record["head"],
                "tail": record["tail"],
                "properties": _clean(record["p"]),
            }
        )


def _clean(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in own(properties).items() if name not in _LEFT_OUT}


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
