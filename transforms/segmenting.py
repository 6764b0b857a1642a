"""Segment: a document's text → sentences and windows of subtokens, with exact offsets.

Next stage: `inference` (tagging and relations).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import nupunkt
from tokenizers import Tokenizer

from transforms.cells import GAP
from transforms.features import WindowTokens, pack, special_ids, tokenize
from transforms.holding import held
from transforms.records import Document

#: A shorter line than this was not wrapped: its end is the author's (a heading, a list item, a form's field).
_WRAPPED = 55
#: Formats whose readers end a line where a paragraph, a row or an item ends.
_LAID_OUT = frozenset({"md", "docx", "html"})
_BLOCK = re.compile(r"\n[ \t]*\n\s*|\f")
#: No column, but the number of an item: "1.", "(a)", "-".
_NUMBER = re.compile(r"\s*\W?\w{0,3}(?:\.\w{1,3})?\W?")
#: "was bought by Acme Inc. The yard", "by Acme Inc. Bolt Works AS is"; but not "Acme Inc. President".
_FORM = r"(?:Ltd|Inc|Corp|LLC|LLP|PLC|Plc|plc|Pty|Bhd|Co)"
_FORM_ENDS = re.compile(
    rf"\b{_FORM}\.(?=\s+(?:(?:The|This|That|These|Those|He|She|It|They|We|Our|Its|His|Her|Their|In|On|At|As|By|For|From"
    r"|If|When|While|After|Before|Under|A|An|All|Both|Each|No|Any|Such)\s"
    rf"|(?:[A-Z][\w&'’-]*\s+){{1,5}}(?:{_FORM}|AS|ASA|AG|GmbH|S\.?A|N\.?V|B\.?V|AB|Oy)\b))"
)


@dataclass(frozen=True, slots=True)
class Segmented:
    """A document ready for the models."""

    document: Document
    sentences: tuple[tuple[int, int], ...]
    windows: tuple[WindowTokens, ...]

    def __len__(self) -> int:
        """Subtokens in all windows: what the document costs."""
        return sum(map(len, self.windows))


def sentences(text: str, wrapped: int = _WRAPPED) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without the white space around it.

    Blank lines, form feeds, the gaps between columns and the ends of lines of less than `wrapped` characters always end
    a sentence; within what remains, nupunkt (Bommarito et al. 2025) decides, to whom the full stop of a legal form is
    never a sentence's.
    """
    spans: list[tuple[int, int]] = []
    for start, end in _blocks(text, wrapped):
        block = text[start:end]
        found = nupunkt.sent_spans(block) if len(block) > 1 else [(0, len(block))]
        for first, last in (piece for span in found for piece in _after_forms(block, *span)):
            piece = block[first:last]
            left = len(piece) - len(piece.lstrip())
            right = len(piece.rstrip())
            if left < right:
                spans.append((start + first + left, start + first + right))
    return spans


def _after_forms(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in _FORM_ENDS.finditer(text, start, end):
        yield start, match.end()
        start = match.end()
    yield start, end


def _blocks(text: str, wrapped: int) -> Iterator[tuple[int, int]]:
    position = 0
    for match in _BLOCK.finditer(text):
        yield from _lines(text, position, match.start(), wrapped)
        position = match.end()
    yield from _lines(text, position, len(text), wrapped)


def _lines(text: str, start: int, end: int, wrapped: int) -> Iterator[tuple[int, int]]:
    """Cut a block after its short lines, and between the columns of a line; longer lines are taken as wrapped and stay
    together, those of the last column too, if what follows begins below it.
    """
    first, position, column = start, start, 0
    while position < end:
        stop = text.find("\n", position, end)
        stop = end if stop < 0 else stop
        gaps = [gap.span() for gap in GAP.finditer(text, position, stop)]
        if gaps and _NUMBER.fullmatch(text, position, gaps[0][0]):
            del gaps[0]
        below = column > 0 and not gaps and abs(_indent(text, position, stop) - column) <= 1
        if first < position and (gaps or (column > 0 and not below)):
            yield first, position - 1
            first = position
        for gap in gaps:
            yield first, gap[0]
            first = gap[1]
        column = gaps[-1][1] - position if gaps else column if below else 0
        if stop - position < wrapped:
            if first < stop:
                yield first, stop
            first = stop + 1
        position = stop + 1
    if first < end:
        yield first, end


def _indent(text: str, start: int, stop: int) -> int:
    return stop - start - len(text[start:stop].lstrip())


def segment(document: Document, tokenizer: Tokenizer, window: int) -> Segmented:
    """Split a document into sentences and windows of at most `window` subtokens."""
    spans = sentences(document.text, sys.maxsize if document.format in _LAID_OUT else _WRAPPED)
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
