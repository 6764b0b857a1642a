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
    batch, width = emissions.shape[:2]
    # Windows last, so that a step runs over long rows: [W, L, B].
    scores, moves = np.array(emissions.transpose(1, 2, 0), order="C"), crf.moves[:, :, None]
    scores[0] += crf.start[:, None]
    moved = np.empty((*crf.moves.shape, batch), dtype=scores.dtype)
    for step in range(1, width):  # `scores` up to here are of the best sequences that end in a label
        np.add(scores[step - 1][:, None], moves, out=moved)
        scores[step] += np.maximum.reduce(moved, axis=0)
    scores, into = np.ascontiguousarray(scores.transpose(0, 2, 1)), np.ascontiguousarray(crf.moves.T)
    rows, shortest = np.arange(batch), words.min()
    label = scores[words - 1, rows].argmax(axis=1)
    path = np.zeros((width, batch), dtype=np.int64)
    for step in range(width - 1, 0, -1):
        path[step] = label
        # Looked for on the way back, since on the way forth it would be for every label.
        before = (scores[step - 1] + into[label]).argmax(axis=1)
        # A window that is not yet reached waits with its last word's label.
        label = before if step < shortest else np.where(step < words, before, label)
    path[0] = label
    path[np.arange(width)[:, None] >= words] = 0
    return path.T


def part_sentences(crf: CrfScores, emissions: FloatArray, sentences: Sequence[IntArray]) -> None:
    """Forbid, in place, that a mention runs on from one sentence into the next, unless it may.

    Emissions [B, W, L]; of each window the sentence of each of its words.
    """
    if crf.across:
        return
    inside = np.array([label.startswith("I-") for label in crf.labels])
    first = np.zeros(emissions.shape[:2], dtype=bool)
    first[:, 0] = True
    for row, sentence in zip(first, sentences, strict=True):
        row[1 : len(sentence)] = sentence[1:] != sentence[:-1]
    np.copyto(emissions, FORBIDDEN, where=first[:, :, None] & inside)


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
    sums of logarithms would take several passes over [B, L, L]. Both directions in one loop: the backward one reads
    each window from its own last word. What lies beyond a window's words means nothing.
    """
    width = emissions.shape[1]
    scores = np.exp(emissions - emissions.max(axis=2, keepdims=True)).transpose(1, 0, 2)
    np.maximum(scores, _LEAST, out=scores)
    position = np.arange(width)[:, None]
    mirrored = np.where(position < words, words - 1 - position, position)[:, :, None]  # [W, B, 1]
    both = np.stack([scores, np.take_along_axis(scores, mirrored, axis=0)], axis=1)  # [W, 2, B, L]
    both[0, 0] *= np.exp(crf.start - crf.start.max())
    forth = np.exp(crf.moves)
    moves = np.stack([forth, forth.T])
    for step in range(1, width):
        # In place: what is read of a step is its scores, what is left there is its messages, its own score included.
        messages = (both[step - 1] @ moves) * both[step]
        np.divide(messages, np.add.reduce(messages, axis=2, keepdims=True), out=both[step])
    found = both[:, 0] * (np.take_along_axis(both[:, 1], mirrored, axis=0) / scores)
    found /= found.sum(axis=2, keepdims=True)
    return found.transpose(1, 0, 2)  # type: ignore[no-any-return]


def labelled_spans(labels: Sequence[str], paths: IntArray) -> list[list[tuple[int, int, str]]]:
    """(first word, last word + 1, type) of each B- I- run, for each of the label sequences [B, W]."""
    begins, goes_on = (np.array([label.startswith(kind) for label in labels]) for kind in ("B-", "I-"))
    width = paths.shape[1]
    ends = np.full((len(paths), width + 1), width)
    ends[:, :width] = np.where(goes_on[paths], width, np.arange(width))
    ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]  # from each word on, the first that goes on with none
    rows, firsts = np.nonzero(begins[paths])
    found: list[list[tuple[int, int, str]]] = [[] for _ in paths]
    columns = (rows, firsts, ends[rows, firsts + 1], paths[rows, firsts])
    for row, first, last, label in zip(*(column.tolist() for column in columns), strict=True):
        found[row].append((first, last, labels[label][2:]))
    return found
