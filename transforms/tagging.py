"""Tag: a batch of windows → mentions, and the word states that the relation head reads.

The graph `model.onnx` encodes each window once; Viterbi and marginals run over the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.bundle import Bundle
from transforms.decoding import FloatArray, IntArray, by_layer, labelled_spans, marginals, viterbi
from transforms.features import WindowTokens, pad

#: Windows a rectangle holds at most, and subtokens. Small batches stay in cache; for int8 on two cores, 8 long windows
#: measured best, and 16 short ones.
RECTANGLE, SUBTOKENS = 16, 1024
#: What one more rectangle costs, in subtokens.
CALL = 8


@dataclass(frozen=True, slots=True)
class WordSpan:
    """A mention in one window: words first ≤ w < last, the tagger's label, and its probability."""

    first: int
    last: int
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class TaggedBatch:
    """What the encoder and the tagger made of B windows of up to W words."""

    words: IntArray  # [B]
    states: FloatArray  # [B, W, H]
    spans: list[list[WordSpan]]


def tag(bundle: Bundle, windows: Sequence[WindowTokens]) -> TaggedBatch:
    """Encode and tag windows; spans outside a window's core are left to the window whose core they are in."""
    emissions, states = _encode(bundle, windows)
    words = np.array([len(window.starts) for window in windows], dtype=np.int64)
    spans: list[list[WordSpan]] = [[] for _ in windows]
    for crf, scores in by_layer(bundle.layers, emissions, [window.sentences for window in windows]):
        paths = viterbi(crf, scores, words)
        sure = np.take_along_axis(marginals(crf, scores, words), paths[:, :, None], axis=2)[:, :, 0]
        for found, window, chosen, here in zip(spans, windows, sure, labelled_spans(crf.labels, paths), strict=True):
            low, high = window.core
            found += [
                # A span is as sure as its least sure word.
                WordSpan(first, last, label, float(chosen[first:last].min()))
                for first, last, label in here
                if low <= first < high
            ]
    return TaggedBatch(words, states, spans)


def _encode(bundle: Bundle, windows: Sequence[WindowTokens]) -> tuple[FloatArray, FloatArray]:
    """Emissions [B, W, L] and states [B, W, H], W words of the longest window."""
    found: list[tuple[list[int], FloatArray, FloatArray]] = []
    for group in rectangles([*map(len, windows)], SUBTOKENS):
        batch = pad([windows[place] for place in group])
        feed = {"ids": batch.ids, "shapes": batch.shapes, "mask": batch.mask, "starts": batch.starts}
        found.append((group, *bundle.tagger.run(None, feed)))
    width = max(emissions.shape[1] for _, emissions, _ in found)
    joined = [np.zeros((len(windows), width, part.shape[2]), dtype=np.float32) for part in found[0][1:]]
    for group, *parts in found:
        for whole, part in zip(joined, parts, strict=True):
            whole[group, : part.shape[1]] = part
    return joined[0], joined[1]


def rectangles(lengths: Sequence[int], room: float = math.inf) -> list[list[int]]:
    """Windows, or what else is padded to one length, in groups of like length (by index), the short ones first.

    Of all ways to cut their order by length, the one that costs least: what is padded to the longest of a group costs
    as much as what is read, and each group a `CALL` more. A group of several holds no more than `room`, padding
    included.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    least, cuts = [0], [0]  # for the first n of the order: its cost, and where the last group begins
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        most = int(max(1, min(RECTANGLE, room // longest)))
        begins = range(max(0, end - most), end)
        cost, begin = min((least[begin] + CALL + longest * (end - begin), begin) for begin in begins)
        least.append(cost)
        cuts.append(begin)
    groups, end = list[list[int]](), len(order)
    while end:
        groups.append(order[cuts[end] : end])
        end = cuts[end]
    return groups[::-1]
