"""Files made by real libraries, and reading them back."""

from email.message import EmailMessage
from pathlib import Path

import reportlab
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfgen import canvas

from transforms.reading import read_blob
from transforms.records import Blob, Document


def read_all(path, **options):
    return list(read_blob(Blob(str(path), path.read_bytes()), **options))


def read_one(path, **options):
    (document,) = read_all(path, **options)
    assert isinstance(document, Document)
    assert document.id == Document.make_id(str(path), document.text)
    return document


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_pdf(path, *pages, **options):
    pdf = canvas.Canvas(str(path), **options)
    for lines in pages:
        for number, line in enumerate(lines):
            pdf.drawString(72, 750 - 14 * number, line)
        pdf.showPage()
    pdf.save()
    return path


def picture_of(*lines, size=(1000, 400)):
    picture = Image.new("RGB", size, "white")
    font = ImageFont.truetype(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf", 30)
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((30, 30 + 60 * number), line, fill="black", font=font)
    return picture


def make_mail():
    mail = EmailMessage()
    mail["From"] = "Jürgen Weiß <jw@example.com>"
    mail["To"] = '"Lee, Ann" <ann@example.com>, bob@example.com'
    mail["Cc"] = "Ops Team <ops@example.com>"
    mail["Date"] = "Tue, 03 Mar 2026 14:05:00 +0100"
    mail["Subject"] = "Übernahme der Müller GmbH — Entwurf"
    mail.set_content("Dear all,\n\nthe draft contract is attached for your review.\n")
    mail.add_alternative("<p>Dear all, the <b>HTML</b> side.</p>", subtype="html")
    mail.add_attachment("Draft of the contract.", filename="draft.txt")
    mail.add_attachment(b"%PDF-1.4 ...", maintype="application", subtype="pdf", filename="a/b#c.pdf")
    mail.add_attachment("Another draft.", filename="draft.txt")
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "Eve <eve@example.com>", "Forwarded offer"
    inner.set_content("The offer of Contoso.")
    mail.add_attachment(inner)
    return mail
