"""PDF: the text layer, and the recognised text of scanned pages."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from ctypes import c_float
from itertools import pairwise
from math import sqrt
from typing import Any

from transforms.reading import Content, Limits, ReadError, clean
from transforms.reading.forms import add_below, fields_of, fill_line
from transforms.reading.text import Line, compounds_of, join_lines, join_words

_PDFIUM = threading.Lock()  # PDFium may be called by one thread at a time
_TRAILER = 2_048  # bytes at the end of a file that hold its end mark
_SCANNED = 16  # a page with fewer characters of text, and with an image, is taken for a scan
_STAMPED = 200  # so is one with fewer and an image over most of it: DocuSign, scanner apps and courts write over scans
_MOST = 0.5  # share of a page
_MORE = 1.5  # times the characters of the text that is there, at which what is recognised takes its place
_DPI = 200
_MAX_RENDERED = 25_000_000  # pixels; an A0 page does not need 200 dpi to be read
_HYPHEN = "\ufffe"  # what PDFium makes of a hyphen at a line's end and the line break
_NO_TITLE = re.compile(r"untitled.*|\(?anonymous\)?|unspecified|microsoft (word|powerpoint) - .*|.*\.\w{2,4}", re.I)


def read_pdf(content: bytes, limits: Limits) -> Content:
    """Read a PDF. `pages` holds the offset of each page's text; a page without text begins where the next does.

    Raises:
        ReadError: it is no PDF, truncated, damaged, encrypted, has too many pages, or nothing on them can be read.
    """
    _check_ends(content)
    with _opened(content) as document:
        with _PDFIUM:
            count = len(document)
            title = str(document.get_metadata_value("Title") or "")
        if count > limits.max_pages:
            raise ReadError(f"has {count:,} pages, over the limit of {limits.max_pages:,}: split it or raise max_pages")
        if not count:
            raise ReadError("has no pages: it is damaged or truncated")
        pages, recognised = _read_pages(document, count, limits)
    if not any(pages):
        raise ReadError("no text found: its pages hold neither text nor images of text")
    text, offsets = _join_pages(pages)
    return Content(text, "" if _NO_TITLE.fullmatch(title.strip()) else title, pages=offsets, ocr=recognised)


def _check_ends(content: bytes) -> None:
    if b"%PDF-" not in content[:1_024]:
        raise ReadError("is not a PDF: it does not begin with %PDF-; give it the extension of its real format")
    if b"%%EOF" not in content[-_TRAILER:]:
        raise ReadError("is truncated: its end mark (%%EOF) is missing; fetch the file again")


@contextmanager
def _opened(content: bytes) -> Iterator[Any]:
    import pypdfium2

    with _PDFIUM:
        try:
            document = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise ReadError("is encrypted: save it without a password") from error
            raise ReadError(f"is damaged ({error}): fetch the file again, or repair it") from error
    try:
        with _PDFIUM, suppress(pypdfium2.PdfiumError):  # what a damaged form leaves to be read is read
            document.init_forms()
        yield document
    finally:
        with _PDFIUM:
            document.close()


def _read_pages(document: Any, count: int, limits: Limits) -> tuple[list[str], bool]:
    """The text of each page, and whether any of it was recognised."""
    layers: list[list[Line] | str] = []
    total = 0
    for number in range(count):
        lines, picture = _page(document, number, limits)
        layer: list[Line] | str = lines
        if picture is not None:
            from transforms.reading.image import recognise

            found = recognise(picture)
            # Text over a picture that holds none, as on a report's cover, is surer than what is recognised of it.
            layer = found if len(found) > _MORE * _length(lines) else lines
        layers.append(layer)
        total += _length(lines)
        if total > limits.max_chars:  # before all the rest is read, too
            raise ReadError(f"has over {limits.max_chars:,} characters: split it or raise max_chars")
    compounds = compounds_of(line.text for layer in layers if isinstance(layer, list) for line in layer)
    texts = [layer if isinstance(layer, str) else join_lines(layer, compounds) for layer in layers]
    return [_mend(text, compounds) for text in texts], any(isinstance(layer, str) for layer in layers)


def _page(document: Any, number: int, limits: Limits) -> tuple[list[Line], Any]:
    """The lines of a page and, if it is a scan, its picture (height × width × 3, BGR), else None."""
    import pypdfium2

    with _PDFIUM:
        try:
            # Closed here, and not by the garbage collector, which would not hold the lock.
            with closing(document[number]) as page:
                fields = fields_of(page)
                filled = _length(fields)
                lines = list(_lines(page, fields))
                printed = _length(lines) - (filled - _length(fields))  # scans have fields put over them, too
                scanned = _is_scan(page, printed)
                add_below(lines, fields)
                return lines, _render(page, limits) if scanned else None
        except pypdfium2.PdfiumError as error:
            raise ReadError(f"page {number + 1:,} is damaged ({error}): fetch the file again, or repair it") from error


def _lines(page: Any, fields: list[Line]) -> Iterator[Line]:
    """The lines of a page, with the fields of a form that stand in their row, which are taken out of `fields`."""
    from pypdfium2 import raw

    height = page.get_height()
    layer = page.get_textpage()

    def box(place: int) -> tuple[float, float, float, float]:
        index = raw.FPDFText_GetCharIndexFromTextIndex(layer, place)
        left, bottom, right, top = layer.get_charbox(max(index, 0), loose=True)
        return left, height - top, right, height - bottom

    at = 0
    for part in layer.get_text_range().split("\n"):
        text = clean(part.removesuffix("\r"))
        if text.strip():
            start, end = at + len(part) - len(part.lstrip()), at + len(part.rstrip())
            left, top, _, base = box(start)
            _, _, right, bottom = box(end - 1)
            size = raw.FPDFText_GetFontSize(layer, max(raw.FPDFText_GetCharIndexFromTextIndex(layer, start), 0))
            # Some fonts are scaled by the page and not by their size, so that it is 1 for all.
            line = Line(text, left, right, top, bottom, size if size > 2 else base - top)
            yield fill_line(line, [box(place)[2] for place in range(at, end)], fields) if fields else line
        at += len(part) + 1


def _length(lines: list[Line]) -> int:
    return sum(len(line.text) for line in lines)


def _is_scan(page: Any, characters: int) -> bool:
    from pypdfium2 import raw

    if characters >= _STAMPED:
        return False
    images = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=4)
    if characters < _SCANNED:
        return next(iter(images), None) is not None
    width, height = page.get_size()
    return bool(sum(map(_area, images)) > _MOST * width * height)


def _area(image: Any) -> float:
    from pypdfium2 import raw

    left, bottom, right, top = (c_float() for _ in range(4))
    raw.FPDFPageObj_GetBounds(image, left, bottom, right, top)
    return (right.value - left.value) * (top.value - bottom.value)


def _render(page: Any, limits: Limits) -> Any:
    width, height = page.get_size()
    allowed = min(_MAX_RENDERED, limits.max_pixels)
    scale = min(_DPI / 72, sqrt(allowed / max(width * height, 1.0)))
    return (
        page.render(scale=scale, prefer_bgrx=False, rev_byteorder=False).to_numpy()[:, :, :3].copy()
    )  # the buffer goes with the page


def _mend(text: str, compounds: frozenset[str]) -> str:
    """Put the words together that PDFium marks as hyphenated."""
    if _HYPHEN not in text:
        return text
    pieces = text.split(_HYPHEN)
    joined = pieces[0]
    for before, after in pairwise(pieces):
        if before[-1:].isalnum() and after[:1].islower():
            joined = join_words(joined + "-", after, compounds)
        else:
            joined += "-" + after
    return joined


def _join_pages(pages: list[str]) -> tuple[str, tuple[int, ...]]:
    """All pages in one text, and the offset of each. A sentence that runs over a page's end is not broken there."""
    text = ""
    offsets = []
    for page in pages:
        page = page.strip()
        if text and page:
            text += " " if page[0].islower() and text[-1].isalnum() else "\n"
        offsets.append(len(text))
        text += page
    # A page without text at the end begins where the text ends.
    return text, tuple(offsets)
