"""PDF, Word, images and tables: made here by real libraries, read back."""

import json
import zipfile

import docx
import pyarrow as pa
import pytest
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from pyarrow import parquet
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas

from tests.reading_files import picture_of, read_all, read_one, write, write_pdf
from transforms.reading import ReadError
from transforms.reading.text import Line, join_lines, join_words
from transforms.records import DeadLetter, Document

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


@pytest.mark.parametrize(
    ("words", "above", "text"),
    [
        (
            ("Nordhavn Shipping AS sells", "Contoso Ltd to Fabrikam Inc."),
            "DocuSign Envelope ID: 0A1B2C3D",
            "Nordhavn Ship",
        ),
        ((), "Annual Report of Nordhavn Shipping AS", "Annual Report"),
    ],
)
def test_pdf_page_with_a_picture_over_most_of_it_is_recognised_if_that_holds_text(tmp_path, words, above, text):
    pdf = canvas.Canvas(str(tmp_path / "scan.pdf"), pagesize=(600, 240))
    pdf.drawImage(ImageReader(picture_of(*words)), 0, 0, 600, 240)
    pdf.drawString(20, 50, above)
    pdf.save()
    document = read_one(tmp_path / "scan.pdf")
    assert document.text.startswith(text)
    assert document.ocr == bool(words)


def test_pdf_form_is_read_as_it_is_filled_in(tmp_path):
    pdf = canvas.Canvas(str(tmp_path / "form.pdf"))

    def field(label, x, y, value, left, below=0, **options):
        pdf.drawString(x, y, label)
        pdf.acroForm.textfield(name=label, x=left, y=y - 6 - below, width=150, height=20, value=value, **options)

    pdf.drawString(72, 760, "Application for a number")
    field("Supplier:", 72, 700, "Contoso Ltd", 130)
    field("Town:", 300, 700, "Leeds", 340)
    field("Director:", 72, 686, "Kari Halvorsen", 130)
    field("Remarks", 72, 640, "We sell\npumps.", 72, below=20, fieldFlags="multiline")
    field("Empty:", 72, 560, "", 130)
    pdf.acroForm.checkbox(name="box", x=72, y=520, checked=True)
    pdf.acroForm.choice(name="country", x=72, y=500, width=100, height=20, value="Norway", options=["Norway", "Fiji"])
    pdf.save()
    assert read_one(tmp_path / "form.pdf").text.split("\n") == [
        "Application for a number",
        "Supplier: Contoso Ltd Town: Leeds",
        "Director: Kari Halvorsen",
        *("Remarks", "We sell pumps.", "Empty:", "Norway"),
    ]


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


NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
)


def put(paragraph, name, inner, attributes=""):
    """Append an element of Word's to a paragraph."""
    paragraph._p.append(parse_xml(f"<w:{name} {NAMESPACES} {attributes}>{inner}</w:{name}>"))


def test_docx_fields_and_directed_text_are_read(tmp_path):
    word = docx.Document()
    paragraph = word.add_paragraph("The Seller is ")
    put(paragraph, "fldSimple", "<w:r><w:t>Nordhavn Shipping AS</w:t></w:r>", 'w:instr=" DOCPROPERTY Company "')
    put(paragraph, "bdo", "<w:r><w:t> of </w:t></w:r>", 'w:val="ltr"')
    put(paragraph, "dir", "<w:r><w:t>Bergen.</w:t></w:r>", 'w:val="ltr"')
    word.save(tmp_path / "a.docx")
    assert read_one(tmp_path / "a.docx").text == "The Seller is Nordhavn Shipping AS of Bergen."


def test_docx_text_boxes_are_read_once_behind_their_paragraph(tmp_path):
    def box(text):
        return f"<w:txbxContent><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:txbxContent>"

    word = docx.Document()
    paragraph = word.add_paragraph("Dear Ms Lee,")
    put(paragraph, "r", f"<w:pict><v:shape><v:textbox>{box('Contoso Ltd')}</v:textbox></v:shape></w:pict>")
    drawn = f"<w:drawing><wps:wsp><wps:txbx>{box('5 Garland Court, Leeds')}</wps:txbx></wps:wsp></w:drawing>"
    old = f"<w:pict>{box('5 Garland Court, Leeds')}</w:pict>"
    choice = f'<mc:Choice Requires="wps">{drawn}</mc:Choice><mc:Fallback>{old}</mc:Fallback>'
    put(paragraph, "r", f"<mc:AlternateContent>{choice}</mc:AlternateContent>")
    word.add_paragraph("here is the offer.")
    word.save(tmp_path / "a.docx")
    lines = ["Dear Ms Lee,", "Contoso Ltd", "5 Garland Court, Leeds", "here is the offer."]
    assert read_one(tmp_path / "a.docx").text.split("\n") == lines


def test_docx_notes_are_read_behind_the_body(tmp_path):
    word = docx.Document()
    word.sections[0].footer.paragraphs[0].text = "Page 1"
    word.add_paragraph("The Seller owns all shares.")
    for kind, text in (("footnote", "Contoso Ltd holds 40 per cent."), ("endnote", "Signed in Bergen.")):
        note = f'<w:{kind} w:id="2"><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:{kind}>'
        xml = f'<w:{kind}s {NAMESPACES}><w:{kind} w:type="separator" w:id="-1"><w:p/></w:{kind}>{note}</w:{kind}s>'
        type_ = f"application/vnd.openxmlformats-officedocument.wordprocessingml.{kind}s+xml"
        part = Part(PackURI(f"/word/{kind}s.xml"), type_, xml.encode(), word.part.package)
        relation = f"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}s"
        word.part.relate_to(part, relation)
    word.save(tmp_path / "a.docx")
    lines = ["The Seller owns all shares.", "Contoso Ltd holds 40 per cent.", "Signed in Bergen.", "Page 1"]
    assert read_one(tmp_path / "a.docx").text.split("\n") == lines


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
