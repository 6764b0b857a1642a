"""Texts in all encodings, Markdown and HTML, what format a file is taken for, and what is said of bad ones."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reading_files import make_mail, picture_of, read_all, read_one, write, write_pdf
from transforms.reading import Limits, ReadError, read_blob
from transforms.reading.markup import check_depth
from transforms.records import Blob

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


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1252", ("Øystein Bø", "Østby AS", "Tromsø")),
        ("cp1252", ("Søren Kjær", "Ørsted A/S", "København")),
        ("cp1252", ("José Núñez", "Peña S.A.", "Málaga")),
        ("cp1252", ("João Conceição", "Simões Lda", "São Paulo")),
        ("cp1252", ("Niccolò Rossi", "Città Nuova SpA", "Forlì")),
        ("cp1252", ("Åke Sjögren", "Umeå Energi AB", "Skellefteå")),
        ("cp1252", ("François Hénault", "Crédit Foncier", "Genève")),
        ("cp1252", ("A – B", "£5 million", "€7")),
        ("cp1250", ("Lech Wałęsa", "Stocznia Gdańska", "Łódź")),
        ("cp1250", ("Antonín Dvořák", "Škoda a.s.", "Plzeň")),
        ("cp1250", ("Goran Petrović", "Đuro Đaković", "Čakovec")),
        ("cp1250", ("Traian Băsescu", "Banca Română", "Iaşi")),
        ("cp1250", ("Pál Erdős", "Szőke Kft.", "Győr")),
    ],
)
@pytest.mark.parametrize("sentences", [1, 20])
def test_names_of_europe_in_an_english_text(tmp_path, encoding, names, sentences):
    sentence = "The agreement between {} and {} was signed in {} on 3 May 2020, and the price was paid at once. "
    text = sentence.format(*names) + sentence.format("Kari", "Ola", "Bergen") * (sentences - 1)
    assert read_one(write(tmp_path / "a.txt", text.encode(encoding))).text == text


def test_what_is_valid_utf_8_is_it_whatever_it_says(tmp_path):
    source = '<html><head><meta charset="iso-8859-1"></head><body><p>Jørgen Müller kommer.</p></body></html>'
    assert read_one(write(tmp_path / "a.html", source)).text == "Jørgen Müller kommer."
    source = source.replace("iso-8859-1", "iso-2022-jp").replace("Jørgen Müller kommer.", "株式会社")
    assert read_one(write(tmp_path / "b.html", source.encode("iso2022_jp"))).text == "株式会社"


def test_txt_is_cleaned_and_else_faithful(tmp_path):
    document = read_one(write(tmp_path / "a.txt", b"one\r\ntwo\rthree  \x00\n\n  four\n" + b"x " * 200))
    assert document.text.startswith("one\ntwo\nthree  \n\n  four\nx x ")


def test_lone_surrogates_are_replaced(tmp_path):
    rows = write(tmp_path / "a.jsonl", '{"text": "a \\ud800 b \\ud83d\\ude00"}\n')
    assert read_all(rows)[0].text == "a \ufffd b \U0001f600"


def test_bullets_of_symbol_fonts_are_text(tmp_path):
    text = "\uf0b7 Budget 2026\n\uf0b7 Plan"
    assert read_one(write(tmp_path / "a.txt", text)).text == text


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
| Ann  | Oslo<br>Bergen |

Acme Ltd<br/>Main Street 5, not `<br>`

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
        *("first item", "second item", "nested item", "Name | City", "Ann | Oslo Bergen"),
        *("Acme Ltd", "Main Street 5, not <br>"),
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


def test_small_pages_keep_their_lines(tmp_path):
    source = """<body><nav><a href="/">Home</a></nav><main><h1>Vendors</h1>
<div>Bill to:</div><div>Nordhavn Shipping AS</div><div>Kaiveien 14<br>5003 Bergen</div>
<table><tr><th>Vendor</th><th>City</th></tr><tr><td>Contoso Ltd</td><td>Leeds</td></tr></table>
<dl><dt>Due</dt><dd>3 May 2020</dd></dl></main><footer>Imprint</footer></body>"""
    document = read_one(write(tmp_path / "a.html", source))
    assert document.text.split("\n") == [
        *("Vendors", "Bill to:", "Nordhavn Shipping AS", "Kaiveien 14", "5003 Bergen"),
        *("Vendor | City", "Contoso Ltd | Leeds", "Due", "3 May 2020"),
    ]


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
