from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transforms.bundle import Bundle
from transforms.features import SHAPES, letter_shapes, pack, pad, tokenize
from transforms.records import Document
from transforms.segmenting import segment, sentences


def test_letter_shapes_of_each_kind() -> None:
    words = ["lower", "Title", "UPPER", "iPhone", "X", "2024", "TW400", "-", "é", "É"]
    text = " ".join(words)
    spans, position = [], 0
    for word in words:
        spans.append((position, position + len(word)))
        position += len(word) + 1
    shapes = [SHAPES[i] for i in letter_shapes(text, np.array(spans))]
    assert shapes == ["lower", "Title", "UPPER", "mIxed", "X", "digits", "digits+letters", "other", "lower", "X"]


def test_words_carry_exact_offsets(bundle: Bundle) -> None:
    text = "Brázia & Irmãos paid €4.2m to “Zeeduin Lines N.V.” — unbelievably, in Gdańsk."
    (tokens,) = tokenize(bundle.tokenizer, text, [(0, len(text))])
    words = [text[a:b] for a, b in tokens.spans]
    assert words[:6] == ["Brázia", "&", "Irmãos", "paid", "€4", "."]
    assert "".join(words) == text.replace(" ", "")


@settings(deadline=None, max_examples=60)
@given(st.text("aZ9é. \n€", max_size=60), st.lists(st.integers(0, 60), max_size=12))
def test_a_sentence_is_tokenized_the_same_whatever_stands_beside_it(bundle: Bundle, text: str, cuts: list[int]) -> None:
    spans = list(itertools.pairwise(sorted(cuts)))
    together = tokenize(bundle.tokenizer, text, spans)
    assert len(together) == len(spans)
    for span, found in zip(spans, together, strict=True):
        (alone,) = tokenize(bundle.tokenizer, text, [span])
        for name in ("ids", "shapes", "starts", "spans"):
            assert np.array_equal(getattr(found, name), getattr(alone, name))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(1, 12), max_size=60), min_size=1, max_size=12), st.integers(12, 40))
@example([[1] * 30 + [8] * 6 + [1] * 10], 40)  # what overlaps is longer than a window
def test_every_word_is_in_the_core_of_one_window(bundle: Bundle, sizes: list[list[int]], limit: int) -> None:
    parts = [" ".join("é1" * size for size in row) for row in sizes]  # a size is half a word's subtokens
    text = "\n".join(parts)
    spans, position = [], 0
    for part in parts:
        spans.append((position, position + len(part)))
        position += len(part) + 1
    tokens = tokenize(bundle.tokenizer, text, spans)
    windows = pack(tokens, 101, 102, limit)
    assert all(len(window) <= limit for window in windows)
    found = [tuple(span) for w in windows for span in w.spans[w.core[0] : w.core[1]].tolist()]
    assert found == [tuple(span) for t in tokens for span in t.spans.tolist()]


def test_padding_keeps_every_window(bundle: Bundle) -> None:
    text = "One short line.\nA somewhat longer line with more words in it."
    windows = [pack([t], 101, 102, 64)[0] for t in tokenize(bundle.tokenizer, text, [(0, 15), (16, len(text))])]
    batch = pad(windows)
    assert batch.mask.sum(axis=1).tolist() == [len(w) for w in windows]
    assert batch.words.tolist() == [len(w.starts) for w in windows]


def test_sentences_cut_at_short_lines_and_blank_lines_but_not_at_wraps() -> None:
    text = (
        "SUPPLY AGREEMENT\n\n1. Scope\nThe Supplier delivers twelve winches of the type TW-400 to the\n"
        "Buyer in Rotterdam. Acme Ltd. pays Dr. Solberg on delivery.\n\nSigned: I. Solberg\nDate: 3 March 2024"
    )
    found = [text[a:b] for a, b in sentences(text)]
    assert found == [
        "SUPPLY AGREEMENT",
        "1. Scope",
        "The Supplier delivers twelve winches of the type TW-400 to the\nBuyer in Rotterdam.",
        "Acme Ltd. pays Dr. Solberg on delivery.",
        "Signed: I. Solberg",
        "Date: 3 March 2024",
    ]


def test_sentences_cut_between_columns() -> None:
    text = (
        "1.   Supply\nVENDOR                     SHIP TO\nAcme B.V.                  Bravo Packers Limited\n"
        " 4. Guarantor                 PT Cargo Tbk, Jakarta, parent of the\n"
        "                              Charterers; signs as a party\n"
        "and no more than that, whatever the others may have said of it before then"
    )
    assert [text[a:b] for a, b in sentences(text)] == [
        "1.   Supply",
        *("VENDOR", "SHIP TO"),
        *("Acme B.V.", "Bravo Packers Limited"),
        "4. Guarantor",
        "PT Cargo Tbk, Jakarta, parent of the\n                              Charterers; signs as a party",
        "and no more than that, whatever the others may have said of it before then",
    ]


def test_a_line_of_a_laid_out_format_is_the_authors(bundle: Bundle) -> None:
    items = [f"{name}, Chief Executive Officer of the Nordhavn Shipping Company" for name in ("Ann Lee", "Bo Ek")]
    text = "\n".join(items)

    def found(form: str) -> list[str]:
        document = Document("doc-1", f"a.{form}", form, "", "en", text)
        return [text[a:b] for a, b in segment(document, bundle.tokenizer, 128).sentences]

    assert found("md") == found("docx") == found("html") == items
    assert found("txt") == [text]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It was bought by Acme Inc. Bolt Works AS is in Oslo.", 2),
        ("It was bought by Acme Ltd. The yard is in Oslo.", 2),
        ("It was bought by Acme Inc. President Bo Ek resigned.", 1),
        ("It was bought by Acme Co. Ltd. of Oslo.", 1),
    ],
)
def test_a_legal_form_may_end_a_sentence(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="aB .!?\n\t1", max_size=200), st.integers(0, 60))
@example(f"{'a' * 60}\n{'b' * 60}\n", 55)
def test_sentences_lose_nothing_but_white_space(text: str, wrapped: int) -> None:
    spans = sentences(text, wrapped)
    assert all(a < b for a, b in spans)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    outside = [text[a:b] for a, b in itertools.pairwise([0, *itertools.chain(*spans), len(text)])][::2]
    assert not "".join(outside).strip()
