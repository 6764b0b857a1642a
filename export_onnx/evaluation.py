"""Entity and relation F1 on dev parts, from any function that runs the two graphs (torch or ONNX Runtime)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from export_onnx.examples import RELATIONS, Span
from export_onnx.windows import TrainingBatch, TrainingWindow, collate
from transforms.decoding import CrfScores, labelled_spans, part_sentences, viterbi

#: A batch → emissions [B, W, L] and relation logits [B, P, 1 + R].
Forward = Callable[[TrainingBatch], tuple[np.ndarray, np.ndarray]]


@dataclass(slots=True)
class Counts:
    """Right, found and true numbers, and the scores they make, in per cent."""

    right: int = 0
    found: int = 0
    true: int = 0

    def add(self, right: int, found: int, true: int) -> None:
        """Add up."""
        self.right, self.found, self.true = self.right + right, self.found + found, self.true + true

    def scores(self) -> dict[str, float]:
        """Precision, recall, F1 and support."""
        precision = self.right / self.found if self.found else 0.0
        recall = self.right / self.true if self.true else 0.0
        f1 = 2 * precision * recall / (precision + recall) if self.right else 0.0
        return {
            "precision": round(100 * precision, 1),
            "recall": round(100 * recall, 1),
            "f1": round(100 * f1, 1),
            "support": self.true,
        }


Scored = tuple[np.ndarray, np.ndarray]


def run(
    windows: Sequence[TrainingWindow], forward: Forward, crf: CrfScores
) -> tuple[dict[str, dict[str, Counts]], Scored]:
    """Entity counts by set and type (and `all`), and the margins and targets [N, R] of all pairs."""
    counts: dict[str, dict[str, Counts]] = defaultdict(lambda: defaultdict(Counts))
    margins, targets = [], []
    chooser = random.Random(0)
    order = sorted(windows, key=lambda w: len(w.tokens))
    for first in range(0, len(order), 16):
        batch = collate(order[first : first + 16], chooser)
        emissions, logits = forward(batch)
        part_sentences(crf, emissions, [window.tokens.sentences for window in batch.windows])
        paths = viterbi(crf, emissions, batch.words.numpy())
        for window, path in zip(batch.windows, paths, strict=True):
            found = labelled_spans(crf.labels, path[: len(window.tokens.starts)])
            _count(counts[window.source], window, found)
        real = batch.real.numpy()
        margins.append((logits[..., 1:] - logits[..., :1])[real])
        targets.append(batch.targets.numpy()[real])
    return counts, (np.concatenate(margins), np.concatenate(targets))


def _count(counts: dict[str, Counts], window: TrainingWindow, found: Sequence[tuple[int, int, str]]) -> None:
    gold = {(int(f), int(t)): span for (f, t), span in zip(window.mentions, window.spans, strict=True)}
    open_spans = [place for place, span in gold.items() if not span.known]
    for span in gold.values():
        if span.known:
            _add(counts, _primary(span), true=1)
    for first, last, name in found:
        match = gold.get((first, last))
        if match is not None and match.known and name in match.types:
            _add(counts, _primary(match), right=1, found=1)
        elif name in window.unmarked or any(f < last and first < t for f, t in open_spans):
            continue  # the set cannot say whether this is right
        else:
            _add(counts, name, found=1)


def _add(counts: dict[str, Counts], name: str, right: int = 0, found: int = 0, true: int = 0) -> None:
    counts[name].add(right, found, true)
    counts["all"].add(right, found, true)


def _primary(span: Span) -> str:
    return "Other" if len(span.types) > 1 else next(iter(span.types))


def relation_counts(scored: Scored, thresholds: Mapping[str, float]) -> dict[str, Counts]:
    """Counts by relation, and `all`, of pairs whose margin over the threshold class passes `thresholds`."""
    margins, targets = scored
    counts: dict[str, Counts] = defaultdict(Counts)
    for column, name in enumerate(RELATIONS):
        known = targets[:, column] >= 0
        found = (margins[:, column] > thresholds[name]) & known
        true = targets[:, column] == 1
        row = (int((found & true).sum()), int(found.sum()), int(true.sum()))
        counts[name].add(*row)
        counts["all"].add(*row)
    return counts


def tune_thresholds(scored: Scored, least: int = 8, precise: float = 50.0) -> dict[str, float]:
    """The margin for each relation, tuned on these pairs: its own if it has `least` of them, else one for all.

    Of the margins with a precision of at least `precise` per cent, the one with the best F1; where none has, the
    most precise one: a graph bears a missing fact better than a wrong one.
    """
    grid = [float(x) for x in np.arange(-2.0, 4.01, 0.25)]
    by_value = {value: relation_counts(scored, dict.fromkeys(RELATIONS, value)) for value in grid}

    def quality(names: Sequence[str], value: float) -> tuple[float, float, float]:
        pooled = Counts()
        for name in names:
            found = by_value[value][name]
            pooled.add(found.right, found.found, found.true)
        scores = pooled.scores()
        # Of equal scores the one nearest to the model's own threshold.
        return min(scores["precision"], precise), scores["f1"], -abs(value)

    def best(names: Sequence[str]) -> float:
        return max(grid, key=lambda value: quality(names, value))

    common = best(RELATIONS)
    support = {name: int((scored[1][:, column] == 1).sum()) for column, name in enumerate(RELATIONS)}
    return {name: best([name]) if support[name] >= least else common for name in RELATIONS}
