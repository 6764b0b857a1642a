"""Segment: a document's text → sentences and windows of subtokens, with exact offsets.

Next stage: `inference` (tagging and relations).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import nupunkt
from tokenizers import Tokenizer

from transforms.features import WindowTokens, pack, special_ids, tokenize
from transforms.holding import held
from transforms.records import Document

#: A shorter line than this was not wrapped: its end is the author's (a heading, a list item, a form's field).
_WRAPPED = 55
_BLOCK = re.compile(r"\n[ \t]*\n\s*|\f")


@dataclass(frozen=True, slots=True)
class Segmented:
    """A document ready for the models."""

    document: Document
    sentences: tuple[tuple[int, int], ...]
    windows: tuple[WindowTokens, ...]

    def __len__(self) -> int:
        """Subtokens in all windows: what the document costs."""
        return sum(map(len, self.windows))


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without the white space around it.

    Blank lines, form feeds and the ends of short lines always end a sentence; within what remains, nupunkt
    (Bommarito et al. 2025) decides.
    """
    spans: list[tuple[int, int]] = []
    for start, end in _blocks(text):
        block = text[start:end]
        found = nupunkt.sent_spans(block) if len(block) > 1 else [(0, len(block))]
        for first, last in found:
            piece = block[first:last]
            left = len(piece) - len(piece.lstrip())
            right = len(piece.rstrip())
            if left < right:
                spans.append((start + first + left, start + first + right))
    return spans


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    for match in _BLOCK.finditer(text):
        yield from _lines(text, position, match.start())
        position = match.end()
    yield from _lines(text, position, len(text))


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a block after its short lines; longer lines are taken as wrapped and stay together."""
    first, position = start, start
    while position < end:
        stop = text.find("\n", position, end)
        stop = end if stop < 0 else stop
        if stop - position < _WRAPPED or stop == end:
            if first < stop:
                yield first, stop
            first = stop + 1
        position = stop + 1


def segment(document: Document, tokenizer: Tokenizer, window: int) -> Segmented:
    """Split a document into sentences and windows of at most `window` subtokens."""
    spans = sentences(document.text)
    tokens = tokenize(tokenizer, document.text, spans)
    windows = pack(tokens, *special_ids(tokenizer), window)
    return Segmented(document, tuple(spans), tuple(windows))


class SegmentDoFn(beam.DoFn):
    """Document → Segmented, with the tokenizer and window of a bundle."""

    def __init__(self, path: str, wanted: str) -> None:
        """A bundle by its folder and the digest of its manifest (`holding.held`)."""
        self._path, self._wanted = path, wanted

    def setup(self) -> None:
        """Load the bundle once a process."""
        self._bundle = held(self._path, self._wanted)

    def process(self, document: Document) -> Iterable[Segmented]:
        """Segment one document."""
        yield segment(document, self._bundle.tokenizer, self._bundle.window)
