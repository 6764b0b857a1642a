"""History: what the graph said once and does not say any more, kept as nodes that stand by themselves.

Evidence that is withdrawn or replaced becomes a `PastEvidence`, a mention a `PastMention`, each with the time from
which (`first_seen`) and up to which (`until`, exclusive) it stood. They have no edges, so that the graph itself holds
only what is so now. `as_of` queries read both. What the document said (`said_head`, `said_tail`; `said`) stays beside
the entities that these are by the merges of today.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from neo4j import ManagedTransaction

from kg_sink.connection import GraphError
from kg_sink.round_trips import each, own

Row = dict[str, Any]

_KEEP = """
UNWIND $rows AS row
MERGE (p:{label} {{id: row.id}})
SET p += row.properties
"""
_URIS = tuple(
    f"UNWIND $ids AS id MATCH (d:{label} {{{name}: id}}) RETURN DISTINCT d.uri AS uri"
    for label, name in (("Document", "id"), ("PastEvidence", "document"), ("PastMention", "document"))
)
_FORGET = tuple(
    f"UNWIND $uris AS uri MATCH (p:{label} {{uri: uri}}) DELETE p" for label in ("PastEvidence", "PastMention")
)
_SAID = "UNWIND $uris AS uri MATCH (p:PastMention {uri: uri}) WHERE p.said IS NOT NULL RETURN DISTINCT p.said AS said"


def as_time(text: str) -> str:
    """A date or time (ISO 8601) as the graph writes times; a date alone is its first moment, no zone is UTC.

    Raises:
        GraphError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise GraphError(f"{text}: not a date or time; write it as 2026-03-01 or 2026-03-01T09:30:00") from error
    return stamp(found if found.tzinfo else found.replace(tzinfo=UTC))


def stamp(moment: datetime) -> str:
    """A moment as the graph writes times: UTC, ISO 8601 with microseconds, so that texts sort as times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def present() -> str:
    """This moment, as `stamp` writes it."""
    return stamp(datetime.now(UTC))


def keep_evidence(tx: ManagedTransaction, rows: Iterable[Row], until: str) -> None:
    """Keep evidence that is about to go: rows of `properties`, `statement`, head, tail and document."""
    kept = []
    for row in rows:
        properties = own(row["properties"])
        if properties.get("first_seen", "") < until:
            key = f"{properties['id']}@{properties.get('first_seen', '')}"
            said = {f"said_{end}": properties.get(end) for end in ("head", "tail")}
            around = {name: value for name, value in row.items() if name != "properties" and value is not None}
            kept.append({"id": key, "properties": {**properties, **said, **around, "id": key, "until": until}})
    each(tx, _KEEP.format(label="PastEvidence"), kept)


def keep_mentions(tx: ManagedTransaction, rows: Iterable[Row], until: str) -> None:
    """Keep mentions that are about to go: rows of `properties`, of the entity and of the document."""
    kept = []
    for row in rows:
        edge = row["properties"]
        if edge.get("first_seen", "") < until:
            key = f"{edge['said']}@{row['document']}@{edge['model']}@{edge.get('first_seen', '')}"
            around = {name: row[name] for name in ("entity", "name", "type", "document", "uri", "title")}
            names = ("said", "model", "names", "count", "subtypes", "first_seen")
            counted = {name: edge[name] for name in names if name in edge}
            kept.append({"id": key, "properties": {**counted, **around, "until": until}})
    each(tx, _KEEP.format(label="PastMention"), kept)


def forget(tx: ManagedTransaction, documents: Sequence[str]) -> set[str]:
    """Delete all history of documents (ids) that are about to go or went, and of all other versions of them.

    Returns whom it mentioned: ids, as they were said.
    """
    # A version has an id of its own; the URI is what they have in common.
    uris = sorted({row["uri"] for query in _URIS for row in each(tx, query, documents, "ids")})
    said = {row["said"] for row in each(tx, _SAID, uris, "uris")}
    for query in _FORGET:
        each(tx, query, uris, "uris")
    return said
