"""From a tagger's emissions to labelled spans: CRF Viterbi and marginals, vectorised over a batch of windows.

Shapes: B windows, W words, L labels (BIO). Scores are log-potentials; transitions carry the BIO constraints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    identity, into = np.arange(labels), np.ascontiguousarray(crf.moves.T)
    shortest = words.min()
    for step in range(1, width):
        scores = best[:, None, :] + into  # [B, to, from]
        origin, moved = scores.argmax(axis=2), scores.max(axis=2) + emissions[:, step]
        if step >= shortest:
            inside = (step < words)[:, None]
            origin, moved = np.where(inside, origin, identity), np.where(inside, moved, best)
        pointers[step], best = origin, moved
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


def by_layer(
    layers: Sequence[CrfScores], emissions: FloatArray, sentences: Sequence[IntArray]
) -> Iterator[tuple[CrfScores, FloatArray]]:
    """Each layer with its share of the emissions [B, W, L], in which its mentions keep to their sentences."""
    shares = np.split(emissions, np.cumsum([len(crf.labels) for crf in layers])[:-1], axis=2)
    for crf, scores in zip(layers, shares, strict=True):
        part_sentences(crf, scores, sentences)
        yield crf, scores


#: So that a step on which all likely labels are forbidden leaves something to scale.
_LEAST = 1e-30


def marginals(crf: CrfScores, emissions: FloatArray, words: IntArray) -> FloatArray:
    """p(label of word | window) by forward-backward: emissions [B, W, L], words [B] → [B, W, L].

    In probabilities, each step scaled to sum to one (Rabiner 1989, section V): a product of matrices a step, where
    sums of logarithms would take several passes over [B, L, L].
    """
    batch, width, labels = emissions.shape
    scores = np.exp(emissions - emissions.max(axis=2, keepdims=True)).transpose(1, 0, 2)
    np.maximum(scores, _LEAST, out=scores)
    moves, inside = np.exp(crf.moves), (np.arange(width)[:, None] < words)[:, :, None]
    forward = np.empty((width, batch, labels), dtype=np.float32)
    backward = np.ones_like(forward)
    forward[0] = _scaled(np.exp(crf.start - crf.start.max()) * scores[0])
    for step in range(1, width):
        forward[step] = _scaled((forward[step - 1] @ moves) * scores[step])
    for step in range(width - 2, -1, -1):
        moved = _scaled((backward[step + 1] * scores[step + 1]) @ moves.T)
        # Beyond a window's last word there is nothing that could speak for one label or another.
        backward[step] = np.where(inside[step + 1], moved, 1.0)
    return _scaled(forward * backward).transpose(1, 0, 2)


def _scaled(weights: FloatArray) -> FloatArray:
    scaled: FloatArray = weights / weights.sum(axis=-1, keepdims=True)
    return scaled


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
