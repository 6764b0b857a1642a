"""re3d (Dstl 2017): `documents.jsonl`, with entities.jsonl and relations.jsonl beside it, in the default schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from export_onnx.config import Source
from export_onnx.examples import Example, Span, without_overlaps
from export_onnx.formats.lines import numbered_lines
from transforms.records import VALUE_TYPES

#: What the set's labels mean; one under several types is open between them.
TYPES = {
    "Person": frozenset({"Person"}),
    "Organisation": frozenset({"Organisation"}),
    "Location": frozenset({"Location"}),
    "Nationality": frozenset({"Location", "Other"}),
    "Temporal": frozenset({"Date"}),
    "Money": frozenset({"Money"}),
    "Quantity": frozenset({"Number"}),
    "Weapon": frozenset({"Product"}),
    "MilitaryPlatform": frozenset({"Product"}),
    "Vehicle": frozenset({"Product"}),
    "DocumentReference": frozenset({"Other"}),
}
#: Relation, and whether head and tail change places.
RELATIONS = {
    "CommWith": ("COMMUNICATED_WITH", False),
    "CoLocated": ("LOCATED_IN", False),
    "BelongsTo": ("MEMBER_OF", False),
    "InChargeOf": ("LED_BY", True),
}


def read(path: Path, source: Source) -> list[Example]:
    """Read one source's documents."""
    mentions = _by_document(path.parent / "entities.jsonl")
    relations = _by_document(path.parent / "relations.jsonl")
    return [
        _example(row["_id"], row["text"], mentions.get(row["_id"], []), relations.get(row["_id"], []))
        for row in _json_lines(path)
    ]


def _example(key: str, text: str, entities: Sequence[dict[str, Any]], links: Sequence[dict[str, Any]]) -> Example:
    spans: dict[tuple[int, int], Span] = {}
    for entity in entities:
        types = TYPES.get(entity["type"])
        start, end = int(entity["begin"]), int(entity["end"])
        if not types or end <= start:
            continue
        start = _skip_article(text, start, end)
        named = any(c.isupper() or c.isdigit() for c in text[start:end]) or types & VALUE_TYPES
        spans[int(entity["begin"]), int(entity["end"])] = Span(start, end, types, bool(named))
    kept = without_overlaps(list(spans.values()))
    index = {(span.start, span.end): i for i, span in enumerate(kept)}
    relations = []
    for link in links:
        mapped = RELATIONS.get(link["type"])
        ends = [spans.get((int(link[f"{side}Begin"]), int(link[f"{side}End"]))) for side in ("source", "target")]
        if mapped and all(ends):
            name, swapped = mapped
            head, tail = (index.get((end.start, end.end)) for end in ends if end)
            if head is not None and tail is not None:
                relations.append((tail, name, head) if swapped else (head, name, tail))
    marked = frozenset(name for name, _ in RELATIONS.values())
    return Example(text, (), tuple(kept), relations=tuple(relations), marked_relations=marked, key=key)


def _skip_article(text: str, start: int, end: int) -> int:
    for article in ("the ", "The ", "a ", "A ", "an "):
        if text.startswith(article, start) and start + len(article) < end:
            return start + len(article)
    return start


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    for _, line in numbered_lines(path):
        yield json.loads(line)


def _by_document(path: Path) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in _json_lines(path):
        rows.setdefault(row["documentId"], []).append(row)
    return rows
