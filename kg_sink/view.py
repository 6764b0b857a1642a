"""View: the graph, or what lies around one entity, as one HTML page that opens without a network (neo4j-viz)."""

from __future__ import annotations

from typing import Any

from neo4j_viz import Node, Relationship, VisualizationGraph

from kg_sink.connection import GraphError
from kg_sink.queries import STEP, Row, run_query
from kg_sink.server import Connection

#: The whole graph, its best supported statements first, those about values among them.
OVERVIEW = """
MATCH (v:Evidence)-[:SUPPORTS]->(s:Statement)
WITH s, count(v) AS evidence, max(v.confidence) AS confidence
ORDER BY evidence DESC, confidence DESC, s.id LIMIT $limit
MATCH (s)-[:HEAD]->(h:Entity)
MATCH (s)-[:TAIL]->(t:Entity)
RETURN s.id AS statement, s.relation AS relation, h.id AS head, h.name AS head_name, h.type AS head_type,
       t.id AS tail, t.name AS tail_name, t.type AS tail_type
"""

#: Colours that differ for the colour blind too (Okabe & Ito 2008), by type in order of appearance.
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")


def overview(connection: Connection, limit: int = 300) -> list[Row]:
    """The statements of a picture of the whole graph.

    Raises:
        GraphError: the graph has no statement, or cannot be read.
    """
    rows = run_query(connection, OVERVIEW, {"limit": limit})
    if not rows:
        raise GraphError("the graph holds no statement yet; fill it with: tripleflow run INPUT")
    return rows


def neighbourhood(connection: Connection, entity: str, hops: int = 2, limit: int = 300) -> list[Row]:
    """The statements within `hops` of an entity (id).

    Raises:
        GraphError: nothing is stated of the entity, or the graph cannot be read.
    """
    rows: dict[str, Row] = {}
    frontier = {entity}
    for _ in range(hops):
        found = run_query(connection, STEP.cypher, {"ids": sorted(frontier), "limit": limit})
        frontier = {row[side] for row in found for side in ("head", "tail")} - frontier
        rows.update((row["statement"], row) for row in found)
        if len(rows) >= limit or not frontier:
            break
    if not rows:
        raise GraphError(f"nothing is stated of {entity!r}; try: tripleflow view, without an entity")
    return list(rows.values())[:limit]


def render(rows: list[Row], title: str) -> str:
    """Statements as an HTML page with nodes coloured by type and edges named by relation."""
    nodes: dict[str, dict[str, Any]] = {}
    for row in rows:
        for side in ("head", "tail"):
            node = nodes.setdefault(row[side], {"name": row[f"{side}_name"], "type": row[f"{side}_type"], "degree": 0})
            node["degree"] += 1
    types = list(dict.fromkeys(node["type"] for node in nodes.values()))
    colours = {kind: COLOURS[place % len(COLOURS)] for place, kind in enumerate(types)}
    graph = VisualizationGraph(
        nodes=[
            Node(
                id=key,
                caption=node["name"],
                caption_size=1,  # larger ones do not fit: names are cut in the middle of a word
                size=20 + min(30, 3 * node["degree"]),
                properties={"type": node["type"], "id": key},
            )
            for key, node in nodes.items()
        ],
        relationships=[
            Relationship(
                source=row["head"], target=row["tail"], caption=row["relation"], properties={"id": row["statement"]}
            )
            for row in rows
        ],
    )
    graph.color_nodes(property="type", colors=colours)
    page = str(graph.render(height="100vh").data)
    return page.replace("<title>neo4j-viz</title>", f"<title>{_escaped(title)}</title>", 1)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
