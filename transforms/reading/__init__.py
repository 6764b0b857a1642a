"""Reading: the bytes of an enterprise file in, `Document` records out.

`read_blob` is the one entry point and the one place where errors are shaped: a reader module raises `ReadError` with
the bare cause, or whatever its parser raises, and `read_blob` turns either into a `ReadError` that begins with the
file's URI. The reader modules, and with them the parsing libraries, are imported when the first file of a format
comes by.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from transforms.records import Blob, DeadLetter, Document, Fact

__all__ = ["SUPPORTED", "Content", "Limits", "ReadError", "Reader", "clean", "read_blob", "read_whole"]

SUPPORTED: dict[str, str] = {
    ".txt": "txt",
    ".text": "txt",
    ".log": "txt",
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".eml": "eml",
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".tif": "image",
    ".tiff": "image",
    ".bmp": "image",
    ".webp": "image",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}

_BINARY = frozenset({"pdf", "docx", "image", "parquet"})
_TITLE_LENGTH = 120  # characters
_LANGUAGE_LETTERS = 20  # fewer say nothing about the language
_LANGUAGE_SAMPLE = 5_000  # characters; more of them do not change the guess
_SNIFFED = 4_096  # bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What one input may cost. Going over any of them is a `ReadError` that names the limit."""

    max_bytes: int = 100_000_000  # bytes of a file
    max_chars: int = 5_000_000  # characters of a document's text
    max_line: int = 1_000_000  # characters of one line of a document's text
    max_pages: int = 5_000  # pages of a PDF, frames of a TIFF
    max_pixels: int = 80_000_000  # pixels of one image or rendered page
    max_depth: int = 500  # nesting of HTML elements
    max_unzipped: int = 200_000_000  # bytes of all members of a DOCX, unpacked
    max_ratio: int = 200  # unpacked bytes per packed byte
    max_members: int = 10_000  # members of a DOCX
    max_attachments: int = 200  # attachments of one mail
    max_nesting: int = 3  # mails within mails
    max_seconds: float = 600  # of wall time; this and the next hold where files are read in isolation
    max_memory: int = 4_000_000_000  # bytes of the process that reads, OCR's models (400 MB) and all


DEFAULT_LIMITS = Limits()


#: How a file is read: `read_blob`, or what does the same elsewhere.
Reader = Callable[[Blob, Limits, str], Iterator[Document | Blob | DeadLetter]]


class ReadError(ValueError):
    """A file, or a row of one, that cannot be read: one line with the file, the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader got out of a file. `text` must be clean (see `clean`) if pages or facts point into it."""

    text: str
    title: str = ""
    date: str | None = None  # ISO 8601
    pages: tuple[int, ...] = (0,)  # offset at which each page begins
    facts: tuple[Fact, ...] = ()
    ocr: bool = False
    body: int = 0  # offset at which the author's own words begin; what is before does not count for the language


def read_blob(
    blob: Blob, limits: Limits = DEFAULT_LIMITS, text_column: str = "text"
) -> Iterator[Document | Blob | DeadLetter]:
    """Read one file.

    Yields its `Document`; for a mail also a `Blob` per attachment (`uri` is the mail's and "#" and a unique name), and
    a `DeadLetter` per part of its body that cannot be read; for JSONL and Parquet, whose text is in `text_column`, a
    `Document` per row (a second row of one id becomes "id (2)") and a `DeadLetter` per row that is bad.

    Raises:
        ReadError: the file as a whole cannot be read. No other exception comes out of a parser.
    """
    try:
        yield from _read(blob, limits, text_column)
    except Exception as error:
        raise ReadError(f"{blob.uri}: {_reason(error)}") from error


def read_whole(
    blob: Blob, limits: Limits = DEFAULT_LIMITS, text_column: str = "text", read: Reader | None = None
) -> Iterator[Document | DeadLetter]:
    """Read one file with all that is attached to it; what cannot be read is a dead letter, and nothing is raised.

    `read` does what `read_blob` does, perhaps in another process.
    """
    blobs = [blob]
    while blobs:
        blob = blobs.pop()
        try:
            for item in (read or read_blob)(blob, limits, text_column):
                if isinstance(item, Blob):
                    blobs.append(item)
                else:
                    yield item
        except ReadError as error:
            yield DeadLetter.of(blob.uri, "read", error, blob.source)


def clean(text: str) -> str:
    """The text as documents hold it: lines end in \\n, no NULs, no byte order mark, no lone surrogates."""
    text = re.sub("\r\n|[\r\x0b\x0c\x85\u2028\u2029]", "\n", text)
    text = re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text.replace("\x00", "").lstrip("\ufeff")


def language(text: str) -> str:
    """The ISO 639 code of the text's language, "und" if there are under 20 letters to tell it from."""
    sample = text[:_LANGUAGE_SAMPLE]
    if sum(map(str.isalpha, sample)) < _LANGUAGE_LETTERS:
        return "und"
    from py3langid import classify

    return str(classify(sample)[0])


def one_line(text: str, length: int = _TITLE_LENGTH) -> str:
    """The text with its white space collapsed, cut to `length` characters."""
    return " ".join(clean(text).split())[:length].rstrip()


def file_name(uri: str) -> str:
    """The last part of a URI: the name of the file, or of the attachment if it is one."""
    return re.split(r"[/\\]", uri)[-1].rsplit("#", 1)[-1]


def build(blob: Blob, format: str, content: Content, limits: Limits, uri: str = "") -> Document:
    """Make the document of what a reader got out of a file, or of a row of it, which has a `uri` of its own.

    Raises:
        ReadError: the text is empty or over a limit; without the URI, which the caller adds.
    """
    text = clean(content.text)
    if not text.strip():
        raise ReadError("the text is empty: there is nothing to read in it")
    check_length(text, limits)
    uri = uri or blob.uri
    own = text[content.body :]
    first_line = next((line for line in own.split("\n") if line.strip()), "")
    return Document(
        id=Document.make_id(uri, text),
        uri=uri,
        format=format,
        title=one_line(content.title) or one_line(first_line) or file_name(uri),
        language=language(own) if own.strip() else "und",
        text=text,
        pages=content.pages,
        parent=blob.parent,
        date=content.date,
        facts=content.facts,
        ocr=content.ocr,
        source=blob.source,
    )


def check_length(text: str, limits: Limits) -> None:
    """Raise a `ReadError` if the text or one of its lines is longer than the limits allow."""
    if len(text) > limits.max_chars:
        raise ReadError(
            f"has {len(text):,} characters, over the limit of {limits.max_chars:,}: split the file or raise max_chars"
        )
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if end - start > limits.max_line:
            number = text.count("\n", 0, start) + 1
            raise ReadError(
                f"line {number:,} has {end - start:,} characters, over the limit of {limits.max_line:,}: "
                "break it into lines or raise max_line"
            )
        start = end + 1


def _read(blob: Blob, limits: Limits, text_column: str) -> Iterator[Document | Blob | DeadLetter]:
    _check_blob(blob, limits)
    format = choose_format(blob.uri, blob.content)
    if format in ("jsonl", "parquet"):
        yield from _read_rows(blob, format, limits, text_column)
    elif format == "eml":
        yield from _read_mail(blob, limits)
    else:
        yield build(blob, format, _reader(format)(blob.content, limits), limits)


def _check_blob(blob: Blob, limits: Limits) -> None:
    if not blob.content:
        raise ReadError("the file is empty (0 bytes)")
    if len(blob.content) > limits.max_bytes:
        raise ReadError(
            f"has {len(blob.content):,} bytes, over the limit of {limits.max_bytes:,}: split it or raise max_bytes"
        )
    if blob.depth > limits.max_nesting:
        raise ReadError(
            f"is attached {blob.depth} mails deep, over the limit of {limits.max_nesting}: "
            "save it as a file of its own or raise max_nesting"
        )


def _reader(format: str) -> Callable[[bytes, Limits], Content]:
    """The function that reads a format of one document per file."""
    if format == "pdf":
        from transforms.reading.pdf import read_pdf as read
    elif format == "docx":
        from transforms.reading.office import read_docx as read
    elif format == "image":
        from transforms.reading.image import read_image as read
    elif format == "html":
        from transforms.reading.markup import read_html as read
    elif format == "md":
        from transforms.reading.text import read_markdown as read
    else:
        from transforms.reading.text import read_plain as read
    return read


def _read_mail(blob: Blob, limits: Limits) -> Iterator[Document | Blob | DeadLetter]:
    from transforms.reading.mail import read_mail

    content, attachments = read_mail(blob.content, limits)
    document = build(blob, "eml", content, limits)
    yield document
    for name, data in attachments[: limits.max_attachments]:
        uri = f"{blob.uri}#{name}"
        if isinstance(data, ReadError):
            yield DeadLetter.of(uri, "read", ReadError(f"{uri}: {data}"), blob.source)
        else:
            yield Blob(uri, data, document.id, blob.depth + 1)
    if len(attachments) > limits.max_attachments:
        uri = f"{blob.uri}#attachments"
        error = ReadError(
            f"{uri}: {len(attachments)} attachments, over the limit of {limits.max_attachments}: "
            "the rest was not read; raise max_attachments"
        )
        yield DeadLetter.of(uri, "read", error, blob.source)


def _read_rows(blob: Blob, format: str, limits: Limits, text_column: str) -> Iterator[Document | DeadLetter]:
    from transforms.reading.tables import read_jsonl, read_parquet

    rows = read_jsonl if format == "jsonl" else read_parquet
    names: dict[str, int] = {}
    for name, row in rows(blob.content, limits, text_column):
        uri = f"{blob.uri}#{_unique(name, names)}"
        try:
            if isinstance(row, ReadError):
                raise row
            yield build(blob, format, row, limits, uri)
        except ReadError as error:
            yield DeadLetter.of(uri, "read", ReadError(f"{uri}: {error}"), blob.source)
    if not names:
        raise ReadError("the table is empty: it has no rows")


def _unique(name: str, taken: dict[str, int]) -> str:
    """A row's name, with a number if another row has it: of two documents of one URI, the last replaces the first."""
    unique, number = name, taken.get(name, 1)
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    taken[name] = number
    taken.setdefault(unique, 1)
    return unique


def choose_format(uri: str, content: bytes) -> str:
    """The format to read a file as: what its extension says, unless its first bytes say otherwise.

    Raises:
        ReadError: neither says a supported format, or a binary format's name is on an HTML page.
    """
    extension = os.path.splitext(file_name(uri))[1].lower()
    named = SUPPORTED.get(extension)
    found = sniff(content)
    if named in _BINARY and found == "html":
        raise ReadError(
            f"is named {extension} but holds HTML, perhaps a saved login or error page: "
            "fetch the file again, or rename it to .html"
        )
    if found is not None and found not in SUPPORTED.values():
        raise ReadError(f"holds {found}, which is not supported: convert it to one of {_formats()}")
    # Text has no magic bytes, so a name that says text gives way to any that are found.
    if found in _BINARY or (found == "html" and named == "txt"):
        return str(found)
    if named is not None:
        return named
    if extension and re.fullmatch(r"\.[a-z][a-z0-9]{0,7}", extension):
        raise ReadError(f"the format {extension} is not supported: convert it to one of {_formats()}")
    return found or _sniff_text(content)


def sniff(content: bytes) -> str | None:
    """The format that the first bytes give away: a supported one, or the name of one that is not; else None."""
    head = content[:_SNIFFED]
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*")):
        return "image"
    if (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (head[:2] == b"BM" and head[6:10] == bytes(4)):
        return "image"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"%PDF-"):
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return "docx" if b"word/document.xml" in content else "a ZIP archive that is no Word document"
    if head.startswith(b"PAR1") and content.endswith(b"PAR1"):
        return "parquet"
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            return name
    if re.match(rb"\s*(<\?xml[^>]*>\s*)?(<!--.{0,500}?-->\s*)?<(!doctype\s+html|html)\b", head, re.I | re.S):
        return "html"
    return None


_FOREIGN = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old or password-protected Office file (OLE)",
    b"GIF8": "a GIF image",
    b"\x1f\x8b": "gzip data",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program (ELF)",
    b"{\\rtf": "RTF",
}


def _sniff_text(content: bytes) -> str:
    """The text format of a file without an extension."""
    head = content[:_SNIFFED].lstrip(b"\xef\xbb\xbf \t\r\n")
    if re.match(
        rb"([!-9;-~]+:[ \t].*\r?\n([ \t].*\r?\n)*)*(from|to|subject|date|message-id|received):[ \t]", head, re.I
    ):
        return "eml"
    return "jsonl" if re.match(rb'\{\s*".*\}\s*(\n|$)', head) else "txt"


def _formats() -> str:
    return ", ".join(dict.fromkeys(SUPPORTED.values()))


def _reason(error: Exception) -> str:
    """One line that says what went wrong, and what to do about it."""
    if isinstance(error, ReadError):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "takes more memory to read than there is: split the file"
    if isinstance(error, RecursionError):
        return "is nested too deeply to be read: flatten or split the file"
    detail = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, ImportError):
        return f"a library that reads it cannot be loaded ({detail}): install it"
    return f"cannot be read ({type(error).__name__}: {detail}): if it opens elsewhere, save it again from there"
