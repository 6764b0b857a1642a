"""Plain text and Markdown, and the joining of laid-out lines into paragraphs."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from transforms.reading import Content, Limits, ReadError, clean
from transforms.reading.codepages import is_mostly_ascii, latin_codec

if TYPE_CHECKING:
    from markdown_it.token import Token

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What enterprise files are in. Left to all codecs it knows, the detector takes short western texts for rare ones.
_CODECS = ["cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256"]
_CODECS += ["shift_jis", "euc_jp", "iso2022_jp", "gb18030", "big5", "euc_kr"]
# Codecs that Python knows and that no file is honestly in; some take quadratic time.
_NOT_TEXT = frozenset(
    ("idna", "punycode", "unicode_escape", "raw-unicode-escape", "raw_unicode_escape", "utf-7", "undefined")
)
_PAGES = ("cp125", "iso8859", "koi8", "mac-")  # of one byte a letter
_DETECTED = 200_000  # bytes that the detector looks at
_JUNK = 0.01  # share of characters that no text has, above which it is none
_NEAR = 8  # lines before and after one that tell how wide its column is
_SHORT = 30  # characters; a line of running text is longer
_SENTENCE_END = re.compile(r"[.!?:。！？]['\"”’»)\]]*$")


def read_plain(content: bytes, limits: Limits) -> Content:
    """Read a text file of any common encoding.

    Raises:
        ReadError: it is no text, or in no encoding that can be told.
    """
    return Content(decode(content))


def decode(content: bytes, declared: str | None = None) -> str:
    """Decode text: by its byte order mark, as declared, as UTF-8 (before a code page), else as detected; then clean.

    Raises:
        ReadError: it is no text, or in no encoding that can be told.
    """
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return _decode_marked(content, codec)
    stated = _codec(declared)
    if not (stated or "").startswith(("utf-16", "utf-32")):
        _check_bytes(content)
    # What says that it is in a code page but is valid UTF-8 was saved anew and still says what it was in before.
    paged = (stated or "").startswith(_PAGES)
    for codec in filter(None, ("utf-8", stated) if paged else (stated, "utf-8")):
        try:
            return _check_text(content.decode(codec))
        except (LookupError, UnicodeError):  # a wrong declaration is common, and no reason to give up
            continue
    return _check_text(content.decode(_detect(content), "replace"))


def _decode_marked(content: bytes, codec: str) -> str:
    try:
        return _check_text(content.decode(codec))
    except UnicodeError as error:
        raise ReadError(f"begins like {codec} text but is damaged ({error}): save it again as UTF-8") from error


def _check_bytes(content: bytes) -> None:
    """Raise if the bytes are no text in any encoding that has no byte order mark."""
    zeros = content.count(0)
    if zeros > len(content) // 5:
        raise ReadError("looks like UTF-16 without a byte order mark, or binary data: save it as UTF-8 text")
    control = sum(map(content.count, (*range(9), 11, *range(14, 27), *range(28, 32), 127)))
    if control > _JUNK * len(content):
        raise ReadError("holds binary data, not text: give it the extension of its real format")


def _check_text(text: str) -> str:
    counts = Counter(text[:_DETECTED])
    if sum(count for char, count in counts.items() if _is_junk(char)) > _JUNK * counts.total():
        raise ReadError("holds characters that no text has: it is binary data, or in an unknown encoding")
    return clean(text)


def _is_junk(char: str) -> bool:
    if "\uf000" <= char <= "\uf0ff":  # a symbol font's, such as the bullets of lists that Word and PDFs give
        return False
    category = unicodedata.category(char)
    return char == "\ufffd" or category in ("Cn", "Co", "Cs") or (category == "Cc" and char not in "\t\n\r\f\x1b\x85")


def _codec(declared: str | None) -> str | None:
    """The codec to try for a declared encoding, None if there is none that text is in."""
    try:
        name = codecs.lookup(declared).name if declared else None
    except LookupError:
        return None
    if name in ("iso8859-1", "ascii"):  # what is declared so is mostly Windows text, of which both are subsets
        return "utf-8" if name == "ascii" else "cp1252"
    return None if name in _NOT_TEXT else name


def _detect(content: bytes) -> str:
    from charset_normalizer import from_bytes

    sample = content[:_DETECTED]
    if len(content) > _DETECTED:  # cut at a line end, so that no character is cut in two
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    best = from_bytes(sample, cp_isolation=_CODECS).best()
    if best is None:
        raise ReadError("is in no encoding that can be told: save it as UTF-8")
    doubtful = best.encoding in ("cp1250", "cp1252") or (best.encoding != "cp1254" and is_mostly_ascii(sample))
    return latin_codec(sample) if doubtful else best.encoding


def read_markdown(content: bytes, limits: Limits) -> Content:
    """Read Markdown as plain text: markup gone, a line for each paragraph, heading, list item and table row.

    Raises:
        ReadError: it is no text, or over a limit.
    """
    from markdown_it import MarkdownIt

    from transforms.reading import check_length

    source = decode(content)
    check_length(source, limits)
    title, source = _front_matter(source)
    tokens = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table").parse(source)
    heading = next((after for token, after in pairwise(tokens) if token.type == "heading_open"), None)
    return Content(_render(tokens, limits), title or (_inline(heading) if heading else ""))


def _front_matter(source: str) -> tuple[str, str]:
    """The title that a leading YAML block states, and the source without the block."""
    match = re.match(r"---[ \t]*\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", source, re.S)
    if not match or not re.match(r"[\w-]+[ \t]*:", match[1]):
        return "", source
    stated = re.search(r"^title[ \t]*:[ \t]*(.+)$", match[1], re.M)
    return (stated[1].strip().strip("\"'") if stated else ""), source[match.end() :]


def _render(tokens: Iterable[Token], limits: Limits) -> str:
    from transforms.reading.markup import visible_text

    lines: list[str] = []
    cells: list[str] | None = None
    for token in tokens:
        if token.type == "tr_open":
            cells = []
        elif token.type == "tr_close" and cells is not None:
            lines.append(" | ".join(cells))
            cells = None
        elif token.type == "inline":
            if cells is None:
                lines.append(_inline(token))
            else:
                cells.append(_inline(token).replace("\n", " "))
        elif token.type in ("fence", "code_block"):
            lines.append(token.content.rstrip("\n"))
        elif token.type == "html_block":
            lines.append(visible_text(token.content, limits))
    return "\n".join(line for line in lines if line.strip())


_BREAK = re.compile(r"<br\b", re.IGNORECASE)


def _inline(token: Token) -> str:
    """The words of an inline token; a source line's end is a blank, so that sentences run on."""
    parts = []
    for child in token.children or ():
        if child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak" or (child.type == "html_inline" and _BREAK.match(child.content)):
            parts.append("\n")
        elif child.type != "html_inline":
            parts.append(child.content)
    return "".join(parts).strip()


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is laid out on a page; y runs downwards. The unit is the page's, points or pixels."""

    text: str
    left: float  # of the first character
    right: float  # of the last character
    top: float  # of the first character
    bottom: float  # of the last character
    size: float  # font size, or the height of the line
    filled: bool = False  # a form's label with its field: a paragraph of its own, unless a sentence runs on


def join_lines(lines: Sequence[Line], compounds: frozenset[str] = frozenset()) -> str:
    """Join laid-out lines: a blank between the lines of a paragraph, a newline between paragraphs.

    `compounds` are lower-case words known to have a hyphen of their own, which they keep at a line's end.
    """
    if not lines:
        return ""
    gaps = [below.top - above.top for above, below in pairwise(lines) if below.top > above.top]
    pitch = median(gaps) if gaps else 0.0
    text = lines[0].text.strip()
    for index, (above, below) in enumerate(pairwise(lines)):
        if _is_break(above, below, pitch, _edge(lines, index)):
            text += "\n" + below.text.strip()
        else:
            text = join_words(text, below.text.strip(), compounds)
    return text


def _edge(lines: Sequence[Line], index: int) -> float:
    """Where the lines around one, and in its column, end at the most."""
    line = lines[index]
    near = lines[max(index - _NEAR, 0) : index + _NEAR + 1]
    return max(other.right for other in near if abs(other.left - line.left) <= 2 * line.size or other is line)


def join_words(before: str, after: str, compounds: frozenset[str] = frozenset()) -> str:
    """Join the end of a line to the next, with a blank or, if a word was hyphenated there, without."""
    head = re.search(r"(\w+)[-\u00ad\u2010]$", before[-60:])
    tail = re.match(r"[^\W\d_]+", after)
    if not head or not tail or not tail[0][0].islower():
        return f"{before} {after}"
    if f"{head[1]}-{tail[0]}".lower() in compounds:
        return before + after
    return before[:-1] + after


def _is_break(above: Line, below: Line, pitch: float, right: float) -> bool:
    """Whether a new paragraph begins between two lines."""
    size = max(above.size, below.size)
    if abs(above.size - below.size) > 0.15 * size:
        return True
    runs_on = not _SENTENCE_END.search(above.text.rstrip())
    first = below.text.strip()[:1]
    if below.top <= above.top or above.filled or below.filled:  # the next column, or a form
        return not (runs_on and first.islower())
    if below.top - above.top > max(1.3 * pitch, 1.8 * size) or re.match(r"[•▪●◦–—*-]\s|\(?\d{1,3}[.)]\s", below.text):
        return True
    if runs_on and first.islower():
        return False
    if len(above.text.strip()) < _SHORT:
        return True
    # A line was broken on purpose if the next word would still have fitted on it.
    word = len(below.text.split(maxsplit=1)[0]) if below.text.strip() else 0
    width = (below.right - below.left) / max(len(below.text.strip()), 1)
    fits = right - above.right > (word + 2) * max(width, 0.0)
    indented = below.left - above.left > size and not runs_on
    return fits or indented


def compounds_of(texts: Iterable[str]) -> frozenset[str]:
    """The hyphenated words within the texts, in lower case."""
    return frozenset(word.lower() for text in texts for word in re.findall(r"\b[^\W\d_]+-[^\W\d_]+\b", text))
