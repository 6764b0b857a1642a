"""Relate: pairs of mentions of a window → relations, within the schema's domain and range.

The graph `relations.onnx` reads the word states that `tagging` left; the text is not encoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.bundle import Bundle
from transforms.decoding import FloatArray
from transforms.features import WindowTokens
from transforms.schema import Schema
from transforms.tagging import TaggedBatch, WordSpan, rectangles


@dataclass(frozen=True, slots=True)
class WindowMention:
    """A mention of a window that relations may join: its words, its type in the schema, its index in the bundle."""

    span: WordSpan
    type: str
    type_index: int


@dataclass(frozen=True, slots=True)
class WindowRelation:
    """A relation between two mentions of one window, by index; the confidence is not calibrated."""

    head: int
    name: str
    tail: int
    confidence: float


def candidate_pairs(
    mentions: Sequence[WindowMention], window: WindowTokens, schema: Schema, reach: int
) -> list[tuple[int, int]]:
    """Ordered pairs of mentions, up to `reach` sentences apart, that some relation of the schema may join."""
    ends = [(i, int(window.sentences[m.span.first]), m.type) for i, m in enumerate(mentions)]
    joined = schema.joined
    return [
        (i, j)
        for i, one, head in ends
        for j, other, tail in ends
        if (head, tail) in joined and i != j and abs(one - other) <= reach
    ]


def relate(
    bundle: Bundle,
    schema: Schema,
    tagged: TaggedBatch,
    windows: Sequence[WindowTokens],
    mentions: Sequence[Sequence[WindowMention]],
) -> list[list[WindowRelation]]:
    """Relations of each of B windows, given its mentions."""
    if bundle.relations is None:
        return [[] for _ in windows]
    pairs = [
        candidate_pairs(found, window, schema, bundle.reach) for found, window in zip(mentions, windows, strict=True)
    ]
    held = [row for row, found in enumerate(pairs) if found]
    results: list[list[WindowRelation]] = [[] for _ in windows]
    for group in rectangles([len(pairs[row]) for row in held]):
        rows = [held[place] for place in group]
        margins = _margins(bundle, tagged, rows, mentions, pairs)
        for here, row in enumerate(rows):
            passed = np.argwhere(margins[here, : len(pairs[row])] > bundle.thresholds)
            for pair, column in passed.tolist():
                head, tail = pairs[row][pair]
                name = bundle.relation_names[column]
                if schema.allows(name, mentions[row][head].type, mentions[row][tail].type):
                    confidence = 1.0 / (1.0 + float(np.exp(-margins[here, pair, column])))
                    results[row].append(WindowRelation(head, name, tail, confidence))
    return results


def _margins(
    bundle: Bundle,
    tagged: TaggedBatch,
    rows: Sequence[int],
    mentions: Sequence[Sequence[WindowMention]],
    pairs: Sequence[Sequence[tuple[int, int]]],
) -> FloatArray:
    """Of some windows (by row), the margin of each relation over the threshold class for each pair: [N, P, R]."""
    assert bundle.relations is not None
    most_mentions = max(len(mentions[row]) for row in rows)
    most_pairs = max(len(pairs[row]) for row in rows)
    places = np.zeros((len(rows), most_mentions, 2), dtype=np.int64)
    types = np.zeros((len(rows), most_mentions), dtype=np.int64)
    joined = np.zeros((len(rows), most_pairs, 2), dtype=np.int64)
    for here, row in enumerate(rows):
        places[here, : len(mentions[row])] = [(m.span.first, m.span.last) for m in mentions[row]]
        types[here, : len(mentions[row])] = [m.type_index for m in mentions[row]]
        joined[here, : len(pairs[row])] = pairs[row]
    words = tagged.words[rows]
    feed = {
        "states": tagged.states[rows, : words.max()],
        "words": words,
        "mentions": places,
        "types": types,
        "pairs": joined,
    }
    (logits,) = bundle.relations.run(None, feed)
    return logits[..., 1:] - logits[..., :1]  # type: ignore[no-any-return]
