"""Relations that the phrases of a schema tell."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.conftest import analysed, analysis, stated
from transforms.bundle import Bundle
from transforms.extracting import extract
from transforms.records import Relation, Resolved
from transforms.resolving import resolve
from transforms.schema import Schema, SchemaError, parse_schema
from transforms.stating import state

TYPES = {"Person": {}, "Organisation": {}, "Location": {}}
PEOPLE = {"head": ["Organisation"], "tail": ["Person"]}


def schema_of(*phrases: str, **words: str) -> Schema:
    return parse_schema(
        {"entities": TYPES, "words": words, "relations": {"LED_BY": {**PEOPLE, "phrases": [*phrases]}}}, "x"
    )


def told(schema: Schema, text: str, *names: tuple[str, str]) -> set[tuple[str, str, str]]:
    resolved: Resolved = resolve(analysis(text, list(names)), schema)
    names_of = {entity.id: entity.name for entity in resolved.entities}
    return {(names_of[s.head], s.relation, names_of[s.tail]) for s in state(resolved, schema).statements}


ANN, BO, ACME = ("Ann Lee", "Person"), ("Bo Ek", "Person"), ("Acme", "Organisation")


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("{tail}, chief of {head}", "Ann Lee, Chief of Acme, left."),
        ("{tail}, chief of {head}", "Ann Lee ,  chief\u00a0of the Acme"),
        ("{tail}, [the] (chief [officer]|CEO) of {head}", "Ann Lee, the chief officer of Acme"),
        ("{tail}, [the] (chief [officer]|CEO) of {head}", "Ann Lee, CEO of Acme"),
        ("{tail}, ... chief of {head}", "Ann Lee, since May acting chief of Acme"),
        ("{head} 's chief {tail}", "Acme’s chief Ms. Ann Lee"),
        ("chief of {head}, {tail}", "The chief of Acme, Ann Lee, left."),
        ("{tail} leads {head} well", "Ann Lee leads Acme well."),
        (r"{tail} \( chief, {head} \)", "Ann Lee (chief, Acme)"),
        ("{tail} and * lead {head}", "Ann Lee and Bo Ek lead Acme"),
    ],
)
def test_what_stands_in_a_phrase_is_told(phrase: str, text: str) -> None:
    names = sorted((n for n in (ANN, BO, ACME) if n[0] in text), key=lambda name: text.index(name[0]))
    assert ("Acme", "LED_BY", "Ann Lee") in told(schema_of(phrase), text, *names)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("{tail}, chief of {head}", "Ann Lee, chief of staff of Acme"),
        ("{tail} is ... chief of {head}", "Ann Lee is not the chief of Acme"),
        ("{tail} is ... chief of {head}", "Ann Lee is no longer the chief of Acme"),
        ("{tail} buys ... {head}", "Ann Lee buys oak from Acme"),
        ("{tail}, ... chief of {head}", "Ann Lee, who asked, left the chief of Acme"),  # no sign among the words
        ("{tail}, ... chief of {head}", "Ann Lee, a b c d e f chief of Acme"),  # five words at most
        ("{tail} ... leads {head}", "Ann Lee says Bo Ek leads Acme"),  # nor a mention
        ("chief of {head}, {tail}", "The cochief of Acme, Ann Lee"),
        ("{tail} leads {head}", "Acme leads Ann Lee"),
        ("{tail} leads {head}", "Ann Lee leads. Acme follows."),
    ],
)
def test_what_does_not_is_not(phrase: str, text: str) -> None:
    names = sorted((n for n in (ANN, BO, ACME) if n[0] in text), key=lambda name: text.index(name[0]))
    assert ("Acme", "LED_BY", "Ann Lee") not in told(schema_of(phrase), text, *names)


def test_he_and_she_are_the_person_of_the_sentence_before() -> None:
    leads = schema_of("{tail} leads {head}")
    assert told(leads, "Ann Lee met Bo Ek. She leads Acme.", ANN, BO, ACME) == {("Acme", "LED_BY", "Ann Lee")}
    assert told(leads, "Ann Lee left. She was ill. She leads Acme.", ANN, ACME) == {("Acme", "LED_BY", "Ann Lee")}
    assert not told(leads, "Ann Lee left. It rained. She leads Acme.", ANN, ACME)
    assert not told(leads, "Bo Ek left. After Ann Lee came, she leads Acme.", BO, ANN, ACME)
    later = "Ann Lee left. In May 2019 she leads Acme."
    assert told(leads, later, ANN, ACME) == {("Acme", "LED_BY", "Ann Lee")}
    assert not told(leads, "She leads Acme.", ACME)
    firm = schema_of("{tail} 's firm {head}")
    assert told(firm, "Ann Lee left. Her firm Acme closed.", ANN, ACME) == {("Acme", "LED_BY", "Ann Lee")}


def test_it_and_the_company_are_the_organisation_of_the_sentence_before() -> None:
    leads = schema_of("{tail} leads {head}", "{head} is led by {tail}", "{head} 's chief {tail}")
    bravo = ("Bravo", "Organisation")
    assert told(leads, "Acme bought Bravo. It is led by Ann Lee.", ACME, bravo, ANN) == {("Acme", "LED_BY", "Ann Lee")}
    assert told(leads, "Acme grew. The company is led by Ann Lee.", ACME, ANN) == {("Acme", "LED_BY", "Ann Lee")}
    assert told(leads, "Acme grew. Its chief Ann Lee left.", ACME, ANN) == {("Acme", "LED_BY", "Ann Lee")}
    assert not told(leads, "Ann Lee left. It is led by Bo Ek.", ANN, BO)
    both = told(leads, "She leads Acme. It is led by Ann Lee. She leads Bravo.", ACME, ANN, bravo)
    assert both == {("Acme", "LED_BY", "Ann Lee"), ("Bravo", "LED_BY", "Ann Lee")}


def test_a_name_alone_in_its_line_signs_what_follows() -> None:
    signs = schema_of("{tail}, [...] director, {head}")
    assert told(signs, "Yours,\n\nDr. Ann Lee\nSales director, Acme", ANN, ACME) == {("Acme", "LED_BY", "Ann Lee")}
    assert not told(signs, "Yours,\n\nBo Ek and Ann Lee\nSales director, Acme", BO, ANN, ACME)
    assert not told(signs, "Acme\nSales director, Acme", ACME, ACME)


def test_the_evidence_of_a_phrase_holds_both_mentions() -> None:
    text = "Ann Lee met Bo Ek. She leads Acme."
    found = state(resolve(analysis(text, [ANN, BO, ACME])), schema_of("{tail} leads {head}"))
    (evidence,) = found.evidence
    assert (evidence.text, evidence.model) == (text, "m@1")
    assert text[evidence.head_start : evidence.head_end] == "Acme"
    assert text[evidence.tail_start : evidence.tail_end] == "Ann Lee"


def test_what_the_model_said_too_is_one_statement() -> None:
    leads = schema_of("{tail} leads {head}")
    resolved = resolve(analysis("Ann Lee leads Acme.", [ANN, ACME]), leads)
    (statement,) = state(resolved, leads).statements
    again = replace(resolved, analysis=replace(resolved.analysis, relations=()))
    assert state(again, leads).statements == (statement,)


def test_words_are_written_out_and_roles_have_phrases() -> None:
    schema = parse_schema(
        {
            "words": {"buys": "buys|[has] bought"},
            "entities": {"Organisation": {}},
            "events": {
                "Deal": {"roles": {"BUYER": {"tail": ["Organisation"], "phrases": ["{tail} {buys} in a {head}"]}}}
            },
        },
        "x",
    )
    text = "Acme has bought in a deal."
    assert {row[1] for row in told(schema, text, ACME, ("deal", "Deal"))} == {"BUYER"}


@pytest.mark.parametrize(
    ("phrase", "why"),
    [
        ("{head} leads", "name {head} and {tail}, once each"),
        ("{head} leads {tail} and {tail}", "once each"),
        ("{head} {leads} {tail}", "only what 'words' defines"),
        ("{head} ... {tail}", "fits everything"),
        ("{head} (leads {tail}", "stands in brackets"),
        ("{head} leads {tail} (now", "not closed; add ')'"),
        ("{head} leads) {tail}", "closes no bracket"),
        ("{head} leads|heads {tail}", "outside of brackets"),
    ],
)
def test_a_phrase_that_cannot_be_read_says_why(phrase: str, why: str) -> None:
    with pytest.raises(SchemaError, match=f"'relations.LED_BY'.phrases: .*{re.escape(why)}"):
        schema_of(phrase)


def test_phrases_are_a_list() -> None:
    with pytest.raises(SchemaError, match=r"LED_BY'\.phrases: expected a list"):
        parse_schema({"entities": TYPES, "relations": {"LED_BY": {**PEOPLE, "phrases": "{head} of {tail}"}}}, "x")


def test_the_default_schema_tells_who_works_for_leads_and_owns_whom(bundle: Bundle, schema: Schema) -> None:
    text = (
        "Sofia Lindqvist, chief executive of Kettleby & Rowe plc, spoke first. Nordvarg Offshore AS, a subsidiary of "
        "Kettleby & Rowe plc, was founded in 1987 by Sverre Halvorsen. Jens Halversen works for Zeeduin Lines N.V."
    )
    (found,) = extract([text], bundle, schema)
    names = {entity.id: entity.name for entity in found.resolved.entities}
    assert {(names[s.head], s.relation, names[s.tail]) for s in found.statements} >= {
        ("Sofia Lindqvist", "EMPLOYER", "Kettleby & Rowe plc"),
        ("Kettleby & Rowe plc", "LED_BY", "Sofia Lindqvist"),
        ("Nordvarg Offshore AS", "PARENT_ORGANISATION", "Kettleby & Rowe plc"),
        ("Nordvarg Offshore AS", "FOUNDED_BY", "Sverre Halvorsen"),
        ("Jens Halversen", "EMPLOYER", "Zeeduin Lines N.V."),
    }


@pytest.mark.parametrize(
    ("marked", "fact"),
    [
        (
            "<Organisation:Acme> has appointed <Person:Ann Lee> as its chief executive.",
            "Acme LED_BY Ann Lee|Ann Lee EMPLOYER Acme",
        ),
        ("<Person:Ann Lee> appointed chief executive of <Organisation:Acme>", "Acme LED_BY Ann Lee"),
        (
            "<Organisation:Acme> is based in <Location:Plovdiv> and led by <Person:Ann Lee>.",
            "Acme HEADQUARTERS Plovdiv|Acme LED_BY Ann Lee",
        ),
        ("<Organisation:Acme> named <Person:Ann Lee> head engineer.", "Ann Lee EMPLOYER Acme"),
        ("<Person:Ann Lee>, formerly of <Organisation:Acme>, left.", "Ann Lee EMPLOYER Acme"),
        ("<Person:Ann Lee> has been employed by <Organisation:Acme>.", "Ann Lee EMPLOYER Acme"),
        ("Contact: <Person:Ann Lee>, <Organisation:Acme>", "Ann Lee EMPLOYER Acme"),
        (
            "<Person:Ann Lee>, who founded <Organisation:Bravo> in <Date:2014> with <Person:Bo Ek>, will join "
            "<Organisation:Acme>.",
            "Ann Lee EMPLOYER Acme|Bravo FOUNDED_BY Ann Lee",
        ),
        ("It sold its arm, <Organisation:Acme>, to <Organisation:Bravo>.", "Acme OWNED_BY Bravo"),
        ("<Organisation:Bravo> completed the acquisition of <Organisation:Acme>.", "Acme OWNED_BY Bravo"),
        (
            "<Person:Ann Lee>, who is ill, was born in <Location:Volos> on <Date:3 May 1949>.",
            "Ann Lee BORN_IN Volos|Ann Lee BORN_ON 1949-05-03",
        ),
        (
            "Previously, she was ill. <Organisation:Acme Ltd>. was dissolved on <Date:3 May 1949>.",
            "Acme Ltd DISSOLVED_ON 1949-05-03",
        ),
        ("<Organisation:Acme Falls>' founder, <Person:Ann Lee>, left.", "Acme Falls FOUNDED_BY Ann Lee"),
        (
            "<Person:Ann Lee> left. Previously she spent <Date:two years> with the <Location:Leeds>-based engineering "
            "group <Organisation:Acme>.",
            "Ann Lee EMPLOYER Acme|Acme HEADQUARTERS Leeds",
        ),
        (
            "Founded by <Person:Ann Lee> in <Location:Volos> in <Date:1954> as a rope maker, <Organisation:Acme> grew.",
            "Acme FOUNDED_BY Ann Lee|Acme FOUNDED_ON 1954",
        ),
        ("Shares in <Organisation:Acme> were transferred to <Organisation:Bravo>.", "Acme OWNED_BY Bravo"),
        ("<Person:Ann Lee> | Chief Development Officer | <Organisation:Acme>", "Ann Lee EMPLOYER Acme"),
        (
            "<Person:Ann Lee> holds a PhD from <Organisation:KU Leuven> and an MBA from <Organisation:INSEAD>.",
            "Ann Lee EDUCATED_AT KU Leuven|Ann Lee EDUCATED_AT INSEAD",
        ),
        ("<Person:Ann Lee> and her husband, the architect <Person:Bo Ek>, left.", "Bo Ek SPOUSE Ann Lee"),
        ("<Person:Ann Lee> sits on the board of <Organisation:Acme>.", "Ann Lee MEMBER_OF Acme"),
        ("<Organisation:Acme> operates <Location:Leeds Mill>.", "Leeds Mill OPERATED_BY Acme"),
        ("<Person:Ann Lee> died in <Location:Volos> on <Date:3 May 1949>.", "Ann Lee DIED_ON 1949-05-03"),
    ],
)
def test_what_the_default_schema_tells(marked: str, fact: str, schema: Schema) -> None:
    assert stated(analysed(marked), schema) == set(fact.split("|"))


def test_what_a_phrase_tells_of_one_the_model_does_not_of_another(schema: Schema) -> None:
    made = analysed("<Organisation:Acme> is a unit of <Organisation:Bravo>, headquartered in <Location:Leeds>.")
    wrong = (Relation(0, "HEADQUARTERS", 2, 0.8), Relation(1, "HEADQUARTERS", 2, 0.8))
    resolved = resolve(replace(made, relations=wrong), schema)
    names = {entity.id: entity.name for entity in resolved.entities}
    based = [names[s.head] for s in state(resolved, schema).statements if s.relation == "HEADQUARTERS"]
    assert based == ["Bravo"]


LIES = {"head": ["Organisation"], "tail": ["Location"]}


def test_what_another_relation_implies_goes_without_saying() -> None:
    based = {**LIES, "phrases": ["{head} {is} based in {tail}"], "implies": ["LOCATED_IN"]}
    lies = {**LIES, "phrases": ["{head} {is} [based] in {tail}"]}
    schema = parse_schema(
        {"entities": TYPES, "words": {"is": "is"}, "relations": {"HEADQUARTERS": based, "LOCATED_IN": lies}}, "x"
    )
    places = (("Bergen", "Location"), ("Oslo", "Location"))
    assert told(schema, "Acme is based in Bergen. Acme is in Oslo.", ACME, places[0], ACME, places[1]) == {
        ("Acme", "HEADQUARTERS", "Bergen"),
        ("Acme", "LOCATED_IN", "Oslo"),
    }


def test_relations_do_not_imply_each_other() -> None:
    relations = {"A": {**LIES, "implies": ["B"]}, "B": {**LIES, "implies": ["C"]}, "C": {**LIES, "implies": ["B"]}}
    with pytest.raises(SchemaError, match=r"relations\.B\.implies': in a circle"):
        parse_schema({"entities": TYPES, "relations": relations}, "x")


def test_only_what_joins_the_same_types_is_symmetric() -> None:
    for field, why in (({"symmetric": "yes"}, "expected true or false"), ({"symmetric": True}, "head and tail differ")):
        with pytest.raises(SchemaError, match=rf"x: field 'relations.LED_BY'?\.symmetric.*: {why}"):
            parse_schema({"entities": TYPES, "relations": {"LED_BY": {**PEOPLE, **field}}}, "x")


@pytest.mark.parametrize("implies", [["NEAR"], ["HEADQUARTERS"], "LOCATED_IN"])
def test_only_other_relations_of_the_schema_are_implied(implies: object) -> None:
    relations = {"HEADQUARTERS": {**LIES, "implies": implies}, "LOCATED_IN": LIES}
    with pytest.raises(SchemaError, match=r"relations\.HEADQUARTERS'?\.implies"):
        parse_schema({"entities": TYPES, "relations": relations}, "x")
