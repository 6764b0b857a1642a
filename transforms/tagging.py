"""Tag: a batch of windows → mentions, and the word states that the relation head reads.

The graph `model.onnx` encodes each window once; Viterbi and marginals run over the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transforms.bundle import Bundle
from transforms.decoding import CrfScores, FloatArray, by_layer, labelled_spans, marginals, viterbi
from transforms.features import Batch, WindowTokens, pad


@dataclass(frozen=True, slots=True)
class WordSpan:
    """A mention in one window: words first ≤ w < last, the tagger's label, and its probability."""

    first: int
    last: int
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class TaggedBatch:
    """What the encoder and the tagger made of B windows."""

    batch: Batch
    states: FloatArray  # [B, W, H]
    spans: list[list[WordSpan]]


def tag(bundle: Bundle, windows: Sequence[WindowTokens]) -> TaggedBatch:
    """Encode and tag windows; spans outside a window's core are left to the window whose core they are in."""
    batch = pad(windows)
    emissions, states = bundle.tagger.run(
        None, {"ids": batch.ids, "shapes": batch.shapes, "mask": batch.mask, "starts": batch.starts}
    )
    spans: list[list[WordSpan]] = [[] for _ in windows]
    for crf, scores in by_layer(bundle.layers, emissions, [window.sentences for window in windows]):
        paths, probabilities = viterbi(crf, scores, batch.words), marginals(crf, scores, batch.words)
        for found, window, path, probability in zip(spans, windows, paths, probabilities, strict=True):
            found += _spans(crf, window, path, probability)
    return TaggedBatch(batch, states, spans)


def _spans(crf: CrfScores, window: WindowTokens, path: np.ndarray, probabilities: FloatArray) -> list[WordSpan]:
    words = np.arange(len(window.starts))
    chosen = probabilities[words, path[: len(words)]]
    low, high = window.core
    return [
        # A span is as sure as its least sure word.
        WordSpan(first, last, label, float(chosen[first:last].min()))
        for first, last, label in labelled_spans(crf.labels, path[: len(words)].tolist())
        if low <= first < high
    ]
