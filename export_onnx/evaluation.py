"""Entity and relation F1: on gold mentions (the heads by themselves), and as the pipeline runs a bundle."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from export_onnx.examples import Example, LabelSpace, Span
from export_onnx.windows import POSITIVE, TrainingBatch, TrainingWindow, collate
from transforms.bundle import Bundle
from transforms.decoding import by_layer, labelled_spans, viterbi
from transforms.relations import WindowMention, relate
from transforms.schema import Schema
from transforms.tagging import tag

#: Windows that are run side by side.
_GROUP = 16


@dataclass(slots=True)
class Counts:
    """Right, found and true numbers, and the scores they make, in per cent. What is right in part counts in part."""

    right: float = 0
    found: int = 0
    true: int = 0

    def add(self, right: float, found: int, true: int) -> None:
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
ByType = dict[str, Counts]


def total(rows: Iterable[Counts]) -> Counts:
    """The sum."""
    found = Counts()
    for row in rows:
        found.add(row.right, row.found, row.true)
    return found


def on_gold(bundle: Bundle, windows: Sequence[TrainingWindow], space: LabelSpace) -> tuple[dict[str, ByType], Scored]:
    """Entity counts by set and type (and `all`), and the margins and targets [N, R] of all pairs of gold mentions."""
    counts: dict[str, ByType] = defaultdict(lambda: defaultdict(Counts))
    margins, targets = [np.zeros((0, len(space.relations)))], [np.zeros((0, len(space.relations)), dtype=np.int64)]
    for group, batch, emissions, logits in runs_on_gold(bundle, windows, space):
        found: list[list[_Mention]] = [[] for _ in group]
        for crf, scores in by_layer(bundle.layers, emissions, [window.tokens.sentences for window in group]):
            paths = viterbi(crf, scores, batch.words.numpy())
            for spans, here in zip(found, labelled_spans(crf.labels, paths), strict=True):
                spans += here
        for window, spans in zip(group, found, strict=True):
            _count(counts[window.source], window, spans)
        if logits is not None:
            real = batch.real.numpy()
            margins.append((logits[..., 1:] - logits[..., :1])[real])
            targets.append(batch.targets.numpy()[real])
    return counts, (np.concatenate(margins), np.concatenate(targets))


def runs_on_gold(
    bundle: Bundle, windows: Sequence[TrainingWindow], space: LabelSpace
) -> Iterator[tuple[list[TrainingWindow], TrainingBatch, np.ndarray, np.ndarray | None]]:
    """Groups of windows, their tensors, emissions [B, W, L] and, of pairs of gold mentions, logits [B, P, 1 + R]."""
    chooser = random.Random(0)
    for group in _groups(windows):
        batch = collate(group, space, chooser)
        feed = {n: x.numpy() for n, x in zip(("ids", "shapes", "mask", "starts"), batch.inputs, strict=True)}
        emissions, states = bundle.tagger.run(None, feed)
        logits = None
        if bundle.relations is not None:
            pairs = {"words": batch.words, "mentions": batch.mentions, "types": batch.types, "pairs": batch.pairs}
            (logits,) = bundle.relations.run(None, {"states": states, **{n: x.numpy() for n, x in pairs.items()}})
        yield group, batch, emissions, logits


def _groups(windows: Sequence[TrainingWindow]) -> Iterator[list[TrainingWindow]]:
    order = sorted(windows, key=lambda w: len(w.tokens))
    for first in range(0, len(order), _GROUP):
        yield order[first : first + _GROUP]


@dataclass(slots=True)
class Report:
    """What a bundle found on its own.

    Attributes:
        entities: mentions by type, exact span and type.
        relations: by name; right if both mentions are, span and type (strict).
        arguments: of events, by role; right if the argument's span, the role and the event's type are, whichever the
            trigger (as event extraction is scored since ACE 2005).
        overlaps: a value a layer; mentions again, but each is right by Dice's coefficient of its words and those of the
            found one of its type, one to one (as TAC's event nuggets are scored: Liu et al. 2015, and CASIE's paper).
        words, windows: a value a layer; words of mentions with the right type, and windows in which all have it.
    """

    entities: ByType = field(default_factory=lambda: defaultdict(Counts))
    relations: ByType = field(default_factory=lambda: defaultdict(Counts))
    arguments: ByType = field(default_factory=lambda: defaultdict(Counts))
    overlaps: list[Counts] = field(default_factory=list)
    words: list[Counts] = field(default_factory=list)
    windows: list[Counts] = field(default_factory=list)

    def add_unseen(self, examples: Sequence[Example], windows: Sequence[TrainingWindow], space: LabelSpace) -> None:
        """Count as missed what windows cut: mentions and relations of the examples that lie in none of them."""
        unseen = Counter(min(span.types) for e in examples for span in e.spans if span.known)
        unseen.subtract(min(span.types) for window in windows for span in window.spans if span.known)
        self.entities["all"].true += unseen.total()
        for counts, layer in zip(self.overlaps, space.layers, strict=True):
            counts.true += sum(unseen[name] for name in layer)
        self.relations["all"].true += sum(len(e.relations) for e in examples)
        self.relations["all"].true -= sum(int((window.targets == POSITIVE).sum()) for window in windows)

    def scores(self) -> dict[str, Any]:
        """All of it, in per cent."""
        tables = {"entities": self.entities, "relations": self.relations, "arguments": self.arguments}
        return {
            **{table: {name: c.scores() for name, c in sorted(by.items())} for table, by in tables.items()},
            "overlaps": [counts.scores() for counts in self.overlaps],
            "words": [counts.scores()["recall"] for counts in self.words],
            "windows": [counts.scores()["recall"] for counts in self.windows],
        }


def by_pipeline(bundle: Bundle, schema: Schema, windows: Sequence[TrainingWindow], space: LabelSpace) -> Report:
    """Tag and relate as the pipeline does."""
    events = {label for label, name in schema.type_of_label.items() if name in schema.events}
    overlaps, words, in_windows = ([Counts() for _ in space.layers] for _ in range(3))
    report = Report(overlaps=overlaps, words=words, windows=in_windows)
    for group in _groups(windows):
        tokens = [window.tokens for window in group]
        tagged = tag(bundle, tokens)
        mentions = [
            [
                WindowMention(span, schema.type_of_label[span.label], bundle.types.index(span.label))
                for span in sorted(spans, key=lambda span: (span.first, -span.last))
                if span.label in schema.type_of_label
            ]
            for spans in tagged.spans
        ]
        for window, found, relations in zip(
            group, mentions, relate(bundle, schema, tagged, tokens, mentions), strict=True
        ):
            spans = [(m.span.first, m.span.last, m.span.label) for m in found]
            _count(report.entities, window, spans)
            _count_overlaps(report, window, spans, space)
            _count_words(report, window, spans, space)
            facts = [(spans[r.head], r.name, spans[r.tail]) for r in relations]
            gold = _gold_facts(window, space)
            _count_facts(report.relations, window, facts, gold)
            _count_arguments(report.arguments, window, facts, gold, events)
    return report


def _count_overlaps(report: Report, window: TrainingWindow, found: Sequence[_Mention], space: LabelSpace) -> None:
    gold = [(first, last, span.types) for first, last, span in _placed(window) if span.known]
    pairs, beyond = paired(gold, found), _beyond(window, found)
    taken = {j for j, _ in pairs.values()}
    for counts, layer in zip(report.overlaps, space.layers, strict=True):
        here = [i for i, (_, _, types) in enumerate(gold) if types & set(layer)]
        said = [j for j, span in enumerate(found) if span[2] in layer and (j in taken or span not in beyond)]
        counts.add(sum(pairs[i][1] for i in here if i in pairs), len(said), len(here))


def paired(gold: Sequence[_Gold], found: Sequence[_Mention]) -> dict[int, tuple[int, float]]:
    """Mentions → found ones of their type and Dice's coefficient, by place; one to one, those first that share most."""
    shared = [
        (2 * words / (g[1] - g[0] + f[1] - f[0]), i, j)
        for i, g in enumerate(gold)
        for j, f in enumerate(found)
        if f[2] in g[2] and (words := min(g[1], f[1]) - max(g[0], f[0])) > 0
    ]
    pairs: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for share, i, j in sorted(shared, key=lambda row: -row[0]):
        if i not in pairs and j not in taken:
            pairs[i] = j, share
            taken.add(j)
    return pairs


def _count_words(report: Report, window: TrainingWindow, found: Sequence[_Mention], space: LabelSpace) -> None:
    """Of each word in a mention, its type; where in the mention it stands is not asked."""
    gold = [(first, last, span.types) for first, last, span in _placed(window)]
    for place, layer in enumerate(space.layers):
        said = {word: name for first, last, name in found if name in layer for word in range(first, last)}
        true = {word: types for first, last, types in gold if types & set(layer) for word in range(first, last)}
        right = sum(said.get(word) in types for word, types in true.items())
        report.words[place].add(right, right, len(true))
        if true:
            report.windows[place].add(int(right == len(true)), 1, 1)


_Mention = tuple[int, int, str]  # first word, last word + 1, label
_Fact = tuple[_Mention, str, _Mention]
_Gold = tuple[int, int, frozenset[str]]
_GoldFacts = dict[tuple[_Gold, str, _Gold], int]


def _gold_facts(window: TrainingWindow, space: LabelSpace) -> _GoldFacts:
    """1 for what holds, -1 for what is unclear, by (head, relation, tail)."""
    ends = [(first, last, span.types) for first, last, span in _placed(window)]
    return {
        (ends[head], space.relations[column], ends[tail]): int(row[column])
        for (head, tail), row in zip(window.pairs.tolist(), window.targets, strict=True)
        for column in np.flatnonzero(row)
    }


def _count_facts(counts: ByType, window: TrainingWindow, found: Sequence[_Fact], gold: _GoldFacts) -> None:
    for fact, value in gold.items():
        if value == POSITIVE:
            _add(counts, fact[1], true=1)
    for head, name, tail in found:
        if name in window.marked:
            values = [v for (h, n, t), v in gold.items() if n == name and _same(h, head) and _same(t, tail)]
            if POSITIVE in values or not values:
                _add(counts, name, right=int(bool(values)), found=1)


def _count_arguments(
    counts: ByType, window: TrainingWindow, found: Sequence[_Fact], gold: _GoldFacts, events: set[str]
) -> None:
    said = {(head[2], name, tail[:2]) for head, name, tail in found if head[2] in events and name in window.marked}
    true = {
        (min(head[2]), name, tail[:2])
        for (head, name, tail), value in gold.items()
        if value == POSITIVE and head[2] <= events
    }
    for row in said | true:
        _add(counts, row[1], int(row in said & true), int(row in said), int(row in true))


def _same(gold: _Gold, found: _Mention) -> bool:
    return gold[:2] == found[:2] and found[2] in gold[2]


def _count(counts: ByType, window: TrainingWindow, found: Sequence[_Mention]) -> None:
    gold: dict[tuple[int, int], list[Span]] = defaultdict(list)
    for first, last, span in _placed(window):
        gold[first, last].append(span)
    beyond = _beyond(window, found)
    for spans in gold.values():
        for span in spans:
            if span.known:
                _add(counts, _primary(span), true=1)
    for first, last, name in found:
        match = next((span for span in gold.get((first, last), ()) if span.known and name in span.types), None)
        if match is not None:
            _add(counts, _primary(match), right=1, found=1)
        elif (first, last, name) not in beyond:
            _add(counts, name, found=1)


def _placed(window: TrainingWindow) -> list[tuple[int, int, Span]]:
    """First word, last word + 1 and span of each mention of the window's annotation."""
    return [(*place, span) for place, span in zip(window.mentions.tolist(), window.spans, strict=True)]


def _beyond(window: TrainingWindow, found: Sequence[_Mention]) -> set[_Mention]:
    """What was found of which the set cannot say whether it is right, if it does not mark the same itself."""
    unsure = [(first, last) for first, last, span in _placed(window) if not span.known]
    return {m for m in found if m[2] in window.unmarked or any(f < m[1] and m[0] < t for f, t in unsure)}


def _add(counts: ByType, name: str, right: int = 0, found: int = 0, true: int = 0) -> None:
    counts[name].add(right, found, true)
    counts["all"].add(right, found, true)


def _primary(span: Span) -> str:
    return max(span.types) if len(span.types) == 1 else "one of several"


def relation_counts(scored: Scored, relations: Sequence[str], thresholds: Mapping[str, float]) -> ByType:
    """Counts by relation, and `all`, of pairs whose margin over the threshold class passes `thresholds`."""
    margins, targets = scored
    counts: ByType = defaultdict(Counts)
    for column, name in enumerate(relations):
        known = targets[:, column] >= 0
        found = (margins[:, column] > thresholds[name]) & known
        true = targets[:, column] == 1
        row = (int((found & true).sum()), int(found.sum()), int(true.sum()))
        counts[name].add(*row)
        counts["all"].add(*row)
    return counts


def tune_thresholds(scored: Scored, relations: Sequence[str], precise: float, least: int = 8) -> dict[str, float]:
    """The margin for each relation, tuned on these pairs: its own if it has `least` of them, else one for all.

    Of the margins with a precision of at least `precise` per cent, the one with the best F1; where none has, the
    most precise one: a graph bears a missing fact better than a wrong one. None lies below the model's own threshold:
    what that gains on dev is lost on texts of other kinds.
    """
    grid = [float(x) for x in np.arange(0.0, 4.01, 0.25)]
    by_value = {value: relation_counts(scored, relations, dict.fromkeys(relations, value)) for value in grid}

    def quality(names: Sequence[str], value: float) -> tuple[float, float, float]:
        scores = total(by_value[value][name] for name in names).scores()
        # Of equal scores the one nearest to the model's own threshold.
        return min(scores["precision"], precise), scores["f1"], -value

    def best(names: Sequence[str]) -> float:
        return max(grid, key=lambda value: quality(names, value))

    common = best(relations)
    support = {name: int((scored[1][:, column] == 1).sum()) for column, name in enumerate(relations)}
    return {name: best([name]) if support[name] >= least else common for name in relations}
