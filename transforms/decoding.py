"""From a tagger's emissions to labelled spans: CRF Viterbi and marginals, vectorised over a batch of windows.

Shapes: B windows, W words, L labels (BIO). Scores are log-potentials; transitions carry the BIO constraints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


#: A score that no path can afford.
FORBIDDEN = -1e4


@dataclass(frozen=True, slots=True)
class CrfScores:
    """A linear-chain CRF's scores over `labels`; with `across`, a mention may run on into the next sentence."""

    labels: tuple[str, ...]
    start: FloatArray  # [L]
    moves: FloatArray  # [L, L] from row to column
    across: bool = False


def viterbi(crf: CrfScores, emissions: FloatArray, words: IntArray) -> IntArray:
    """The best label sequence of each window: emissions [B, W, L], words [B] → [B, W]; 0 beyond a window's words."""
    batch, width, labels = emissions.shape
    best = crf.start + emissions[:, 0]
    pointers = np.zeros((width, batch, labels), dtype=np.int64)
    identity = np.arange(labels)
    for step in range(1, width):
        scores = best[:, :, None] + crf.moves
        origin = scores.argmax(axis=1)
        moved = np.take_along_axis(scores, origin[:, None, :], axis=1)[:, 0] + emissions[:, step]
        inside = (step < words)[:, None]
        best = np.where(inside, moved, best)
        pointers[step] = np.where(inside, origin, identity)
    path = np.zeros((batch, width), dtype=np.int64)
    path[:, -1] = best.argmax(axis=1)
    rows = np.arange(batch)
    for step in range(width - 1, 0, -1):
        path[:, step - 1] = pointers[step, rows, path[:, step]]
    path[np.arange(width) >= words[:, None]] = 0
    return path


def part_sentences(crf: CrfScores, emissions: FloatArray, sentences: Sequence[IntArray]) -> None:
    """Forbid, in place, that a mention runs on from one sentence into the next, unless it may.

    Emissions [B, W, L]; of each window the sentence of each of its words.
    """
    if crf.across:
        return
    inside = np.flatnonzero([label.startswith("I-") for label in crf.labels])
    for row, sentence in enumerate(sentences):
        first = np.flatnonzero(np.diff(sentence, prepend=-1))
        emissions[row, first[:, None], inside] = FORBIDDEN


def by_layer(layers: Sequence[CrfScores], emissions: FloatArray) -> list[FloatArray]:
    """Emissions [B, W, L] of all layers → those of each."""
    return np.split(emissions, np.cumsum([len(crf.labels) for crf in layers])[:-1], axis=2)


def _logsumexp(scores: FloatArray, axis: int) -> FloatArray:
    top = scores.max(axis=axis, keepdims=True)
    total: FloatArray = np.log(np.exp(scores - top).sum(axis=axis)) + np.squeeze(top, axis)
    return total


def marginals(crf: CrfScores, emissions: FloatArray, words: IntArray) -> FloatArray:
    """p(label of word | window) by forward-backward: emissions [B, W, L], words [B] → [B, W, L]."""
    batch, width, labels = emissions.shape
    alpha = np.zeros((width, batch, labels), dtype=np.float32)
    beta = np.zeros_like(alpha)
    alpha[0] = crf.start + emissions[:, 0]
    for step in range(1, width):
        moved = _logsumexp(alpha[step - 1][:, :, None] + crf.moves, 1) + emissions[:, step]
        alpha[step] = np.where((step < words)[:, None], moved, alpha[step - 1])
    for step in range(width - 2, -1, -1):
        moved = _logsumexp(crf.moves + (emissions[:, step + 1] + beta[step + 1])[:, None, :], 2)
        beta[step] = np.where((step + 1 < words)[:, None], moved, 0.0)
    scores = (alpha + beta).transpose(1, 0, 2)
    probabilities: FloatArray = np.exp(scores - _logsumexp(scores, 2)[:, :, None])
    return probabilities


def labelled_spans(labels: Sequence[str], path: Sequence[int]) -> list[tuple[int, int, str]]:
    """(first word, last word + 1, type) of each B- I- run of one label sequence."""
    spans: list[tuple[int, int, str]] = []
    first = -1
    for position, label in enumerate([*(labels[index] for index in path), "O"]):
        if first >= 0 and not label.startswith("I-"):
            spans.append((first, position, labels[path[first]][2:]))
            first = -1
        if label.startswith("B-"):
            first = position
    return spans
