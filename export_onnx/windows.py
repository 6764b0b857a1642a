"""Examples as padded tensors: what the tagger may answer for each word, and what holds of each pair."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from export_onnx.examples import Example, LabelSpace, Span
from transforms.features import SentenceTokens, WindowTokens, letter_shapes, pack, pad, special_ids, tokenize

POSITIVE, IGNORED = 1, -1
#: After what share of the sentences a window ends that is cut at random, if it is not full before.
ENDING = 0.15


@dataclass(slots=True)
class TrainingWindow:
    """One window of an example. W words, L labels, M mentions, P pairs, R relations."""

    source: str
    tokens: WindowTokens
    allowed: np.ndarray  # bool [W, L]
    spans: list[Span]  # the example's spans that lie in the window
    mentions: np.ndarray  # [M, 2] first word, last word + 1
    pairs: np.ndarray  # [P, 2] indices of mentions
    targets: np.ndarray  # [P, R] 1 holds, 0 does not, -1 unclear
    unmarked: frozenset[str]
    marked: frozenset[str]  # relations
    text: str


def windows_of(
    source: str,
    example: Example,
    tokenizer: Tokenizer,
    space: LabelSpace,
    limit: int,
    reach: int = 1,
    chooser: random.Random | None = None,
) -> list[TrainingWindow]:
    """Pack an example's sentences and lay its annotation over the words; pairs are up to `reach` sentences apart.

    With a `chooser`, windows end after any sentences, as well as where they are full.
    """
    sentences = example.sentences or ((0, len(example.text)),)
    tokens = tokenize(tokenizer, example.text, sentences)
    special = special_ids(tokenizer)
    packed = [w for part in _parted(tokens, chooser) for w in pack(part, *special, limit, overlap=0)]
    return [_window(source, example, window, space, reach) for window in packed]


def _parted(sentences: Sequence[SentenceTokens], chooser: random.Random | None) -> list[Sequence[SentenceTokens]]:
    if chooser is None:
        return [sentences]
    ends = [place for place in range(1, len(sentences)) if chooser.random() < ENDING]
    return [sentences[first:last] for first, last in pairwise([0, *ends, len(sentences)])]


def _window(source: str, example: Example, window: WindowTokens, space: LabelSpace, reach: int) -> TrainingWindow:
    begins, ends = window.spans[:, 0], window.spans[:, 1]
    allowed = np.zeros((len(begins), space.width), dtype=bool)
    allowed[:, space.outside] = True
    for name in example.unmarked:
        _allow(allowed, space, name, begin=slice(None), inside=slice(None))
    spans: list[Span] = []
    mentions: list[tuple[int, int]] = []
    original: list[int] = []
    low = bisect_left(example.spans, begins[0], key=attrgetter("start"))
    high = bisect_left(example.spans, ends[-1], key=attrgetter("start"))
    for index, span in enumerate(example.spans[low:high], start=low):
        first = int(np.searchsorted(begins, span.start))
        last = int(np.searchsorted(ends, span.end, side="right"))
        if last <= first or ends[-1] < span.end:
            continue
        # What the set leaves unmarked is not hidden in a mention, not even in one that may be none.
        layer = space.columns[min(span.types)][1]
        allowed[first:last, layer] = False
        allowed[first:last, layer.start] = not span.known
        for name in span.types:
            if span.known:
                _allow(allowed, space, name, begin=slice(first, first + 1), inside=slice(first + 1, last))
            else:
                _allow(allowed, space, name, begin=slice(first, last), inside=slice(first, last))
        spans.append(span)
        mentions.append((first, last))
        original.append(index)
    sentence = [int(window.sentences[first]) for first, _ in mentions]
    marked = frozenset(space.relations) if example.marked_relations is None else example.marked_relations
    pairs, targets = _pairs(example, marked, spans, sentence, original, space, reach)
    return TrainingWindow(
        source,
        window,
        allowed,
        spans,
        np.array(mentions, dtype=np.int64).reshape(-1, 2),
        pairs,
        targets,
        example.unmarked,
        marked,
        example.text,
    )


def _allow(allowed: np.ndarray, space: LabelSpace, name: str, *, begin: slice, inside: slice) -> None:
    column, _ = space.columns[name]
    allowed[begin, column] = True
    allowed[inside, column + 1] = True


def _pairs(
    example: Example,
    marked: frozenset[str],
    spans: Sequence[Span],
    sentence: Sequence[int],
    original: Sequence[int],
    space: LabelSpace,
    reach: int,
) -> tuple[np.ndarray, np.ndarray]:
    place = {index: here for here, index in enumerate(original)}
    rows: dict[tuple[int, int], np.ndarray] = {}
    if marked:
        blank = np.array([0 if name in marked else IGNORED for name in space.relations])
        for i, head in enumerate(spans):
            for j, tail in enumerate(spans):
                near = i != j and abs(sentence[i] - sentence[j]) <= reach
                if near and space.may_relate(head.types, tail.types):
                    rows[i, j] = blank.copy()
    for value, triples in ((IGNORED, example.unclear), (POSITIVE, example.relations)):
        for first, name, second in triples:
            key = (place.get(first, -1), place.get(second, -1))
            if key in rows:
                rows[key][space.relations.index(name)] = value
    pairs = np.array(list(rows), dtype=np.int64).reshape(len(rows), 2)
    targets = np.array(list(rows.values()), dtype=np.int64).reshape(len(rows), len(space.relations))
    return pairs, targets


@dataclass(slots=True)
class TrainingBatch:
    """Padded tensors of B windows."""

    inputs: tuple[Tensor, Tensor, Tensor, Tensor]  # ids, shapes, mask [B, T]; starts [B, W]
    words: Tensor  # [B]
    allowed: Tensor  # bool [B, W, L]
    mentions: Tensor  # [B, M, 2]
    types: Tensor  # [B, M]
    pairs: Tensor  # [B, P, 2]
    targets: Tensor  # [B, P, R]; -1 everywhere in padding
    real: Tensor  # bool [B, P]
    windows: list[TrainingWindow]


def collate(
    windows: list[TrainingWindow], space: LabelSpace, chooser: random.Random, *, recase: float = 0.0
) -> TrainingBatch:
    """Pad windows; with probability `recase`, read one as if it were all upper or all lower case."""
    batch = pad([w.tokens for w in windows])
    shapes = batch.shapes.copy()
    for row, window in enumerate(windows):
        if chooser.random() < recase:
            shapes[row, : len(window.tokens)] = _recased(window, upper=chooser.random() < 0.6)
    width, count = batch.starts.shape[1], len(windows)
    allowed = np.zeros((count, width, space.width), dtype=bool)
    allowed[:, :, space.outside] = True
    mention_count = max(1, *(len(w.mentions) for w in windows)) if windows else 1
    pair_count = max(1, *(len(w.pairs) for w in windows))
    mentions = np.zeros((count, mention_count, 2), dtype=np.int64)
    types = np.zeros((count, mention_count), dtype=np.int64)
    pairs = np.zeros((count, pair_count, 2), dtype=np.int64)
    targets = np.full((count, pair_count, len(space.relations)), IGNORED, dtype=np.int64)
    real = np.zeros((count, pair_count), dtype=bool)
    for row, w in enumerate(windows):
        allowed[row, : len(w.allowed)] = w.allowed
        mentions[row, : len(w.mentions)] = w.mentions
        types[row, : len(w.spans)] = [space.types.index(chooser.choice(sorted(s.types))) for s in w.spans]
        pairs[row, : len(w.pairs)], targets[row, : len(w.pairs)] = w.pairs, w.targets
        real[row, : len(w.pairs)] = True
    tensor = torch.from_numpy
    return TrainingBatch(
        inputs=(tensor(batch.ids), tensor(shapes), tensor(batch.mask), tensor(batch.starts)),
        words=tensor(batch.words),
        allowed=tensor(allowed),
        mentions=tensor(mentions),
        types=tensor(types),
        pairs=tensor(pairs),
        targets=tensor(targets),
        real=tensor(real),
        windows=windows,
    )


def _recased(window: TrainingWindow, *, upper: bool) -> np.ndarray:
    text = window.text.upper() if upper else window.text.lower()
    if len(text) != len(window.text):  # ß and a few others change length; leave those alone
        return window.tokens.shapes
    words = letter_shapes(text, window.tokens.spans)
    bounds = np.append(window.tokens.starts, len(window.tokens) - 1)
    inner = np.repeat(words, np.diff(bounds))
    return np.concatenate([[0], inner, [0]])


def batches(
    windows: Sequence[TrainingWindow], budget: int, chooser: random.Random, most: int = 32
) -> Iterator[list[TrainingWindow]]:
    """Shuffled batches of windows of like length, at most `budget` padded subtokens and `most` windows each."""
    order = list(windows)
    chooser.shuffle(order)
    groups: list[list[TrainingWindow]] = []
    for first in range(0, len(order), 400):
        pool = sorted(order[first : first + 400], key=lambda w: len(w.tokens))
        group: list[TrainingWindow] = []
        for window in pool:
            if group and (len(group) == most or (len(group) + 1) * len(window.tokens) > budget):
                groups.append(group)
                group = []
            group.append(window)
        groups.append(group)
    chooser.shuffle(groups)
    yield from groups
