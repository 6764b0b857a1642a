"""Broken inputs of many kinds, the same for the same seed."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from itertools import cycle, islice
from pathlib import Path

import docx
import pyarrow as pa
from PIL import Image, ImageDraw
from pyarrow import parquet
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen import canvas

Maker = Callable[[random.Random], tuple[str, bytes]]  # to an extension and a content

ALWAYS_ONCE = 50_000_000  # characters of the long line


def make_broken(folder: Path, count: int = 200, seed: int = 0) -> list[Path]:
    """Write `count` inputs that cannot be read; every kind once, then the cheap kinds in turn with other damage."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, maker in enumerate(islice(_makers(), count)):
        extension, content = maker(rng)
        path = folder / f"broken-{number:03d}-{maker.__name__.strip('_')}{extension}"
        path.write_bytes(content)
        paths.append(path)
    return paths


def _makers() -> Iterator[Maker]:
    yield from _ONCE
    yield from cycle(_VARIED)


def _cut(content: bytes, rng: random.Random, least: int = 32) -> bytes:
    """The content without its end, of which at least `least` bytes are cut off."""
    return content[: rng.randint(1, max(len(content) - least, 1))]


def _words(rng: random.Random, count: int) -> str:
    words = ("the", "report", "of", "Contoso", "names", "Jane", "Doe", "in", "Oslo", "and", "a", "contract")
    return " ".join(rng.choice(words) for _ in range(count))


def _pdf(rng: random.Random, **options: object) -> bytes:
    buffer = io.BytesIO()
    pdf = canvas.Canvas(buffer, invariant=1, **options)
    for _ in range(rng.randint(1, 4)):
        for line in range(rng.randint(5, 40)):
            pdf.drawString(72, 750 - 14 * line, _words(rng, 12))
        pdf.showPage()
    pdf.save()
    return buffer.getvalue()


def _docx(rng: random.Random) -> bytes:
    word = docx.Document()
    for _ in range(rng.randint(2, 20)):
        word.add_paragraph(_words(rng, 40))
    buffer = io.BytesIO()
    word.save(buffer)
    with zipfile.ZipFile(buffer) as archive:  # packed again, without the time of day
        return _zip({name: archive.read(name) for name in archive.namelist()})


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _picture(rng: random.Random, format: str) -> bytes:
    picture = Image.frombytes("L", (300, 200), rng.randbytes(60_000))
    ImageDraw.Draw(picture).text((20, 20), _words(rng, 4), fill=0)
    buffer = io.BytesIO()
    picture.save(buffer, format)
    return buffer.getvalue()


def _parquet(rng: random.Random, column: str) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table({column: [_words(rng, 30) for _ in range(rng.randint(1, 50))]}), buffer)
    return buffer.getvalue()


# The kinds of which one is enough


def long_line(rng: random.Random) -> tuple[str, bytes]:
    return ".txt", b"word " * (ALWAYS_ONCE // 5)


def many_characters(rng: random.Random) -> tuple[str, bytes]:
    return ".txt", b"A line of a text that is much too long.\n" * 150_000


def deep_html(rng: random.Random) -> tuple[str, bytes]:
    return ".html", b"<html><body>" + b"<div>" * 10_000 + b"text" + b"</div>" * 10_000


def deep_html_in_mail(rng: random.Random) -> tuple[str, bytes]:
    return ".eml", b"Subject: deep\nContent-Type: text/html\n\n" + b"<b>" * 10_000 + b"text"


def deep_mail(rng: random.Random) -> tuple[str, bytes]:
    parts = (f'Content-Type: multipart/mixed; boundary="{n}"\n\n--{n}\n'.encode() for n in range(2_000))
    return ".eml", b"Subject: deep\n" + b"".join(parts)


def bomb_docx(rng: random.Random) -> tuple[str, bytes]:
    return ".docx", _zip({"[Content_Types].xml": b"<Types/>", "word/document.xml": bytes(300_000_000)})


def ratio_docx(rng: random.Random) -> tuple[str, bytes]:
    return ".docx", _zip({"[Content_Types].xml": b"<Types/>", "word/document.xml": bytes(50_000_000)})


def lying_docx(rng: random.Random) -> tuple[str, bytes]:
    """A member whose size is given as 1,000 bytes, and is 20 MB."""
    content = _zip({"[Content_Types].xml": b"<Types/>", "word/document.xml": bytes(20_000_000)})
    return ".docx", content.replace(struct.pack("<I", 20_000_000), struct.pack("<I", 1_000))


def many_members_docx(rng: random.Random) -> tuple[str, bytes]:
    return ".docx", _zip({"word/document.xml": b"", **{f"{n}": b"" for n in range(11_000)}})


def entities_docx(rng: random.Random) -> tuple[str, bytes]:
    """A billion laughs: entities of entities."""
    lols = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = "<w:body><w:p><w:r><w:t>&l9;</w:t></w:r></w:p></w:body>"
    xml = f'<!DOCTYPE d [<!ENTITY l0 "ha">{lols}]><w:document xmlns:w="{space}">{body}</w:document>'
    with zipfile.ZipFile(io.BytesIO(_docx(rng))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return ".docx", _zip({**members, "word/document.xml": xml.encode()})


def encrypted_pdf(rng: random.Random) -> tuple[str, bytes]:
    return ".pdf", _pdf(rng, encrypt=StandardEncryption("secret", canPrint=0))


def empty_pages_pdf(rng: random.Random) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    pdf = canvas.Canvas(buffer, invariant=1)
    pdf.showPage()
    pdf.showPage()
    pdf.save()
    return ".pdf", buffer.getvalue()


def html_pdf(rng: random.Random) -> tuple[str, bytes]:
    return ".pdf", b"\n<!DOCTYPE html>\n<html><body>Please log in.</body></html>"


def huge_png(rng: random.Random) -> tuple[str, bytes]:
    return ".png", _png(60_000, 60_000)


def large_png(rng: random.Random) -> tuple[str, bytes]:
    return ".png", _png(9_400, 9_400)


def _png(width: int, height: int) -> bytes:
    """A PNG of a size that it does not hold the pixels for."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def blank_png(rng: random.Random) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    Image.new("RGB", (800, 600), "white").save(buffer, "PNG")
    return ".png", buffer.getvalue()


def blank_jpg(rng: random.Random) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((400, 300)).save(buffer, "JPEG")
    return ".jpg", buffer.getvalue()


def empty_mail(rng: random.Random) -> tuple[str, bytes]:
    return ".eml", b"\n\n\n"


def other_zip(rng: random.Random) -> tuple[str, bytes]:
    return ".zip", _zip({"a.txt": b"text"})


def old_word(rng: random.Random) -> tuple[str, bytes]:
    return ".docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4_000)


def comment_html(rng: random.Random) -> tuple[str, bytes]:
    return ".html", b"<!-- nothing but this -->"


def deep_jsonl(rng: random.Random) -> tuple[str, bytes]:
    return ".jsonl", b'{"text": ' + b"[" * 100_000 + b"\n"


def blank_rows(rng: random.Random) -> tuple[str, bytes]:
    return ".jsonl", b'{"text": ""}\n{"text": null}\n{"text": " "}\n'


def no_rows(rng: random.Random) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"text": pa.array([], pa.string())}), buffer)
    return ".parquet", buffer.getvalue()


def _empty(extension: str) -> Maker:
    def empty(rng: random.Random) -> tuple[str, bytes]:
        return extension, b""

    return empty


# The kinds that differ with every file


def truncated_pdf(rng: random.Random) -> tuple[str, bytes]:
    return ".pdf", _cut(_pdf(rng), rng)


def garbled_pdf(rng: random.Random) -> tuple[str, bytes]:
    return ".pdf", b"%PDF-1.7\n" + rng.randbytes(rng.randint(100, 5_000)) + b"\n%%EOF\n"


def truncated_docx(rng: random.Random) -> tuple[str, bytes]:
    return ".docx", _cut(_docx(rng), rng)


def other_docx(rng: random.Random) -> tuple[str, bytes]:
    return ".docx", _zip({f"{_words(rng, 1)}-{n}.txt": _words(rng, 50).encode() for n in range(rng.randint(1, 9))})


def garbled_docx(rng: random.Random) -> tuple[str, bytes]:
    content = bytearray(_docx(rng))
    at = content.index(b"word/document.xml") + 60
    content[at : at + 200] = rng.randbytes(200)
    return ".docx", bytes(content)


def utf16_txt(rng: random.Random) -> tuple[str, bytes]:
    return ".txt", _words(rng, rng.randint(10, 200)).encode("utf-16-le")[:-1]


def random_txt(rng: random.Random) -> tuple[str, bytes]:
    return ".txt", b"\x01" + rng.randbytes(rng.randint(300, 20_000))


def random_md(rng: random.Random) -> tuple[str, bytes]:
    return ".md", b"\x02" + rng.randbytes(rng.randint(300, 20_000))


def truncated_png(rng: random.Random) -> tuple[str, bytes]:
    return ".png", _cut(_picture(rng, "PNG"), rng, 2_000)


def truncated_jpg(rng: random.Random) -> tuple[str, bytes]:
    return ".jpg", _cut(_picture(rng, "JPEG"), rng, 2_000)


def malformed_jsonl(rng: random.Random) -> tuple[str, bytes]:
    bad = ('{"text": "x"', "text", "[1, 2]", "17", '{"text": 5}', "{'text': 'x'}", '{"text": "\\x"}', "\udcff\udcfe")
    lines = [*bad[:1], *(rng.choice(bad) for _ in range(rng.randint(1, 20)))]
    return ".jsonl", "\n".join(lines).encode("utf-8", "surrogateescape")


def other_column_jsonl(rng: random.Random) -> tuple[str, bytes]:
    return ".jsonl", "".join(json.dumps({"body": _words(rng, 9)}) + "\n" for _ in range(rng.randint(1, 9))).encode()


def truncated_parquet(rng: random.Random) -> tuple[str, bytes]:
    return ".parquet", _cut(_parquet(rng, "text"), rng)


def other_column_parquet(rng: random.Random) -> tuple[str, bytes]:
    return ".parquet", _parquet(rng, "body")


def headless_mail(rng: random.Random) -> tuple[str, bytes]:
    mail = EmailMessage()
    mail.set_content(_words(rng, rng.randint(5, 50)))
    return ".eml", mail.get_payload(decode=True)  # type: ignore[return-value]


def unsupported(rng: random.Random) -> tuple[str, bytes]:
    return ".xyz", _words(rng, 20).encode()


_EXTENSIONS = (".txt", ".md", ".html", ".pdf", ".docx", ".eml", ".png", ".jpg", ".tiff", ".jsonl", ".parquet")
_ONCE: list[Maker] = [
    *(long_line, many_characters, deep_html, deep_html_in_mail, deep_mail, deep_jsonl, comment_html),
    *(bomb_docx, ratio_docx, lying_docx, many_members_docx, entities_docx, old_word, other_zip),
    *(encrypted_pdf, empty_pages_pdf, html_pdf, huge_png, large_png, blank_png, blank_jpg),
    *(empty_mail, blank_rows, no_rows),
    *map(_empty, _EXTENSIONS),
]
_VARIED: list[Maker] = [
    *(truncated_pdf, garbled_pdf, truncated_docx, other_docx, garbled_docx, utf16_txt, random_txt, random_md),
    *(truncated_png, truncated_jpg, malformed_jsonl, other_column_jsonl, truncated_parquet, other_column_parquet),
    *(headless_mail, unsupported),
]
