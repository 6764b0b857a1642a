"""Re-DocRED's documents as examples: its Wikidata properties mapped to the default schema's relations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from export_onnx.config import Source
from export_onnx.examples import Example, Fact, Span, detokenized

TYPES = {
    "PER": frozenset({"Person"}),
    "ORG": frozenset({"Organisation"}),
    "LOC": frozenset({"Location"}),
    "TIME": frozenset({"Date"}),
    "NUM": frozenset({"Number"}),
    "MISC": frozenset({"Product", "Event", "Other"}),
}

#: Wikidata property → relation, and whether head and tail change places.
PROPERTIES: dict[str, tuple[str, bool]] = {
    "P108": ("EMPLOYER", False),
    "P749": ("PARENT_ORGANISATION", False),
    "P355": ("PARENT_ORGANISATION", True),
    "P127": ("OWNED_BY", False),
    "P112": ("FOUNDED_BY", False),
    "P488": ("LED_BY", False),
    "P6": ("LED_BY", False),
    "P35": ("LED_BY", False),
    "P159": ("HEADQUARTERS", False),
    "P131": ("LOCATED_IN", False),
    "P276": ("LOCATED_IN", False),
    "P150": ("LOCATED_IN", True),
    "P17": ("COUNTRY", False),
    "P495": ("COUNTRY", False),
    "P1001": ("JURISDICTION", False),
    "P463": ("MEMBER_OF", False),
    "P102": ("MEMBER_OF", False),
    "P54": ("MEMBER_OF", False),
    "P241": ("MEMBER_OF", False),
    "P361": ("PART_OF", False),
    "P527": ("PART_OF", True),
    "P27": ("CITIZENSHIP", False),
    "P551": ("RESIDENCE", False),
    "P937": ("RESIDENCE", False),
    "P19": ("BORN_IN", False),
    "P569": ("BORN_ON", False),
    "P570": ("DIED_ON", False),
    "P26": ("SPOUSE", False),
    "P40": ("PARENT_OF", False),
    "P22": ("PARENT_OF", True),
    "P25": ("PARENT_OF", True),
    "P69": ("EDUCATED_AT", False),
    "P176": ("PRODUCT_OF", False),
    "P178": ("PRODUCT_OF", False),
    "P1056": ("PRODUCT_OF", True),
    "P137": ("OPERATED_BY", False),
    "P50": ("CREATED_BY", False),
    "P57": ("CREATED_BY", False),
    "P58": ("CREATED_BY", False),
    "P86": ("CREATED_BY", False),
    "P162": ("CREATED_BY", False),
    "P170": ("CREATED_BY", False),
    "P175": ("CREATED_BY", False),
    "P123": ("PUBLISHED_BY", False),
    "P264": ("PUBLISHED_BY", False),
    "P1344": ("PARTICIPANT_IN", False),
    "P710": ("PARTICIPANT_IN", True),
    "P571": ("FOUNDED_ON", False),
    "P576": ("DISSOLVED_ON", False),
    "P577": ("PUBLISHED_ON", False),
    "P580": ("OCCURRED_ON", False),
    "P582": ("OCCURRED_ON", False),
    "P585": ("OCCURRED_ON", False),
}

MARKED = frozenset(name for name, _ in PROPERTIES.values())

#: The set's MISC is product, event or other: what an entity's relations tell of which (head's, tail's type).
REVEALS: dict[str, tuple[str | None, str | None]] = {
    "P176": ("Product", None),
    "P178": ("Product", None),
    "P1056": (None, "Product"),
    "P1344": (None, "Event"),
    "P607": (None, "Event"),
    "P710": ("Event", None),
    "P276": ("Event", None),
    "P580": ("Event", None),
    "P585": ("Event", None),
    **{p: ("Other", None) for p in ("P50", "P57", "P58", "P86", "P162", "P175", "P161", "P577", "P264", "P449")},
    "P1412": (None, "Other"),
    "P37": (None, "Other"),
    "P166": (None, "Other"),
}

CURRENCY = ("$", "€", "£", "¥", "dollar", "euro", "pound", "USD", "US $", "yen", "rupee", "franc")


def read(path: Path, source: Source) -> list[Example]:
    """Read a file of documents."""
    return [example(document, source.inferred) for document in json.loads(path.read_text(encoding="utf-8"))]


def example(document: dict[str, Any], inferred: bool = False) -> Example:
    """One document of Re-DocRED's JSON; `inferred` as in `Source`."""
    text, bounds, words = detokenized(document["sents"])
    types = _entity_types(document)
    spans: dict[tuple[int, int], tuple[Span, int, int]] = {}
    for entity, mentions in enumerate(document["vertexSet"]):
        for mention in mentions:
            start, end = _offsets(mention, words)
            kinds = types[entity]
            if kinds == {"Number"} and any(sign in text[start:end] for sign in CURRENCY):
                kinds = frozenset({"Money"})
            spans.setdefault((start, end), (Span(start, end, kinds), entity, mention["sent_id"]))
    kept: list[tuple[Span, int, int]] = []
    for row in sorted(spans.values(), key=lambda r: (r[0].start, -r[0].end)):
        if not kept or row[0].start >= kept[-1][0].end:
            kept.append(row)
    certain, unclear = _relations(document, [(entity, sentence) for _, entity, sentence in kept], inferred)
    return Example(
        text,
        tuple(bounds),
        tuple(row[0] for row in kept),
        relations=tuple(certain),
        unclear=tuple(unclear),
        marked_relations=MARKED,
        entities=tuple(tuple(_offsets(mention, words) for mention in mentions) for mentions in document["vertexSet"]),
        facts=tuple(_facts(document)),
    )


def _offsets(mention: dict[str, Any], words: Sequence[Sequence[tuple[int, int]]]) -> tuple[int, int]:
    offsets = words[mention["sent_id"]]
    return offsets[mention["pos"][0]][0], offsets[mention["pos"][1] - 1][1]


def _facts(document: dict[str, Any]) -> Iterator[Fact]:
    """Facts of entities; several properties may come to one relation."""
    evidence: dict[tuple[int, str, int], set[int]] = {}
    for label in document["labels"]:
        if label["r"] in PROPERTIES:
            name, swapped = PROPERTIES[label["r"]]
            head, tail = (label["t"], label["h"]) if swapped else (label["h"], label["t"])
            evidence.setdefault((head, name, tail), set()).update(label["evidence"])
    for (head, name, tail), sentences in evidence.items():
        yield Fact(head, name, tail, frozenset(sentences))


def _entity_types(document: dict[str, Any]) -> list[frozenset[str]]:
    types = [TYPES[mentions[0]["type"]] for mentions in document["vertexSet"]]
    for label in document["labels"]:
        for side, revealed in zip((label["h"], label["t"]), REVEALS.get(label["r"], (None, None)), strict=True):
            if revealed and revealed in types[side]:
                types[side] = frozenset({revealed})
    return types


def _relations(
    document: dict[str, Any], mentions: list[tuple[int, int]], inferred: bool
) -> tuple[list[tuple[int, str, int]], list[tuple[int, str, int]]]:
    """Facts about entities, brought down to pairs of mentions, each an (entity, sentence).

    A pair states the fact if the sentences of both mentions are among the evidence; where the set gives none, if they
    are one sentence or it may be `inferred`. Other pairs of the same entities are unclear.
    """
    by_entity: dict[int, list[int]] = {}
    for index, (entity, _) in enumerate(mentions):
        by_entity.setdefault(entity, []).append(index)
    certain: list[tuple[int, str, int]] = []
    unclear: list[tuple[int, str, int]] = []
    for label in document["labels"]:
        mapped = PROPERTIES.get(label["r"])
        if not mapped:
            continue
        name, swapped = mapped
        evidence = set(label["evidence"])
        for head, tail in _pairs(by_entity, label["h"], label["t"]):
            first, second = mentions[head][1], mentions[tail][1]
            stated = {first, second} <= evidence or (not evidence and (inferred or first == second))
            row = (tail, name, head) if swapped else (head, name, tail)
            (certain if stated else unclear).append(row)
    return certain, unclear


def _pairs(by_entity: dict[int, list[int]], head: int, tail: int) -> Iterator[tuple[int, int]]:
    for first in by_entity.get(head, []):
        for second in by_entity.get(tail, []):
            yield first, second
