"""HTML: the main text of a page, or all the text that it shows."""

from __future__ import annotations

import logging
import re
from itertools import islice
from typing import Any

from transforms.reading import Content, Limits, ReadError, clean
from transforms.reading.text import decode


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


# Elements that end where the next begins, or never have an end tag: they do not nest by being left open.
_OPEN_ENDED = _words(
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th thead tbody tfoot "
    "option optgroup colgroup html head body rp rt"
)
_HIDDEN = _words("script style noscript template title iframe object svg math select datalist")
_CELLS = frozenset(("td", "th", "cell"))
# With trafilatura's own names (head, list, item, row, cell, lb) beside HTML's.
_BLOCKS = _words(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hr item li list main nav ol p pre quote row section summary table tbody "
    "tfoot thead tr ul"
)
_MARGINS = ("nav", "aside", "footer")
_CELL_END = "\x1f"
_MARKUP_PER_TEXT = 4  # markup may be this much longer than the text limit


def read_html(content: bytes, limits: Limits) -> Content:
    """Read a page's main text with its tables, without navigation; all its visible text if no main text is found.

    Raises:
        ReadError: it is no text, too long, or nested deeper than `limits.max_depth`.
    """
    import trafilatura

    # It reports pages without a main text, which is no error here.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    source = _decode_html(content)
    root = parse_html(source, limits)
    found: Any = trafilatura.bare_extraction(
        root,
        favor_recall=True,
        include_comments=False,
        include_tables=True,
        with_metadata=True,
        # A date in the running text is not one that the page states about itself.
        date_extraction_params={"extensive_search": False, "original_date": True},
    )
    text = _main_text(found.body, source, limits) if found is not None and found.body is not None else ""
    title = (found.title if found is not None else None) or root.findtext(".//title") or root.findtext(".//h1") or ""
    if not text.strip():
        text = visible_text(source, limits)
    return Content(text, title, found.date if found is not None else None)


def _main_text(body: Any, source: str, limits: Limits) -> str:
    """The text of what was found, or of the page without its margins if that has lost its lines, as of small pages."""
    if not (len(body) == 1 and body[0].tag == "p" and "\n" in (body[0].text or "")):
        return _walk(body)
    root = parse_html(source, limits)  # anew, for the extraction changes its tree
    for margin in list(root.iter(*_MARGINS)):
        margin.drop_tree()
    return _walk(root)


def visible_text(source: str, limits: Limits) -> str:
    """All text that a piece of HTML shows: a line per block and per table row, cells joined by " | ".

    Raises:
        ReadError: too long, or nested deeper than `limits.max_depth`.
    """
    return _walk(parse_html(source, limits)) if source.strip() else ""


def parse_html(source: str, limits: Limits) -> Any:
    """Parse HTML into an lxml tree, after checking that this is safe.

    Raises:
        ReadError: too long, or nested deeper than `limits.max_depth`.
    """
    from lxml import etree, html

    if len(source) > _MARKUP_PER_TEXT * limits.max_chars:
        raise ReadError(
            f"has {len(source):,} characters of HTML, over the limit of {_MARKUP_PER_TEXT * limits.max_chars:,}: "
            "split the page or raise max_chars"
        )
    if not source.strip():
        raise ReadError("the page is empty")
    check_depth(source, limits.max_depth)
    # lxml refuses a declared encoding in text that is decoded already.
    source = re.sub(r"^\s*<\?xml[^>]*>", "", source)
    # By default the parser drops, without a word, all that is nested deeper than 256; the depth is checked above.
    parser = html.HTMLParser(huge_tree=True, remove_pis=True)
    try:
        return html.document_fromstring(source, parser=parser)
    except etree.ParserError:  # nothing but comments
        return html.Element("html")


def check_depth(source: str, limit: int) -> None:
    """Raise a `ReadError` if elements nest deeper than `limit`. One pass over the tags, no tree."""
    lowered = source.lower()
    open_tags: dict[str, int] = {}
    depth = 0
    at = 0
    pattern = re.compile(r"<(!--|/?[a-z][^\s/><]*)")
    while match := pattern.search(lowered, at):
        at = match.end()
        tag = match[1]
        if tag in ("!--", "script", "style"):
            # Text in these is no markup. If the end is missing, what follows counts, as some parsers do it.
            end = lowered.find("-->" if tag == "!--" else f"</{tag}", at)
            at = end if end >= 0 else at
            if end < 0:
                pattern = re.compile(r"<(/?(?!script|style)[a-z][^\s/><]*)")
        elif tag.startswith("/"):
            if open_tags.get(tag[1:], 0):
                open_tags[tag[1:]] -= 1
                depth -= 1
        elif tag not in _OPEN_ENDED and not _is_closed(lowered, at):
            open_tags[tag] = open_tags.get(tag, 0) + 1
            depth += 1
            if depth > limit:
                raise ReadError(
                    f"line {source.count(chr(10), 0, at) + 1:,}: elements nest deeper than the limit of {limit}: "
                    "flatten the page or raise max_depth"
                )


def _is_closed(source: str, at: int) -> bool:
    """Whether the tag whose name ends at `at` closes itself."""
    end = source.find(">", at, at + 2_000)
    return end > 0 and source[end - 1] == "/"


def _decode_html(content: bytes) -> str:
    head = content[:2_048]
    declared = re.search(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", head, re.I)
    return decode(content, declared[1].decode("ascii") if declared else None)


def _walk(root: Any) -> str:
    """The text of a tree, block by block. Iterative: the tree may be deep."""
    from lxml import etree

    parts: list[str] = []
    hidden = 0
    cells = 0
    preformatted = 0
    for event, element in etree.iterwalk(root, events=("start", "end", "comment")):
        tag = element.tag if isinstance(element.tag, str) else ""
        unseen = tag in _HIDDEN or (tag == "head" and _is_document_head(element))
        data = tag in _CELLS and _is_data_cell(element)
        breaks = tag in _BLOCKS or tag == "head" or (tag in _CELLS and not data)
        if event == "start":
            hidden += unseen
            cells += data
            preformatted += tag == "pre"
            parts.append(_gap(breaks or tag in ("br", "lb"), cells))
            shown = element.text
        else:
            if event == "end":
                hidden -= unseen
                cells -= data
                preformatted -= tag == "pre"
                parts.append(_CELL_END if data else _gap(breaks, cells))
            shown = element.tail if element is not root else None
        if shown and not hidden:
            parts.append(shown if preformatted and not cells else re.sub(r"[\s\x1f]+", " ", shown))
    return _tidy("".join(parts))


def _is_document_head(element: Any) -> bool:
    """Whether a "head" is HTML's, which is not shown; trafilatura calls headings so."""
    parent = element.getparent()
    return parent is None or parent.tag == "html"


def _gap(breaks: bool, cells: int) -> str:
    """What goes between two elements: nothing, a new line or, within a table cell, a blank."""
    return "" if not breaks else " " if cells else "\n"


def _is_data_cell(element: Any) -> bool:
    """Whether a table cell is one of data, and not a part of a page that is laid out by tables."""
    inner = element.iter(*_BLOCKS)
    return len(list(islice(inner, 2))) < 2


def _tidy(text: str) -> str:
    lines = []
    for line in clean(text).split("\n"):
        cells = [" ".join(cell.split()) for cell in line.split(_CELL_END)]
        joined = " | ".join(cell for cell in cells if cell)
        if joined:
            lines.append(joined)
    return "\n".join(lines)
