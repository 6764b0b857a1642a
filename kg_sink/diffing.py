"""Diff: what two models say differently of the same documents, and what the graph said at two times."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from kg_sink.connection import GraphError
from kg_sink.past_queries import evidence_then, stated
from kg_sink.queries import run_query
from kg_sink.round_trips import pieces
from kg_sink.server import Connection

Row = dict[str, Any]

_MODELS = "MATCH (:Entity)-[m:MENTIONED_IN]->(:Document) RETURN DISTINCT m.model AS model ORDER BY model"
_READ_BY_BOTH = """
MATCH (:Entity)-[m:MENTIONED_IN]->(d:Document) WHERE m.model IN [$one, $other]
WITH d, count(DISTINCT m.model) AS models WHERE models = 2
RETURN d.id AS id
"""
_SAID = """
UNWIND $ids AS id
MATCH (d:Document {id: id})<-[:FROM]-(v:Evidence)-[:SUPPORTS]->(s:Statement) WHERE v.model IN [$one, $other]
WITH s, d, collect(DISTINCT v.model) AS models, max(v.confidence) AS confidence WHERE size(models) = 1
MATCH (s)-[:HEAD]->(h:Entity)
MATCH (s)-[:TAIL]->(t:Entity)
RETURN models[0] AS only, h.name AS head, s.relation AS relation, t.name AS tail, confidence, d.uri AS document,
       s.id AS statement
"""
_CHANGED = (
    """
    MATCH (v:Evidence)-[:SUPPORTS]->(s:Statement) WHERE v.first_seen > $early AND v.first_seen <= $late
    RETURN DISTINCT s.id AS id
    """,
    """
    MATCH (p:PastEvidence) WHERE p.until > $early AND p.first_seen <= $late
    RETURN DISTINCT p.statement AS id
    """,
)
_PIECE = 2_000


def diff_models(connection: Connection, one: str, other: str) -> list[Row]:
    """Statements that only one of two models made of a document in which both found something.

    Raises:
        GraphError: nothing in the graph is by one of the models.
    """
    known = [row["model"] for row in run_query(connection, _MODELS)]
    for model in (one, other):
        if model not in known:
            raise GraphError(f"nothing in the graph is by the model {model!r}; there is {', '.join(known) or 'none'}")
    both = [row["id"] for row in run_query(connection, _READ_BY_BOTH, {"one": one, "other": other})]
    rows: list[Row] = []
    for piece in pieces(both, _PIECE):
        rows += run_query(connection, _SAID, {"ids": piece, "one": one, "other": other})
    return sorted(rows, key=lambda row: (row["document"], -row["confidence"], row["statement"], row["only"]))


def diff_times(connection: Connection, one: str, other: str) -> list[Row]:
    """Statements that stood at one of two times only (as `history.as_time` writes them)."""
    early, late = sorted((one, other))
    changed = {row["id"] for query in _CHANGED for row in run_query(connection, query, {"early": early, "late": late})}
    then: dict[str, dict[str, Row]] = defaultdict(dict)
    for piece in pieces(sorted(changed), _PIECE):
        for at in (one, other):
            found = stated(evidence_then(connection, at, piece))
            then[at].update((row["statement"], row) for row in found)
    only = [
        {"only": at, **{name: row[name] for name in ("head", "relation", "tail", "confidence", "statement")}}
        for at, against in ((one, other), (other, one))
        for key, row in then[at].items()
        if key not in then[against]
    ]
    return sorted(only, key=lambda row: (row["only"], -row["confidence"], row["statement"]))
