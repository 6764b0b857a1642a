"""What a model reads: subtokens, letter shapes and word starts, packed into windows.

Text comes in with the spans of its sentences; arrays that keep exact character offsets go out. Training
(`export_onnx`) and the run time (`tagging`, `relations`) share this module, so that both see the same words.

A word is what BERT's pre-tokenizer makes of the text: a run between white space and punctuation, or one
punctuation character. Words, not subtokens, carry labels.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

# One tokenizer call comes from one Beam thread; a pool of its own under each would fight for the same cores.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

IntArray = npt.NDArray[np.int64]

#: Letter shapes, by index. 0 is kept for padding and special tokens.
SHAPES = ("none", "lower", "Title", "UPPER", "mIxed", "X", "digits", "digits+letters", "other")
_TABLE = 0x10000


@dataclass(frozen=True, slots=True)
class SentenceTokens:
    """One sentence, tokenized. T subtokens, W words; `spans` are offsets into the document's text."""

    ids: IntArray  # [T]
    shapes: IntArray  # [T]
    starts: IntArray  # [W] index of each word's first subtoken
    spans: IntArray  # [W, 2]


@dataclass(frozen=True, slots=True)
class WindowTokens:
    """Consecutive sentences of one document that are encoded together: T subtokens with [CLS] and [SEP]."""

    ids: IntArray  # [T]
    shapes: IntArray  # [T]
    starts: IntArray  # [W]
    spans: IntArray  # [W, 2] offsets into the document's text
    sentences: IntArray  # [W] index of each word's sentence in the document
    core: tuple[int, int]  # words whose mentions count; the rest is another window's core

    def __len__(self) -> int:
        return len(self.ids)


@lru_cache(maxsize=1)
def _character_classes() -> npt.NDArray[np.int64]:
    """[3, 65536]: is upper, is lower, is digit, for the basic multilingual plane."""
    rows = [[test(chr(c)) for c in range(_TABLE)] for test in (str.isupper, str.islower, str.isdigit)]
    return np.array(rows, dtype=np.int64)


def letter_shapes(text: str, spans: IntArray) -> IntArray:
    """The shape of each span of `text`: [N, 2] offsets in, [N] indices into `SHAPES` out."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = np.where(codes < _TABLE, codes, 0)
    running = np.zeros((3, len(text) + 1), dtype=np.int64)
    np.cumsum(_character_classes()[:, codes], axis=1, out=running[:, 1:])
    begin, end = spans[:, 0], spans[:, 1]
    upper, lower, digits = running[:, end] - running[:, begin]
    first_upper = running[0, np.minimum(begin + 1, end)] - running[0, begin]
    letters = upper + lower
    return np.select(
        [
            (digits > 0) & (letters > 0),
            digits > 0,
            (letters == 1) & (upper == 1),
            (letters > 0) & (lower == 0),
            (letters > 0) & (upper == 0),
            (letters > 0) & (first_upper == 1) & (upper == 1),
            letters > 0,
        ],
        [7, 6, 5, 3, 1, 2, 4],
        default=8,
    ).astype(np.int64)


def load_tokenizer(path: str) -> Tokenizer:
    """The tokenizer of a bundle, never cutting or padding: windows are packed here."""
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def special_ids(tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids of [CLS] and [SEP].

    Raises:
        ValueError: the tokenizer has none; it is not BERT's.
    """
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if first is None or last is None:
        raise ValueError("tokenizer.json: no [CLS] and [SEP]; a BERT tokenizer is needed")
    return first, last


def tokenize(tokenizer: Tokenizer, text: str, sentences: Sequence[tuple[int, int]]) -> list[SentenceTokens]:
    """Tokenize sentences of a document, given as (start, end) offsets into `text`."""
    encodings = tokenizer.encode_batch([text[start:end] for start, end in sentences], add_special_tokens=False)
    # All sentences as one row, cut in the end: calls a sentence would cost more than the tokenizer.
    sizes = [len(encoding) for encoding in encodings]
    ids = _row(encoding.ids for encoding in encodings)
    words = _row(encoding.word_ids for encoding in encodings)  # type: ignore[misc]  # None: of special tokens alone
    offsets = _row(chain.from_iterable(encoding.offsets) for encoding in encodings).reshape(-1, 2)
    sentence = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.flatnonzero(np.diff(words, prepend=-1) | np.diff(sentence, prepend=-1))
    lengths = np.diff(starts, append=len(ids))
    begins = np.array([start for start, _ in sentences], dtype=np.int64)[sentence[starts], None]
    spans = np.stack([offsets[starts, 0], offsets[starts + lengths - 1, 1]], axis=1) + begins
    shapes = np.repeat(letter_shapes(text, spans), lengths)
    ends = np.cumsum(sizes)
    bounds = pairwise([0, *ends.tolist()]), pairwise([0, *starts.searchsorted(ends).tolist()])
    return [
        SentenceTokens(ids[begin:end], shapes[begin:end], starts[low:high] - begin, spans[low:high])
        for (begin, end), (low, high) in zip(*bounds, strict=True)
    ]


def _row(parts: Iterable[Iterable[int]]) -> IntArray:
    return np.fromiter(chain.from_iterable(parts), dtype=np.int64)


def pack(
    sentences: Sequence[SentenceTokens], cls_id: int, sep_id: int, limit: int, overlap: int = 16
) -> list[WindowTokens]:
    """Pack consecutive sentences into windows of at most `limit` subtokens, special tokens included.

    A sentence over the limit is cut at words into windows that overlap by `overlap` words; each word lies in
    the core of exactly one of them, so that no mention is found twice.
    """
    windows: list[WindowTokens] = []
    room = limit - 2
    batch: list[tuple[int, SentenceTokens]] = []
    used = 0
    for index, sentence in enumerate(sentences):
        if not len(sentence.ids):
            continue
        if batch and used + len(sentence.ids) > room:
            windows.append(_join(batch, cls_id, sep_id))
            batch, used = [], 0
        if len(sentence.ids) > room:
            windows.extend(_cut(index, sentence, cls_id, sep_id, room, overlap))
            continue
        batch.append((index, sentence))
        used += len(sentence.ids)
    if batch:
        windows.append(_join(batch, cls_id, sep_id))
    return windows


def _join(batch: Sequence[tuple[int, SentenceTokens]], cls_id: int, sep_id: int) -> WindowTokens:
    shift, starts = 1, []
    for _, sentence in batch:
        starts.append(sentence.starts + shift)
        shift += len(sentence.ids)
    counts = [len(sentence.starts) for _, sentence in batch]
    return WindowTokens(
        ids=np.concatenate([[cls_id], *(s.ids for _, s in batch), [sep_id]]),
        shapes=np.concatenate([[0], *(s.shapes for _, s in batch), [0]]),
        starts=np.concatenate(starts),
        spans=np.concatenate([s.spans for _, s in batch]),
        sentences=np.repeat([index for index, _ in batch], counts),
        core=(0, sum(counts)),
    )


def _cut(
    index: int, sentence: SentenceTokens, cls_id: int, sep_id: int, room: int, overlap: int
) -> Iterable[WindowTokens]:
    total = len(sentence.starts)
    bounds = np.append(sentence.starts, len(sentence.ids))
    first, core_from = 0, 0
    while core_from < total:
        while bounds[core_from + 1] - bounds[first] > room and first < core_from:
            first += 1  # long words before: fewer of them, so that the core's first word is read whole
        last = int(np.searchsorted(bounds, bounds[first] + room, side="right")) - 1
        last = min(max(last, first + 1), total)
        core_to = total if last == total else max(last - overlap // 2, core_from + 1)
        begin, end = int(bounds[first]), min(int(bounds[last]), int(bounds[first]) + room)
        part = SentenceTokens(
            sentence.ids[begin:end],
            sentence.shapes[begin:end],
            sentence.starts[first:last] - begin,
            sentence.spans[first:last],
        )
        joined = _join([(index, part)], cls_id, sep_id)
        yield WindowTokens(
            joined.ids,
            joined.shapes,
            joined.starts,
            joined.spans,
            joined.sentences,
            (core_from - first, core_to - first),
        )
        core_from = core_to
        first = max(core_to - overlap // 2, first + 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows padded to one rectangle. B windows, T subtokens, W words."""

    ids: IntArray  # [B, T]
    shapes: IntArray  # [B, T]
    mask: IntArray  # [B, T] 1 where there is a subtoken
    starts: IntArray  # [B, W] 0 where there is no word
    words: IntArray  # [B] number of words


def pad(windows: Sequence[WindowTokens]) -> Batch:
    """Pad windows to the longest of them."""
    length = max(len(window.ids) for window in windows)
    words = np.array([len(window.starts) for window in windows], dtype=np.int64)
    width = int(words.max())
    ids = np.zeros((len(windows), length), dtype=np.int64)
    shapes, mask = np.zeros_like(ids), np.zeros_like(ids)
    starts = np.zeros((len(windows), width), dtype=np.int64)
    for row, window in enumerate(windows):
        size = len(window.ids)
        ids[row, :size], shapes[row, :size], mask[row, :size] = window.ids, window.shapes, 1
        starts[row, : len(window.starts)] = window.starts
    return Batch(ids, shapes, mask, starts, words)


if sys.byteorder != "little":  # pragma: no cover - the code points above are read as little-endian
    raise ImportError("tripleflow needs a little-endian machine")
