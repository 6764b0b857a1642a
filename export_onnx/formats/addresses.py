"""usaddress' XML: addresses, each part in an element of its label's name (github.com/datamade/usaddress)."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from export_onnx.config import Source
from export_onnx.examples import Example, Span
from transforms.segmenting import sentences

#: The whole of an address; each of its parts is related to it by a relation named after the part.
ADDRESS = "Address"
_PUNCTUATION = " \t\n,;."


def read(path: Path, source: Source) -> list[Example]:
    """One example an address: its parts (neighbouring tokens of one label are one), the whole, and what joins them.

    Raises:
        ValueError: the file is not XML, or an address holds text outside of its parts; names the line.
    """
    try:
        root = etree.fromstring(path.read_bytes())
    except etree.XMLSyntaxError as error:
        raise ValueError(f"{path}: not valid XML ({error}); mend the file") from error
    return [_example(row, f"{path}, line {row.sourceline}") for row in root.iter("AddressString")]


def _example(row: etree._Element, place: str) -> Example:
    text = row.text or ""
    tokens: list[tuple[int, int, str]] = []
    for part in row:
        if (part.tail or "").strip() or len(part):
            raise ValueError(f"{place}: text outside of the parts of an address: {part.tail!r}; give it a label")
        tokens.append((len(text), len(text) + len(part.text or ""), str(part.tag)))
        text += (part.text or "") + (part.tail or "")
    spans: list[Span] = []
    for position, (start, end, label) in enumerate(tokens):
        goes_on = position > 0 and tokens[position - 1][2] == label
        first = spans.pop().start if goes_on else start
        spans.append(Span(first, first + len(text[first:end].rstrip(_PUNCTUATION)), frozenset({label})))
    spans = [span for span in spans if span.start < span.end and span.types != {"NotAddress"}]
    if not spans:
        return Example(text, tuple(sentences(text)), marked_relations=None)
    whole = Span(spans[0].start, spans[-1].end, frozenset({ADDRESS}))
    relations = tuple((len(spans), next(iter(span.types)), place) for place, span in enumerate(spans))
    return Example(text, tuple(sentences(text)), (*spans, whole), relations=relations, marked_relations=None)
