"""Relate: pairs of mentions of a window → relations, within the schema's domain and range.

The graph `relations.onnx` reads the word states that `tagging` left; the text is not encoded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.bundle import Bundle
from transforms.features import WindowTokens
from transforms.schema import Schema
from transforms.tagging import TaggedBatch, WordSpan


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
    sentence = [int(window.sentences[mention.span.first]) for mention in mentions]
    return [
        (i, j)
        for i, head in enumerate(mentions)
        for j, tail in enumerate(mentions)
        if i != j and abs(sentence[i] - sentence[j]) <= reach and schema.may_relate((head.type,), (tail.type,))
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
    rows = [row for row, found in enumerate(pairs) if found]
    results: list[list[WindowRelation]] = [[] for _ in windows]
    if not rows:
        return results
    most_mentions = max(len(mentions[row]) for row in rows)
    most_pairs = max(len(pairs[row]) for row in rows)
    places = np.zeros((len(rows), most_mentions, 2), dtype=np.int64)
    types = np.zeros((len(rows), most_mentions), dtype=np.int64)
    joined = np.zeros((len(rows), most_pairs, 2), dtype=np.int64)
    for here, row in enumerate(rows):
        places[here, : len(mentions[row])] = [(m.span.first, m.span.last) for m in mentions[row]]
        types[here, : len(mentions[row])] = [m.type_index for m in mentions[row]]
        joined[here, : len(pairs[row])] = pairs[row]
    feed = {
        "states": tagged.states[rows],
        "words": tagged.batch.words[rows],
        "mentions": places,
        "types": types,
        "pairs": joined,
    }
    (logits,) = bundle.relations.run(None, feed)
    margins = logits[..., 1:] - logits[..., :1]
    for here, row in enumerate(rows):
        count = len(pairs[row])
        passed = np.argwhere(margins[here, :count] > bundle.thresholds)
        for pair, column in passed.tolist():
            head, tail = pairs[row][pair]
            name = bundle.relation_names[column]
            if schema.allows(name, mentions[row][head].type, mentions[row][tail].type):
                margin = float(margins[here, pair, column])
                results[row].append(WindowRelation(head, name, tail, 1.0 / (1.0 + float(np.exp(-margin)))))
    return results
