"""Word documents (.docx)."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from transforms.reading import Content, Limits, ReadError

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
# Wrappers that python-docx does not look into: content controls, tracked insertions and moves, smart tags, fields
# such as a merged name, and text of a set direction.
_WRAPPERS = tuple(_W + name for name in ("sdt", "ins", "moveTo", "smartTag", "customXml", "fldSimple", "bdo", "dir"))
_CHUNK = 1 << 16  # bytes


def read_docx(content: bytes, limits: Limits) -> Content:
    """Read a Word document: headers, the body in order with a line per table row, footnotes and endnotes, footers.

    What a text box holds comes after the paragraph that it is anchored in.

    Raises:
        ReadError: it is no Word document, truncated, damaged, encrypted or over a limit when unpacked.
    """
    check_archive(content, limits)
    import docx

    document = docx.Document(io.BytesIO(content))
    _unwrap(document.element)
    body = list(_blocks(document))
    headers, footers = _margins(document)
    before = "".join(f"{line}\n" for line in headers)
    title = document.core_properties.title or _heading(document) or next((line for line in body if line.strip()), "")
    return Content(before + "\n".join([*body, *_notes(document), *footers]), title.strip(), body=len(before))


def check_archive(content: bytes, limits: Limits) -> None:
    """Check a ZIP archive before anything is unpacked, then that its members are as large as they say.

    Raises:
        ReadError: it is no ZIP, damaged, encrypted, no Word document, or over a limit.
    """
    # Counted in the bytes, for opening an archive already makes an object per member.
    members = content.count(b"PK\x01\x02")
    if members > limits.max_members:
        raise ReadError(f"has {members:,} members, over the limit of {limits.max_members:,}: it may be a ZIP bomb")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive.infolist(), len(content), limits)
            _check_sizes(archive, limits)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, zlib.error) as error:
        raise ReadError(f"is truncated or damaged, or no Word document ({error}): fetch the file again") from error


def _check_members(members: list[zipfile.ZipInfo], packed: int, limits: Limits) -> None:
    names = {member.filename for member in members}
    if "[Content_Types].xml" not in names or "word/document.xml" not in names:
        raise ReadError("is a ZIP archive but no Word document (word/document.xml is missing): unpack or convert it")
    if any(member.flag_bits & 1 for member in members):
        raise ReadError("is encrypted: save it without a password")
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.max_unzipped:
        raise ReadError(
            f"unpacks to {unpacked:,} bytes, over the limit of {limits.max_unzipped:,}: "
            "it may be a ZIP bomb; if it is not, raise max_unzipped"
        )
    if unpacked > limits.max_ratio * packed:
        raise ReadError(
            f"unpacks to {unpacked // packed:,} times its size, over the limit of {limits.max_ratio:,}: "
            "it may be a ZIP bomb; if it is not, raise max_ratio"
        )


def _check_sizes(archive: zipfile.ZipFile, limits: Limits) -> None:
    """Unpack each member in pieces: a size may be a lie, and members may overlap."""
    left = limits.max_unzipped
    for member in archive.infolist():
        with archive.open(member) as stream:
            while piece := stream.read(_CHUNK):
                left -= len(piece)
                if left < 0:
                    raise ReadError(f"unpacks to over {limits.max_unzipped:,} bytes: it may be a ZIP bomb")


def _unwrap(root: Any) -> None:
    """Put the content of wrappers in their place."""
    for wrapper in list(root.iter(*_WRAPPERS)):
        parent = wrapper.getparent()
        if parent is None:
            continue
        inner = wrapper.find(_W + "sdtContent") if wrapper.tag == _W + "sdt" else wrapper
        for child in list(inner if inner is not None else ()):
            wrapper.addprevious(child)
        parent.remove(wrapper)
    # From the last to the first, so that boxes of one paragraph keep their order, and one within another goes with it.
    for box in reversed(list(root.iter(_W + "txbxContent"))):
        anchor = next(box.iterancestors(_W + "p"), None)
        # What stands there for older readers says the same once more.
        if anchor is not None and next(box.iterancestors(_MC + "Fallback"), None) is None:
            for child in reversed(box):
                anchor.addnext(child)


def _notes(document: Any) -> Iterator[str]:
    """The paragraphs of the footnotes and the endnotes."""
    from docx.oxml.parser import parse_xml
    from docx.text.paragraph import Paragraph

    for related in document.part.rels.values():
        if related.reltype.endswith(("/footnotes", "/endnotes")) and not related.is_external:
            root = parse_xml(related.target_part.blob)
            _unwrap(root)
            texts = (Paragraph(paragraph, document).text for paragraph in root.iter(_W + "p"))
            yield from (text for text in texts if text.strip())


def _blocks(container: Any) -> Iterator[str]:
    """The lines of a body, a header or a cell: a paragraph or a table row each."""
    from docx.table import Table

    for block in container.iter_inner_content():
        if isinstance(block, Table):
            yield from _table(block)
        elif block.text.strip():
            yield block.text


def _table(table: Any) -> Iterator[str]:
    from docx.table import _Cell

    for row in table._tbl.tr_lst:
        # A cell that goes on from the row above has its text there.
        cells = [_Cell(cell, table) for cell in row.tc_lst if cell.vMerge != "continue"]
        texts = [" ".join(" ".join(_blocks(cell)).split()) for cell in cells]
        line = " | ".join(text for text in texts if text)
        if line:
            yield line


def _margins(document: Any) -> tuple[list[str], list[str]]:
    """The lines of all headers and of all footers, each once."""
    headers: list[str] = []
    footers: list[str] = []
    for section in document.sections:
        kinds = [("header", "footer"), ("even_page_header", "even_page_footer")]
        if section.different_first_page_header_footer:
            kinds.append(("first_page_header", "first_page_footer"))
        for header, footer in kinds:
            headers += _own_lines(getattr(section, header))
            footers += _own_lines(getattr(section, footer))
    return _once(headers), _once(footers)


def _own_lines(margin: Any) -> list[str]:
    if margin.is_linked_to_previous:
        return []
    _unwrap(margin._element)
    return list(_blocks(margin))


def _once(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def _heading(document: Any) -> str:
    """The first paragraph in a title or heading style."""
    for paragraph in document.paragraphs:
        style = paragraph.style.name if paragraph.style is not None else ""
        if paragraph.text.strip() and str(style).startswith(("Title", "Heading")):
            return str(paragraph.text)
    return ""
