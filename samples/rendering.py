"""Render parsed sources (sources.py) to PDF, DOCX, scans, mails, web pages and row files.

Each is rendered to ``documents/<kind>/<name>.<ext>``; sources in ``src/attachments/`` are only rendered into the mails
that name them. Plain ``.txt`` and ``.md`` documents are kept in ``documents/`` as they are and are not touched.
"""

from __future__ import annotations

import html
import io
import json
import random
import zipfile
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from sources import SRC, Source, blocks, read_source, rows

DPI = 150
FIXED = datetime(2025, 10, 1, 9, 0, 0)


def vera(bold: bool = False) -> Path:
    """A font that ships inside reportlab, so that every machine renders alike."""
    import reportlab

    return Path(reportlab.__file__).parent / "fonts" / ("VeraBd.ttf" if bold else "Vera.ttf")


def render_pdf(source: Source) -> bytes:
    """A born-digital PDF with a running footer."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

    pdfmetrics.registerFont(TTFont("Vera", str(vera())))
    pdfmetrics.registerFont(TTFont("VeraBd", str(vera(bold=True))))
    body = ParagraphStyle("body", fontName="Vera", fontSize=9.5, leading=13.5, spaceAfter=7)
    styles = {
        "h1": ParagraphStyle("h1", body, fontName="VeraBd", fontSize=14, leading=18, spaceAfter=9),
        "h2": ParagraphStyle("h2", body, fontName="VeraBd", fontSize=10.5, leading=14, spaceBefore=6, keepWithNext=1),
        "head": ParagraphStyle("head", body, fontSize=8.5, leading=11, alignment=2, spaceAfter=14),
        "list": ParagraphStyle("list", body, leftIndent=14, bulletIndent=4, spaceAfter=3),
        "cell": ParagraphStyle("cell", body, fontSize=8.5, leading=11, spaceAfter=0),
    }

    def text(value: str, style: str = "", bullet: str | None = None) -> Paragraph:
        return Paragraph(html.escape(value).replace("\n", "<br/>"), styles.get(style, body), bulletText=bullet)

    story: list[Any] = [text("\n".join(source.letterhead), "head")] if source.letterhead else []
    for block in blocks(source.body):
        if block.kind == "page":
            story.append(PageBreak())
        elif block.kind == "table":
            table = Table([[text(c, "cell") for c in row] for row in block.rows], hAlign="LEFT", repeatRows=1)
            grid = ("GRID", (0, 0), (-1, -1), 0.4, colors.grey)
            table.setStyle(TableStyle([grid, ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke)]))
            story += [table, Spacer(1, 8)]
        elif block.kind == "list":
            story += [text(item, "list", "•") for item in block.lines]
        else:
            story.append(text("\n".join(block.lines), block.kind))

    def footer(canvas: Any, doc: Any) -> None:
        canvas.setFont("Vera", 7)
        canvas.drawString(22 * mm, 12 * mm, str(source.meta.get("footer", source.title)))
        canvas.drawRightString(A4[0] - 22 * mm, 12 * mm, f"Page {doc.page}")

    out = io.BytesIO()
    margin = 22 * mm
    doc = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=margin,
        title=source.title,
        invariant=1,
    )
    doc.build(story, onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


def scan(source: Source) -> list[Any]:
    """The body as scanned pages: grey, speckled, a little rotated and blurred."""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    width, height, margin = int(8.27 * DPI), int(11.69 * DPI), 110
    plain, bold = ImageFont.truetype(vera(), 22), ImageFont.truetype(vera(bold=True), 24)
    big = ImageFont.truetype(vera(bold=True), 30)
    rng = random.Random(source.seed)
    pages: list[Any] = []
    y = 0
    draw: Any = None

    def new_page() -> None:
        nonlocal draw, y
        pages.append(Image.new("L", (width, height), 246))
        draw, y = ImageDraw.Draw(pages[-1]), margin

    def put(value: str, font: Any, x: int = margin, right: int = width - margin, after: int = 0) -> int:
        nonlocal y
        line, top = "", y
        for word in [*value.split(), ""]:
            if not word or draw.textlength(f"{line} {word}", font=font) > right - x:
                draw.text((x, top), line, fill=rng.randint(25, 55), font=font)
                top, line = top + int(font.size * 1.45), word
            else:
                line = f"{line} {word}".strip()
        return top + after

    new_page()
    for line in source.letterhead:
        y = put(line, big if line == source.letterhead[0] else plain)
    if source.letterhead:
        draw.line((margin, y + 8, width - margin, y + 8), fill=60, width=2)
        y += 40
    for block in blocks(source.body):
        if block.kind == "page" or y > height - 260:
            new_page()
        for line in block.lines:
            font = big if block.kind == "h1" else bold if block.kind == "h2" else plain
            y = put(("- " if block.kind == "list" else "") + line, font)
        for row in block.rows:
            step = (width - 2 * margin) // len(row)
            spans = [(margin + i * step, cell) for i, cell in enumerate(row)]
            y_next = max(put(cell, plain, x + 10, x + step - 10) for x, cell in spans)
            draw.line((margin, y - 4, width - margin, y - 4), fill=110, width=1)
            y = y_next + 6
        y += 20
    done = []
    for number, page in enumerate(pages):
        if number == len(pages) - 1:
            page = page.crop((0, 0, width, min(height, y + 90)))
        speck = ImageDraw.Draw(page)
        for _ in range(260):
            x, top, r = rng.randrange(width), rng.randrange(page.height), rng.choice([0, 0, 1])
            speck.ellipse((x, top, x + r, top + r), fill=rng.randint(90, 190))
        speck.line((rng.randrange(width), 0, rng.randrange(width), page.height), fill=226, width=2)
        page = page.rotate(rng.choice([-1, 1]) * rng.uniform(0.4, 1.1), Image.Resampling.BICUBIC, fillcolor=238)
        page = page.filter(ImageFilter.GaussianBlur(0.6))
        done.append(page.point(lambda v: min(255, v // 16 * 17)))
    return done


def render_scan(source: Source) -> bytes:
    """A single scanned page as PNG or JPEG."""
    out = io.BytesIO()
    (page,) = scan(source)
    if source.format == "png":
        page.quantize(16).save(out, "PNG", optimize=True, dpi=(DPI, DPI))
    else:
        page.save(out, "JPEG", quality=55, dpi=(DPI, DPI))
    return out.getvalue()


def render_scanned_pdf(source: Source) -> bytes:
    """A PDF that holds page images and no text."""
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    canvas.setTitle("Scan")
    for page in scan(source):
        jpeg = io.BytesIO()
        page.save(jpeg, "JPEG", quality=50)
        jpeg.seek(0)
        size = (page.width * 72 / DPI, page.height * 72 / DPI)
        canvas.setPageSize(size)
        canvas.drawImage(ImageReader(jpeg), 0, 0, *size)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def render_docx(source: Source) -> bytes:
    """A Word document; tables stay tables."""
    import docx

    doc: Any = docx.Document()
    props = doc.core_properties
    props.title, props.author, props.last_modified_by, props.comments = source.title, "", "", ""
    props.created = props.modified = FIXED
    for line in source.letterhead:
        doc.add_paragraph(line).paragraph_format.space_after = 0
    for block in blocks(source.body):
        if block.kind == "page":
            doc.add_page_break()
        elif block.kind in ("h1", "h2"):
            doc.add_heading(block.lines[0], int(block.kind[1]))
        elif block.kind == "table":
            table = doc.add_table(len(block.rows), max(len(r) for r in block.rows), style="Table Grid")
            for i, row in enumerate(block.rows):
                for j, cell in enumerate(row):
                    table.cell(i, j).text = cell
            doc.add_paragraph()
        elif block.kind == "list":
            for item in block.lines:
                doc.add_paragraph(" ".join(item.split()), style="List Bullet")
        else:
            doc.add_paragraph("\n".join(block.lines))
    raw, out = io.BytesIO(), io.BytesIO()
    doc.save(raw)
    with zipfile.ZipFile(raw) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            info = zipfile.ZipInfo(entry.filename, (2025, 10, 1, 9, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(entry))
    return out.getvalue()


def html_blocks(source: Source) -> str:
    """The body as HTML elements."""
    out = []
    for block in blocks(source.body):
        lines = [html.escape(" ".join(line.split())) for line in block.lines]
        if block.kind == "table":
            tags = ["th"] + ["td"] * (len(block.rows) - 1)
            cells = ["".join(f"<{t}>{html.escape(c)}</{t}>" for c in r) for t, r in zip(tags, block.rows, strict=True)]
            out.append("<table>\n" + "\n".join(f"<tr>{c}</tr>" for c in cells) + "\n</table>")
        elif block.kind == "list":
            out.append("<ul>\n" + "\n".join(f"<li>{line}</li>" for line in lines) + "\n</ul>")
        elif block.kind != "page":
            tag = {"h1": "h1", "h2": "h2"}.get(block.kind, "p")
            out.append(f"<{tag}>" + "<br>\n".join(lines) + f"</{tag}>")
    return "\n".join(out)


def render_html(source: Source) -> bytes:
    """A web page with navigation, a cookie banner and a footer around the text."""
    site = html.escape(str(source.meta.get("site", "Site")))
    links = [str(x) for x in source.meta.get("nav", ["Home", "About us", "News", "Careers", "Contact"])]
    nav = "".join(f'<li><a href="/{i}">{html.escape(x)}</a></li>' for i, x in enumerate(links))
    extra = "".join(
        f'<li><a href="#r{i}">{html.escape(str(x))}</a></li>' for i, x in enumerate(source.meta.get("related", []))
    )
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{html.escape(source.title)} | {site}</title>
<style>nav li {{ display: inline; }} .cookie {{ position: fixed; bottom: 0; }}</style>
<script>window.dataLayer = window.dataLayer || []; function track() {{ dataLayer.push(arguments); }}</script>
</head>
<body>
<div class="cookie" id="cookie-banner"><p>We use cookies to improve your experience and to measure traffic.</p>
<button>Accept all</button> <button>Only necessary</button> <a href="/privacy">Privacy settings</a></div>
<header><a href="/" class="logo">{site}</a>
<nav><ul>{nav}</ul></nav>
<form role="search"><input type="search" placeholder="Search"></form></header>
<main>
<article>
{html_blocks(source)}
</article>
</main>
<aside><h3>You may also like</h3><ul>{extra}</ul>
<p>Share this page: <a href="#">E-mail</a> <a href="#">Print</a></p></aside>
<footer><p>&copy; 2025 {site}. All rights reserved.</p>
<ul><li><a href="/terms">Terms of use</a></li><li><a href="/cookies">Cookies</a></li>
<li><a href="/map">Site map</a></li></ul></footer>
</body>
</html>
"""
    return page.encode("utf-8")


def render_eml(source: Source) -> bytes:
    """A mail as text, with an HTML alternative and attachments where the front matter asks for them."""
    mail = EmailMessage(policy=SMTP)
    for header in ("from", "to", "cc", "date", "subject"):
        if header in source.meta:
            mail[header.capitalize()] = str(source.meta[header])
    mail["Message-ID"] = f"<{source.path.stem}.{source.seed}@mail.example>"
    mail.set_content(source.body)
    if source.meta.get("html"):
        mail.add_alternative(f"<html><body>\n{html_blocks(source)}\n</body></html>\n", subtype="html")
    for name in source.meta.get("attach", []):
        part = read_source(SRC / "attachments" / f"{name}.txt")
        data = RENDERERS[part.format](part)
        kinds = {"pdf": "pdf", "docx": "vnd.openxmlformats-officedocument.wordprocessingml.document"}
        if part.format == "txt":
            mail.add_attachment(part.body, filename=f"{name}.txt")
        else:
            mail.add_attachment(data, "application", kinds[part.format], filename=f"{name}.{part.format}")
    for number, section in enumerate(p for p in mail.walk() if p.is_multipart()):
        section.set_boundary(f"=-part{number}-{source.seed}-")
    return mail.as_bytes()


def render_jsonl(source: Source) -> bytes:
    """One JSON object a line."""
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows(source)).encode("utf-8")


def render_parquet(source: Source) -> bytes:
    """A small Parquet table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows(source)), out)
    return out.getvalue()


RENDERERS: dict[str, Callable[[Source], bytes]] = {
    "pdf": render_pdf,
    "scanned-pdf": render_scanned_pdf,
    "docx": render_docx,
    "png": render_scan,
    "jpg": render_scan,
    "eml": render_eml,
    "html": render_html,
    "jsonl": render_jsonl,
    "parquet": render_parquet,
    "txt": lambda source: source.body.encode("utf-8"),
}


def missing_glyphs(source: Source) -> str:
    """Characters that the bundled font cannot draw (drawn formats only)."""
    if source.format not in ("pdf", "scanned-pdf", "png", "jpg"):
        return ""
    from reportlab.pdfbase.ttfonts import TTFontFile

    known = TTFontFile(str(vera())).charToGlyph
    text = source.body + "".join(source.letterhead)
    return "".join(sorted({c for c in text if not c.isspace() and ord(c) not in known}))
