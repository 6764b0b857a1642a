"""Real files, made here by real libraries, read back."""

import io
import json
import subprocess
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path

import docx
import pyarrow as pa
import pytest
import reportlab
from PIL import Image, ImageDraw, ImageFont
from pyarrow import parquet
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from transforms.reading import Limits, ReadError, read_blob
from transforms.reading.markup import check_depth
from transforms.reading.text import Line, join_lines, join_words
from transforms.records import Blob, DeadLetter, Document


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


# Plain text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_txt_in_any_common_encoding(tmp_path, encoding):
    text = "Müller GmbH übernimmt die Bäckerei Größe in Köln für 3 Millionen.\nDer Geschäftsführer heißt Jürgen Weiß.\n"
    document = read_one(write(tmp_path / "a.txt", text.encode(encoding)))
    assert document.text == text
    assert (document.format, document.language, document.date) == ("txt", "de", None)
    assert document.title == text.split("\n")[0]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Компания открыла новый завод в Москве. Директором назначен Иван Петров, бывший инженер."),
        ("shift_jis", "株式会社は東京に新しい工場を開設しました。社長は田中さんです。詳細は来週発表される予定です。"),
        ("gb18030", "该公司在北京开设了一家新工厂。总经理是王伟先生,他以前是一名工程师。"),
    ],
)
def test_txt_in_other_scripts(tmp_path, encoding, text):
    assert read_one(write(tmp_path / "a.txt", text.encode(encoding))).text == text


def test_txt_is_cleaned_and_else_faithful(tmp_path):
    document = read_one(write(tmp_path / "a.txt", b"one\r\ntwo\rthree  \x00\n\n  four\n" + b"x " * 200))
    assert document.text.startswith("one\ntwo\nthree  \n\n  four\nx x ")


def test_lone_surrogates_are_replaced(tmp_path):
    rows = write(tmp_path / "a.jsonl", '{"text": "a \\ud800 b \\ud83d\\ude00"}\n')
    assert read_one_row(rows).text == "a \ufffd b \U0001f600"


def read_one_row(path):
    (row,) = read_all(path)
    assert isinstance(row, Document)
    return row


def test_language_of_few_letters_is_undetermined(tmp_path):
    assert read_one(write(tmp_path / "a.txt", "Invoice 2026-03: 12,000")).language == "und"


# Markdown


def test_markdown_loses_its_markup(tmp_path):
    source = """---
title: "Minutes of March"
---
# Minutes *of* March

Anna Lee met
[Bob](https://example.org) at **Acme**.

- first item
- second item
  - nested item

| Name | City |
|------|------|
| Ann  | Oslo |

```
x = 1
  y = 2
```

<div>A <b>block</b> of HTML</div>
"""
    document = read_one(write(tmp_path / "a.md", source))
    assert document.title == "Minutes of March"
    assert document.text.split("\n") == [
        "Minutes of March",
        "Anna Lee met Bob at Acme.",
        *("first item", "second item", "nested item", "Name | City", "Ann | Oslo"),
        *("x = 1", "  y = 2", "A block of HTML"),
    ]


# HTML

PAGE = """<!DOCTYPE html><html><head><title>Acme buys Foo | The Site</title>
<meta charset="{charset}"><meta property="article:published_time" content="2026-03-03T10:00:00Z"></head><body>
<nav><a href="/">Home</a> <a href="/products">Products</a></nav>
<article><h1>Acme buys Foo</h1><p>{sentences}</p><ul><li>One item of the list</li><li>Another item</li></ul>
<table><tr><th>Name</th><th>City</th></tr><tr><td><p>Ann Lee</p></td><td>Paris</td></tr></table>
<p>The closing <b>words</b> are here, in the last paragraph.</p></article>
<footer>Imprint and copyright</footer><script>var x = "<div>";</script></body></html>"""


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
def test_html_main_text(tmp_path, charset):
    sentences = "Die Müller AG in Köln gehört nun zu Acme, teilte das Unternehmen am Dienstag mit. " * 4
    document = read_one(write(tmp_path / "a.html", PAGE.format(charset=charset, sentences=sentences).encode(charset)))
    lines = document.text.split("\n")
    assert sentences.strip() in lines
    assert "Name | City" in lines
    assert "Ann Lee | Paris" in lines
    assert "The closing words are here, in the last paragraph." in lines
    assert "Products" not in document.text
    assert "Imprint" not in document.text
    assert (document.title, document.date, document.language) == ("Acme buys Foo", "2026-03-03", "de")


def test_html_without_main_text_gives_what_it_shows(tmp_path):
    source = "<body><!-- no --><style>p {}</style><footer>Order<br>No. <b>17</b> of <i>March</i></footer></body>"
    assert read_one(write(tmp_path / "a.html", source)).text.split("\n") == ["Order", "No. 17 of March"]


def test_html_depth_is_checked_without_a_parser():
    check_depth("<div>" * 500 + "</div>" * 500, 500)
    check_depth("<p><li>" * 10_000 + "<br>" * 10_000 + "<i>a</i><div/>" * 10_000, 5)
    check_depth("<script>" + "'<div>'" * 1_000 + "</script><!--" + "<div>" * 1_000 + "-->", 5)
    for source in ("<div>" * 501, "<!--" + "<b>" * 501, "<script>" + "<x-y a='1'>" * 501, "<div><p>" * 501):
        with pytest.raises(ReadError, match="deeper than the limit of 500"):
            check_depth(source, 500)


def test_html_within_the_depth_limit_is_read_whole(tmp_path):
    source = "<div>" * 480 + "<p>A sentence at the very bottom of it all.</p>" + "</div>" * 480
    assert "at the very bottom" in read_one(write(tmp_path / "a.html", source)).text


# PDF


def test_pdf_pages_and_paragraphs(tmp_path):
    first = [
        "Acme Holding announced on Tuesday that it will complete its acqui-",
        "sition of Müller GmbH in Berlin. The well-known company has a",
        "well-",
        "known brand.",
        "",
        "A second paragraph begins after a gap, and names Jane Doe as the",
        "new head of research.",
    ]
    path = write_pdf(tmp_path / "a.pdf", first, ["Page two begins here and says a little more."])
    document = read_one(path)
    assert document.text.split("\n") == [
        "Acme Holding announced on Tuesday that it will complete its acquisition of Müller GmbH in Berlin. "
        "The well-known company has a well-known brand.",
        "A second paragraph begins after a gap, and names Jane Doe as the new head of research.",
        "Page two begins here and says a little more.",
    ]
    assert len(document.pages) == 2
    assert document.text[document.pages[1] :].startswith("Page two begins")
    assert (document.language, document.ocr) == ("en", False)


def test_pdf_title_is_its_metadata_else_its_first_line(tmp_path):
    pdf = canvas.Canvas(str(tmp_path / "a.pdf"))
    pdf.setTitle("Annual Report")
    pdf.drawString(72, 700, "Some text of the report.")
    pdf.save()
    assert read_one(tmp_path / "a.pdf").title == "Annual Report"
    assert read_one(write_pdf(tmp_path / "b.pdf", ["Some text of the report."])).title == "Some text of the report."


def test_pdf_sentence_runs_over_the_page_end(tmp_path):
    document = read_one(write_pdf(tmp_path / "a.pdf", ["This sentence is continued"], [], ["on the third page."]))
    assert document.text == "This sentence is continued on the third page."
    assert document.text[document.pages[2] :] == "on the third page."
    assert len(document.pages) == 3


def test_scanned_pdf_page_is_recognised(tmp_path):
    pdf = canvas.Canvas(str(tmp_path / "scan.pdf"))
    pdf.drawString(72, 750, "The first page has a text layer of its own.")
    pdf.showPage()
    pdf.drawImage(ImageReader(picture_of("Invoice from Contoso", "Total 1200 EUR")), 50, 400, 500, 200)
    pdf.showPage()
    pdf.save()
    document = read_one(tmp_path / "scan.pdf")
    assert document.ocr
    assert document.text[document.pages[1] :].split("\n") == ["Invoice from Contoso", "Total 1200 EUR"]


def test_word_halves_join():
    assert join_words("an acqui-", "sition of") == "an acquisition of"
    assert join_words("the well-", "known man", frozenset({"well-known"})) == "the well-known man"
    assert join_words("Smith-", "Jones") == "Smith- Jones"
    assert join_words("pages 3-", "5") == "pages 3- 5"


def test_short_lines_are_paragraphs():
    def line(text, row):
        return Line(text, 50, 50 + 5 * len(text), 14 * row, 14 * row + 10, 10)

    lines = [
        "Contoso Ltd",
        "1 Main Street",
        "Dear Ms Lee, we are glad to tell you that the order has been",
        "sent today.",
    ]
    assert join_lines([line(text, row) for row, text in enumerate(lines)]).split("\n") == [
        *lines[:2],
        f"{lines[2]} {lines[3]}",
    ]


# Word


def test_docx_in_order_with_tables_and_margins(tmp_path):
    word = docx.Document()
    word.sections[0].header.paragraphs[0].text = "Contoso – confidential"
    word.sections[0].footer.paragraphs[0].text = "Contoso Ltd, London"
    word.add_heading("Quarterly Report", 1)
    word.add_paragraph("Jane Doe leads the unit.")
    table = word.add_table(rows=3, cols=2)
    for row, texts in zip(table.rows, [("Name", "City"), ("Ann Lee", "Oslo"), ("all", "")], strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.cell(2, 0).merge(table.cell(2, 1))
    word.add_paragraph("The end of the report.")
    word.add_section()
    word.save(tmp_path / "a.docx")
    document = read_one(tmp_path / "a.docx")
    assert document.title == "Quarterly Report"
    assert document.text.split("\n") == [
        *("Contoso – confidential", "Quarterly Report", "Jane Doe leads the unit."),
        *("Name | City", "Ann Lee | Oslo", "all", "The end of the report.", "Contoso Ltd, London"),
    ]


def test_docx_insertions_and_content_controls_are_read(tmp_path):
    word = docx.Document()
    word.add_paragraph("Signed by Jane Doe.")
    word.save(tmp_path / "plain.docx")
    changed = tmp_path / "changed.docx"
    with zipfile.ZipFile(tmp_path / "plain.docx") as source, zipfile.ZipFile(changed, "w") as target:
        for member in source.infolist():
            data = source.read(member)
            if member.filename == "word/document.xml":
                data = data.replace(b"<w:p>", b"<w:sdt><w:sdtContent><w:p><w:ins w:id='1' w:author='a'>", 1)
                data = data.replace(b"</w:p>", b"</w:ins></w:p></w:sdtContent></w:sdt>", 1)
            target.writestr(member, data)
    assert read_one(changed).text == "Signed by Jane Doe."


# Mail


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


def test_mail_text_facts_and_attachments(tmp_path):
    document, *blobs = read_all(write(tmp_path / "a.eml", make_mail().as_bytes()))
    assert document.text.split("\n") == [
        "From: Jürgen Weiß <jw@example.com>",
        "To: Lee, Ann <ann@example.com>, bob@example.com",
        "Cc: Ops Team <ops@example.com>",
        "Date: Tuesday, 3 March 2026 14:05",
        "Subject: Übernahme der Müller GmbH — Entwurf",
        *("", "Dear all,", "", "the draft contract is attached for your review."),
    ]
    subject = "Übernahme der Müller GmbH — Entwurf"
    assert (document.title, document.date, document.language) == (subject, "2026-03-03", "en")
    said = [
        (document.text[slice(*f.head)], f.relation, document.text[slice(*f.tail)], f.tail_type) for f in document.facts
    ]
    assert said == [
        (subject, "SENT_BY", "Jürgen Weiß", "Person"),
        (subject, "SENT_TO", "Lee, Ann", "Person"),
        (subject, "SENT_TO", "bob@example.com", "Person"),
        (subject, "SENT_TO", "Ops Team", "Person"),
        (subject, "SENT_ON", "Tuesday, 3 March 2026 14:05", "Date"),
    ]
    names = ["draft.txt", "a_b_c.pdf", "draft (2).txt", "Forwarded offer.eml"]
    assert [blob.uri for blob in blobs] == [f"{tmp_path}/a.eml#{name}" for name in names]
    assert {(blob.parent, blob.depth) for blob in blobs} == {(document.id, 1)}
    (draft,) = read_blob(blobs[0])
    assert (draft.text.strip(), draft.parent) == ("Draft of the contract.", document.id)
    (inner,) = read_blob(blobs[3])
    assert (inner.title, inner.parent) == ("Forwarded offer", document.id)


def test_mail_with_broken_headers_has_fewer_facts(tmp_path):
    source = (
        b"From: =?utf-8?q?J=C3=BCrgen?= <\r\nTo: undisclosed-recipients:;\r\nDate: soon\r\n"
        b"Subject: =?nope?b?####?= plan\r\nContent-Type: text/plain; charset=nope\r\n\r\n"
        b"Caf\xe9 at noon, says the plan.\r\n"
    )
    (document,) = read_all(write(tmp_path / "a.eml", source))
    assert "Date: soon\n" in document.text
    assert "Café at noon" in document.text
    assert document.date is None
    assert not {fact.relation for fact in document.facts} & {"SENT_ON", "SENT_TO"}


def test_mail_without_subject_states_no_facts(tmp_path):
    (document,) = read_all(write(tmp_path / "a.eml", b"From: ann@example.com\n\nHello there.\n"))
    assert document.facts == ()
    assert document.title == "Hello there."


def test_mail_of_html_only(tmp_path):
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "ann@example.com", "Hi"
    rows = (
        "<table><tr><td><p>Dear Bob,</p><p>yes.</p></td></tr></table><table><tr><td>Oslo</td><td>12</td></tr></table>"
    )
    mail.set_content(rows, subtype="html")
    (document,) = read_all(write(tmp_path / "a.eml", mail.as_bytes()))
    assert document.text.split("\n")[3:] == ["Dear Bob,", "yes.", "Oslo | 12"]


def test_too_many_attachments_and_too_deep_ones(tmp_path):
    document, blob, *letters = read_all(
        write(tmp_path / "a.eml", make_mail().as_bytes()), limits=Limits(max_attachments=1)
    )
    assert isinstance(document, Document)
    assert isinstance(blob, Blob)
    assert [letter.replay for letter in letters] == [{"input": f"{tmp_path}/a.eml"}]
    with pytest.raises(ReadError, match="4 mails deep"):
        list(read_blob(Blob("a.eml#b.txt", b"text", depth=4)))


# Images


@pytest.mark.parametrize("extension", ["png", "jpg", "tiff", "bmp", "webp"])
def test_image_text(tmp_path, extension):
    picture_of("Invoice from Contoso", "Total 1200 EUR").save(tmp_path / f"a.{extension}")
    document = read_one(tmp_path / f"a.{extension}")
    assert document.text.split("\n") == ["Invoice from Contoso", "Total 1200 EUR"]
    assert (document.format, document.title, document.ocr) == ("image", "Invoice from Contoso", True)


def test_image_paragraph_runs_over_lines(tmp_path):
    lines = ["The board of Contoso met in Oslo and elected", "Jane Doe as its chair for the next four years."]
    picture_of(*lines).save(tmp_path / "a.png")
    assert read_one(tmp_path / "a.png").text == " ".join(lines)


def test_tiff_frames_are_pages(tmp_path):
    frames = [picture_of("The first frame"), picture_of("The second frame")]
    frames[0].save(tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    document = read_one(tmp_path / "a.tiff")
    assert document.text[document.pages[1] :] == "The second frame"


# Tables


def test_jsonl_keeps_good_rows_beside_bad_ones(tmp_path):
    rows = [
        json.dumps({"text": "The first text.", "title": "One", "date": "2026-03-03T10:00:00"}),
        '{"text": broken',
        "",
        json.dumps({"text": "The second text.", "id": 17}),
        *(json.dumps(row) for row in ({"text": None}, {"text": 5}, {"body": "x"}, [1], {"text": " "})),
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(rows))
    found = read_all(path)
    documents = [item for item in found if isinstance(item, Document)]
    letters = [item for item in found if isinstance(item, DeadLetter)]
    assert [(item.uri, item.text) for item in documents] == [
        (f"{path}#row-1", "The first text."),
        (f"{path}#17", "The second text."),
    ]
    assert (documents[0].title, documents[0].date, documents[0].format) == ("One", "2026-03-03", "jsonl")
    assert [item.uri for item in letters] == [f"{path}#row-{number}" for number in (2, 5, 6, 7, 8, 9)]
    assert all(item.stage == "read" and item.replay == {"input": str(path)} for item in letters)
    assert all(item.cause.startswith(item.uri) for item in letters)


def test_parquet_rows(tmp_path):
    path = tmp_path / "a.parquet"
    table = {"id": ["a", None, "c"], "title": ["One", None, "Three"], "body": ["First text.", "Second text.", None]}
    parquet.write_table(pa.table(table), path)
    first, second, third = read_all(path, text_column="body")
    assert (first.uri, first.title, first.text) == (f"{path}#a", "One", "First text.")
    assert (second.uri, second.title) == (f"{path}#row-2", "Second text.")
    assert isinstance(third, DeadLetter)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_missing_column_names_those_there_are(tmp_path, name):
    if name == "a.jsonl":
        write(tmp_path / name, '{"body": "x", "n": 1}\n')
    else:
        parquet.write_table(pa.table({"body": ["x"], "n": [1]}), tmp_path / name)
    with pytest.raises(ReadError, match=r"a\.\w+: has no column 'text'.*'body', 'n'"):
        read_all(tmp_path / name)


# Dispatch and limits


def test_content_wins_over_a_name_that_lies(tmp_path):
    pdf = write_pdf(tmp_path / "a.txt", ["Some text in a PDF that is named txt."])
    assert read_one(pdf).format == "pdf"
    nameless = write(tmp_path / "noname", pdf.read_bytes())
    assert read_one(nameless).format == "pdf"
    assert read_all(write(tmp_path / "mail", make_mail().as_bytes()))[0].format == "eml"
    assert read_one(write(tmp_path / "BMW", "BMW is a company in Munich.")).format == "txt"
    assert read_one(write(tmp_path / "a.txt", "BMW is a company, Munich its home.")).format == "txt"
    buffer = io.BytesIO()
    picture_of("A picture of text").save(buffer, "JPEG")
    assert read_one(write(tmp_path / "a.png", buffer.getvalue())).format == "image"


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.pdf", b"<!DOCTYPE html><html><body>Please log in</body></html>", "holds HTML"),
        ("a.xyz", b"some text", "format .xyz is not supported"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old or password-protected Office"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n ", "text is empty"),
        ("a.pdf", b"no pdf at all", "does not begin with %PDF-"),
    ],
)
def test_errors_name_the_file_and_the_cause(name, content, cause):
    with pytest.raises(ReadError, match=cause) as caught:
        list(read_blob(Blob(f"folder/{name}", content)))
    assert str(caught.value).startswith(f"folder/{name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "cause"),
    [
        (Limits(max_bytes=10), "max_bytes"),
        (Limits(max_chars=10), "max_chars"),
        (Limits(max_line=10), "line 2 .*max_line"),
    ],
)
def test_limits_are_named(limits, cause):
    with pytest.raises(ReadError, match=cause):
        list(read_blob(Blob("a.txt", b"short\nand a longer line"), limits))


def test_import_is_light():
    heavy = ["trafilatura", "docx", "rapidocr_onnxruntime", "cv2", "pypdfium2", "pyarrow", "numpy", "PIL", "lxml"]
    code = f"import sys, transforms.reading; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "[]"
