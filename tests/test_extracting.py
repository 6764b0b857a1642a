from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT, SAMPLES
from transforms.bundle import Bundle
from transforms.companies import company_mentions
from transforms.decoding import FORBIDDEN
from transforms.extracting import extract
from transforms.inference import StructureModelHandler, analyse
from transforms.linking import Linker, make_linker
from transforms.records import DeadLetter, Document, Structured
from transforms.register import load_register
from transforms.schema import Schema, parse_schema
from transforms.segmenting import segment
from transforms.sentence_encoder import SentenceEncoder
from transforms.tagging import CALL, RECTANGLE, rectangles

TEXTS = [path.read_text(encoding="utf-8") for path in sorted((SAMPLES / "documents").rglob("*.txt"))]


def said(found: Structured) -> tuple[object, ...]:
    """What was found, without the keys that hold the document's number in its batch."""
    analysis = found.resolved.analysis
    links = [(entity.id, entity.link_score) for entity in found.resolved.entities if entity.register_id]
    return analysis.mentions, analysis.relations, links


def test_a_text_gives_statements_whose_evidence_can_be_cut_out(bundle: Bundle, schema: Schema) -> None:
    text = "Kari Halvorsen was born in Bergen, Norway, on 2 May 1961. She leads Halvorsen Marine Systems AS."
    (found,) = extract([text], bundle, schema)
    names = {entity.name: entity.type for entity in found.resolved.entities}
    assert names["Kari Halvorsen"] == "Person"
    assert names["1961-05-02"] == "Date"
    assert {statement.relation for statement in found.statements} >= {"BORN_IN", "BORN_ON"}
    for evidence in found.evidence:
        assert evidence.text == text[evidence.start : evidence.end]


def test_amounts_are_told_by_their_form_under_a_type_of_another_name(bundle: Bundle) -> None:
    renamed = parse_schema({"entities": {"Sum": {"labels": ["Money"]}, "Firm": {"labels": ["Organisation"]}}}, "ours")
    (found,) = extract(["Acme Ltd paid EUR 4,200,000 for the yard."], bundle, renamed)
    values = {entity.type: entity.value for entity in found.resolved.entities}
    assert values == {"Firm": None, "Sum": "4200000 EUR"}
    joined = parse_schema({"entities": {"Amount": {"labels": ["Number", "Money"]}}}, "ours")
    (found,) = extract(["Acme Ltd paid EUR 4,200,000 for the yard."], bundle, joined)
    assert [(entity.type, entity.name, entity.value) for entity in found.resolved.entities] == [
        ("Amount", "EUR 4,200,000", None)  # two kinds in one type: names
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Units sold: 12\nMarch 2024 was the best month.", "2024-03"),
        ("Invoice no. 4711\nEUR 5,000.00 is due.", "5000 EUR"),
        ("The yard was paid for in full by all of its buyers, as they had agreed, on 12\nMarch 2024.", "2024-03-12"),
    ],
)
def test_a_date_or_an_amount_is_of_one_sentence(bundle: Bundle, schema: Schema, text: str, value: str) -> None:
    (found,) = extract([text], bundle, schema)
    entities = found.resolved.entities
    assert [entity.value for entity in entities if entity.type in ("Date", "Money") and entity.value] == [value]


def test_a_document_that_the_models_fail_on_costs_a_batch_no_other(bundle: Bundle, schema: Schema) -> None:
    documents = [
        segment(Document(str(number), f"text:{number}", "txt", "", "und", text), bundle.tokenizer, bundle.window)
        for number, text in enumerate(TEXTS[:6])
    ]
    first = documents[2].windows[0]
    unknown = replace(first, ids=np.full_like(first.ids, 10**6))  # no such subtoken
    batch = [*documents[:2], replace(documents[2], windows=(unknown,)), *documents[3:]]
    handler = StructureModelHandler("not loaded here", schema, threads=2)
    found = [*handler.run_inference(batch, bundle)]
    (dead,) = (result for result in found if isinstance(result, DeadLetter))
    assert (dead.uri, dead.stage) == ("text:2", "analyse")
    assert [result for result in found if result is not dead] == [
        *analyse(bundle, schema, [*documents[:2], *documents[3:]])
    ]


def test_a_document_says_the_same_whatever_else_is_in_its_batch(bundle: Bundle, linker: Linker) -> None:
    together = extract(TEXTS, bundle, linker=linker)
    assert sum(len(found.resolved.analysis.mentions) for found in together) > 100
    assert any(said(found)[2] for found in together)
    for text, found in zip(TEXTS, together, strict=True):
        (alone,) = extract([text], bundle, linker=linker, threads=1)
        assert said(alone) == said(found)


def test_an_empty_text_and_an_empty_register_are_no_errors(
    tmp_path: Path, bundle: Bundle, schema: Schema, encoder: SentenceEncoder
) -> None:
    path = tmp_path / "register.csv"
    path.write_text("id,name,type\n", encoding="utf-8")
    empty = make_linker(load_register(path, schema), encoder)
    nothing, something = extract(["", "Acme Ltd is based in Rome."], bundle, linker=empty)
    assert not nothing.resolved.entities
    assert something.resolved.entities


def test_what_has_a_legal_form_is_a_company(bundle: Bundle, schema: Schema) -> None:
    text = "Hordavik Marine AS of Bergen sold the ship to Banca Lagunare S.p.A."
    (found,) = extract([text], bundle, schema)
    companies = [(m.text, m.type) for m in found.resolved.analysis.mentions if m.text != "Bergen"]
    assert companies == [("Hordavik Marine AS", "Organisation"), ("Banca Lagunare S.p.A.", "Organisation")]
    places = parse_schema({"entities": {"Location": {}}}, "places")
    (found,) = extract([text], bundle, places)
    assert {m.type for m in found.resolved.analysis.mentions} <= {"Location"}


def test_a_company_that_the_tagger_misses_is_found_by_its_legal_form(bundle: Bundle, schema: Schema) -> None:
    (crf,) = bundle.layers
    nothing = np.where([label == "O" for label in crf.labels], 0, FORBIDDEN).astype(np.float32)
    blind = replace(bundle, layers=(replace(crf, start=nothing, moves=np.tile(nothing, (len(nothing), 1))),))
    (found,) = extract(["Banca Lagunare S.p.A. of Trieste lent to Lumenfjord Software AS."], blind, schema)
    mentions = [(m.text, m.type) for m in found.resolved.analysis.mentions]
    assert mentions == [("Banca Lagunare S.p.A.", "Organisation"), ("Lumenfjord Software AS", "Organisation")]


def test_a_company_by_its_form_alone_takes_nothing_from_the_tagger(
    bundle: Bundle, schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*TEXTS, "Ann Lee said that the case of Acme Ltd v. Bank of Kilmore plc of Leeds was lost."]
    assert sum(1 for text in texts for _ in company_mentions(text)) > 15
    having = [set(found.resolved.analysis.mentions) for found in extract(texts, bundle, schema)]
    monkeypatch.setattr("transforms.patterns.company_mentions", lambda text: ())
    without = [set(found.resolved.analysis.mentions) for found in extract(texts, bundle, schema)]
    for fewer, more in zip(without, having, strict=True):
        for lost in fewer - more:  # "Cordoaria Brázia", tagged as a place
            assert any(m.start == lost.start and m.end > lost.end and m.type == "Organisation" for m in more)


def test_a_company_that_begins_with_what_was_tagged_is_whole(bundle: Bundle, schema: Schema) -> None:
    (found,) = extract(["THORNBECK CASTINGS LIMITED\nCompany No. 04418273\n\nMINUTES of a meeting"], bundle, schema)
    assert [m.text for m in found.resolved.analysis.mentions] == ["THORNBECK CASTINGS LIMITED"]


def test_what_stands_before_a_country_is_a_town(bundle: Bundle, schema: Schema) -> None:
    (found,) = extract(["WHAKARUA FRUIT PACKERS LIMITED\n217 Jellicoe Lane, Te Puke, New Zealand"], bundle, schema)
    assert ("Te Puke", "Location") in {(m.text, m.type) for m in found.resolved.analysis.mentions}


def test_an_address_is_a_place_with_its_number(bundle: Bundle, schema: Schema) -> None:
    text = "Mr Jens Halversen lives at Kaiveien 14, 5003 Bergen."
    (found,) = extract([text], bundle, schema)
    named = {m.text: m.type for m in found.resolved.analysis.mentions}
    assert named["Kaiveien 14"] == "Location"
    assert named["Jens Halversen"] == "Person"


def test_what_lies_in_a_mail_address_is_no_name_and_a_title_makes_a_person(bundle: Bundle, schema: Schema) -> None:
    text = "Dear Ms El-Khatib, Ms Dana Villareal (dana.villareal@acme.example) of Acme Ltd lives in Bristol, BS1 4RN."
    (found,) = extract([text], bundle, schema)
    named = {m.text: m.type for m in found.resolved.analysis.mentions}
    assert named == {
        "El-Khatib": "Person", "Dana Villareal": "Person", "Acme Ltd": "Organisation", "Bristol": "Location",
    }  # fmt: skip


def test_no_rectangle_holds_too_many_windows() -> None:
    assert max(map(len, rectangles([5] * 40))) == RECTANGLE


@given(st.lists(st.integers(1, 400), max_size=9))
def test_rectangles_cost_no_more_than_any_other_cut(lengths: list[int]) -> None:
    def cost(groups: Sequence[Sequence[int]]) -> int:
        return sum(CALL + len(group) * max(lengths[w] for w in group) for group in groups)

    found = rectangles(lengths, 1024)
    assert sorted(chain.from_iterable(found)) == list(range(len(lengths)))
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    ways = [
        [order[a:b] for a, b in pairwise((0, *cuts, len(order)))]
        for count in range(len(order))
        for cuts in combinations(range(1, len(order)), count)
    ]
    fitting = [way for way in ways if all(len(group) == 1 or len(group) * lengths[group[-1]] <= 1024 for group in way)]
    assert cost(found) == min(map(cost, fitting), default=0)


def test_importing_says_nothing() -> None:
    command = [sys.executable, "-c", "from transforms.extracting import extract"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout + done.stderr == ""
