from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tests.conftest import analysis
from transforms.records import Analysis, Document, Entity, Fact, Relation, is_value
from transforms.register import load_register
from transforms.resolving import HEADERS, resolve
from transforms.schema import Schema, parse_schema
from transforms.segmenting import sentences
from transforms.stating import state


def by_name(entities: tuple[Entity, ...]) -> dict[str, set[str]]:
    return {entity.name: set(entity.aliases) for entity in entities}


def test_spellings_of_one_company_are_one() -> None:
    text = "Halvorsen Marine Systems AS grew. Halvorsen Marine (HMS) sold. HALVORSEN MARINE SYSTEMS bought. Acme left."
    found = resolve(
        analysis(
            text,
            [
                ("Halvorsen Marine Systems AS", "Organisation"),
                ("Halvorsen Marine", "Organisation"),
                ("HMS", "Organisation"),
                ("HALVORSEN MARINE SYSTEMS", "Organisation"),
                ("Acme", "Organisation"),
            ],
        )
    )
    assert by_name(found.entities) == {
        "Halvorsen Marine Systems AS": {
            "Halvorsen Marine Systems AS", "Halvorsen Marine", "HMS", "HALVORSEN MARINE SYSTEMS",
        },
        "Acme": {"Acme"},
    }  # fmt: skip


def test_a_surname_joins_the_one_person_who_has_it_and_no_one_where_two_do() -> None:
    names = [("Ingrid Solberg", "Person"), ("Solberg", "Person")]
    one = resolve(analysis("Ingrid Solberg spoke. Solberg left.", names))
    assert len(one.entities) == 1
    two = resolve(
        analysis(
            "Ingrid Solberg met Magnus Solberg. Solberg left.",
            [("Ingrid Solberg", "Person"), ("Magnus Solberg", "Person"), ("Solberg", "Person")],
        )
    )
    assert len(two.entities) == 3


def test_a_surname_of_several_words_joins_the_one_person_who_has_it() -> None:
    names = ["Ursula von der Leyen", "Dr. von der Leyen", "Leyen", "Ana Ruiz Mora", "Eva Ruiz Mora", "Ruiz Mora"]
    found = resolve(analysis("; ".join(names), [(name, "Person") for name in names])).entities
    assert {entity.aliases for entity in found} == {
        ("Dr. von der Leyen", "Leyen", "Ursula von der Leyen"),
        ("Ana Ruiz Mora",),
        ("Eva Ruiz Mora",),
        ("Ruiz Mora",),
    }


def test_a_surname_that_was_tagged_as_a_company_is_the_person() -> None:
    names = [("Ingrid Solberg", "Person"), ("Solberg", "Organisation")]
    (entity,) = resolve(analysis("Ingrid Solberg spoke. Solberg left.", names)).entities
    assert entity.type == "Person"


def test_companies_of_one_group_are_two_and_the_short_form_is_the_first() -> None:
    text = "Nordhavn Shipping AS is a subsidiary of Nordhavn AS. Nordhavn is in Oslo."
    names = [("Nordhavn Shipping AS", "Organisation"), ("Nordhavn AS", "Organisation"), ("Nordhavn", "Organisation")]
    found = resolve(analysis(text, names)).entities
    assert {entity.aliases for entity in found} == {("Nordhavn Shipping AS",), ("Nordhavn", "Nordhavn AS")}


def test_a_company_that_is_named_after_its_owner_is_a_company() -> None:
    text = "Per Berg leads Berg AS. Berg owns it."
    names = [("Per Berg", "Person"), ("Berg AS", "Organisation"), ("Berg", "Organisation")]
    found = resolve(analysis(text, names)).entities
    assert {(entity.name, entity.type, len(entity.mentions)) for entity in found} == {
        ("Per Berg", "Person", 2),
        ("Berg AS", "Organisation", 1),
    }


def test_who_lacks_a_middle_name_is_the_same_within_a_document() -> None:
    names = ["Harpreet Singh Dhaliwal", "Harpreet Dhaliwal", "Harpreet", "Ann Dhaliwal"]
    found = resolve(analysis("; ".join(names), [(name, "Person") for name in names])).entities
    assert [entity.aliases for entity in found] == [
        ("Harpreet", "Harpreet Dhaliwal", "Harpreet Singh Dhaliwal"),
        ("Ann Dhaliwal",),
    ]


def test_what_was_tagged_as_a_person_and_begins_a_company_is_the_company() -> None:
    text = "Tidewell Energy hired Ann Lee. Tidewell pays Lee; Halvard Marine ASA does not. Halvard Marine is in Oslo."
    names = [("Tidewell Energy", "Organisation"), ("Ann Lee", "Person"), ("Tidewell", "Person"), ("Lee", "Person")]
    names += [("Halvard Marine ASA", "Organisation"), ("Halvard Marine", "Person")]
    found = resolve(analysis(text, names)).entities
    assert {(entity.type, entity.aliases) for entity in found} == {
        ("Organisation", ("Tidewell", "Tidewell Energy")),
        ("Person", ("Ann Lee", "Lee")),
        ("Organisation", ("Halvard Marine", "Halvard Marine ASA")),
    }
    named = [("Ann Solberg", "Person"), ("Solberg Line", "Organisation"), ("Solberg", "Person")]
    assert len(resolve(analysis("Ann Solberg of Solberg Line spoke. Solberg left.", named)).entities) == 2
    assert len(resolve(analysis("The Solberg Line hired Mr Solberg.", named[1:])).entities) == 2


def test_a_title_and_a_surname_in_the_middle_are_the_one_person_who_has_it() -> None:
    names = ["Esteban Cárdenas Iriarte", "Cárdenas", "Eva Ruiz Mora", "Ana Ruiz Gil", "Ruiz"]
    text = "Esteban Cárdenas Iriarte; Mr. Cárdenas; Eva Ruiz Mora; Ana Ruiz Gil; Ms Ruiz"
    found = resolve(analysis(text, [(name, "Person") for name in names])).entities
    assert [entity.aliases for entity in found] == [
        ("Cárdenas", "Esteban Cárdenas Iriarte"),
        ("Eva Ruiz Mora",),
        ("Ana Ruiz Gil",),
        ("Ruiz",),
    ]


def test_a_title_tells_whose_the_full_name_is() -> None:
    names = [("Joost de Wit", "Organisation"), ("Jan Brennan Ltd", "Organisation"), ("De Wit", "Person")]
    text = "Joost de Wit drove for Jan Brennan Ltd. Mr De Wit was hurt; Mr Brennan came."
    found = resolve(analysis(text, [*names, ("Brennan", "Person")])).entities
    assert {(entity.type, entity.aliases) for entity in found} == {
        ("Person", ("De Wit", "Joost de Wit")),
        ("Organisation", ("Jan Brennan Ltd",)),
        ("Person", ("Brennan",)),
    }


def test_a_short_form_that_the_text_defines_is_the_whole_name() -> None:
    text = 'Cordoaria Brázia Lda. and Kettleby & Rowe plc ("K&R") (the "Buyer" or “Brázia”) met. Brázia and K&R left.'
    names = [("Cordoaria Brázia Lda", "Organisation"), ("Kettleby & Rowe plc", "Organisation")]
    names += [("K&R", "Product"), ("Brázia", "Location")]
    found = resolve(analysis(text, names)).entities
    assert {(entity.type, entity.aliases) for entity in found} == {
        ("Organisation", ("Brázia", "Cordoaria Brázia Lda")),
        ("Organisation", ("K&R", "Kettleby & Rowe plc")),
    }


def test_a_full_name_that_was_missed_elsewhere_is_found_there_too(schema: Schema) -> None:
    text = "Ann Lee of Acme Ltd wrote. Regards,\nAnn Lee\n(Ann Leeson) of Acme Ltd; Lee"
    found = resolve(analysis(text, [("Ann Lee", "Person"), ("Acme Ltd", "Organisation")]), schema)
    places = [(text.index("Ann Lee"), "Ann Lee"), (text.index("\nAnn") + 1, "Ann Lee")]
    mentions = found.analysis.mentions
    assert [(mentions[m].start, mentions[m].text) for m in found.entities[0].mentions] == places
    assert [mentions[m].start for m in found.entities[1].mentions] == [text.index("Acme"), text.rindex("Acme")]
    assert all(text[slice(*found.analysis.sentences[m.sentence])].count(m.text) for m in mentions)


def test_types_of_other_names_are_read_as_the_schema_says(tmp_path: Path) -> None:
    types = {"Firm": {"like": "Organisation"}, "Human": {"labels": ["Person"]}, "Day": {"like": "Date"}, "Ship": {}}
    types["Party"] = {"labels": ["Organisation", "Location"]}  # may be either: plain names
    schema = parse_schema({"entities": types}, "ours")
    assert schema.kinds == {"Firm": "Organisation", "Human": "Person", "Day": "Date", "Ship": "", "Party": ""}
    text = "Acme Ltd met Dr. Ann Lee on 14 March 2024. Lee left ACME on 2024-03-14. Aurora AS sank. Aurora sank."
    names = [
        ("Acme Ltd", "Firm"),
        ("Dr. Ann Lee", "Human"),
        ("14 March 2024", "Day"),
        ("Lee", "Firm"),
        ("ACME", "Firm"),
        ("2024-03-14", "Day"),
        ("Aurora AS", "Ship"),
        ("Aurora", "Ship"),
    ]
    found = resolve(analysis(text, names), schema)
    assert by_name(found.entities) == {
        "Acme Ltd": {"Acme Ltd", "ACME"},
        "Dr. Ann Lee": {"Dr. Ann Lee", "Lee"},
        "2024-03-14": {"14 March 2024", "2024-03-14"},
        "Aurora AS": {"Aurora AS"},
        "Aurora": {"Aurora"},
    }
    assert [entity.type for entity in found.entities] == ["Firm", "Human", "Day", "Ship", "Ship"]
    assert [is_value(entity.id) for entity in found.entities] == [False, False, True, False, False]
    path = tmp_path / "register.csv"
    path.write_text("id,name,type\nF-1,Acme Limited,Firm\nS-1,Aurora,Ship\n")
    register = load_register(path, schema)
    assert (register.find("Firm", "acme"), register.find("Ship", "Aurora AS"), register.find("Ship", "aurora")) == (
        (0,),
        (),
        (1,),
    )


def test_unlinked_ids_meet_across_documents() -> None:
    one = resolve(analysis("Acme Ltd grew.", [("Acme Ltd", "Organisation")])).entities[0]
    other = resolve(analysis("Then ACME shrank.", [("ACME", "Organisation")])).entities[0]
    assert one.id == other.id
    assert one.name != other.name


def test_values_are_one_if_they_are_equal() -> None:
    text = "Paid EUR 4.2 million on 3 March 2024, that is €4,200,000 on 2024-03-03."
    names = [("EUR 4.2 million", "Money"), ("3 March 2024", "Date"), ("€4,200,000", "Money"), ("2024-03-03", "Date")]
    values = sorted(e.value or "" for e in resolve(analysis(text, names)).entities)
    assert values == ["2024-03-03", "4200000 EUR"]


def test_header_facts_become_mentions_with_evidence(schema: Schema) -> None:
    text = "From: Ann Lee\nTo: Bo Ek\nSubject: Winch 12\n\nAnn Lee will call."
    span = {name: m.span() for name in ("Ann Lee", "Bo Ek", "Winch 12") if (m := re.search(name, text))}
    facts = (
        Fact(span["Winch 12"], "Message", "SENT_BY", span["Ann Lee"], "Person"),
        Fact(span["Winch 12"], "Message", "SENT_TO", span["Bo Ek"], "Person"),
    )
    document = Document("doc-2", "a.eml", "eml", "Winch 12", "en", text, facts=facts)
    found = state(resolve(Analysis(document, tuple(sentences(text)), (), (), "m@1")), schema)
    assert {s.relation for s in found.statements} == {"SENT_BY", "SENT_TO"}
    without = parse_schema({"entities": {"Person": {}, "Organisation": {}}}, "s.yaml")
    assert not resolve(Analysis(document, tuple(sentences(text)), (), (), "m@1"), without).entities
    for evidence in found.evidence:
        assert evidence.model == HEADERS
        assert "Winch 12" in evidence.text
        assert text[evidence.start : evidence.end] == evidence.text
        assert evidence.start <= evidence.tail_start < evidence.tail_end <= evidence.end


def test_what_a_subject_names_is_kept_beside_its_message(schema: Schema) -> None:
    text = "From: Ann Lee\nSubject: Acme Ltd buys Bolt AS"
    ann, subject = re.search("Ann Lee", text), re.search("Acme.*", text)
    assert ann
    assert subject
    found = analysis(text, [("Acme Ltd", "Organisation"), ("Bolt AS", "Organisation")])
    facts = (Fact(subject.span(), "Message", "SENT_BY", ann.span(), "Person"),)
    owned = (Relation(1, "PARENT_ORGANISATION", 0, 0.9),)
    told = replace(found, document=replace(found.document, facts=facts), relations=owned)
    stated = state(resolve(told, schema), schema)
    names = {entity.id: entity.name for entity in stated.resolved.entities}
    assert {(names[s.head], s.relation, names[s.tail]) for s in stated.statements} == {
        ("Bolt AS", "PARENT_ORGANISATION", "Acme Ltd"),
        ("Acme Ltd buys Bolt AS", "SENT_BY", "Ann Lee"),
    }


def test_statements_follow_the_schema_and_keep_the_surest_evidence(schema: Schema) -> None:
    text = "Ann Lee likes Acme and Rome."
    names = [("Ann Lee", "Person"), ("Acme", "Organisation"), ("Rome", "Location")]
    relations = (
        Relation(0, "EMPLOYER", 1, 0.6),
        Relation(0, "EMPLOYER", 1, 0.8),
        Relation(0, "EMPLOYER", 2, 0.9),  # a place employs nobody
        Relation(1, "LOCATED_IN", 2, 0.7),
    )
    found = state(resolve(analysis(text, names, relations)), schema)
    assert sorted(s.relation for s in found.statements) == ["EMPLOYER", "LOCATED_IN"]
    assert sorted(e.confidence for e in found.evidence) == [0.7, 0.8]
    assert all(e.text == text for e in found.evidence)


def test_evidence_is_the_shortest_passage_that_states_it(schema: Schema) -> None:
    text = "Ann Lee works for Acme. Rain fell. Ann Lee likes Acme. Bo Ek met Acme."
    names = [("Ann Lee", "Person"), ("Acme", "Organisation"), ("Ann Lee", "Person"), ("Acme", "Organisation")]
    names += [("Bo Ek", "Person"), ("Acme", "Organisation")]
    employed = [(0, 1), (0, 3), (2, 3), (2, 5), (4, 1)]
    relations = tuple(Relation(head, "EMPLOYER", tail, 0.8) for head, tail in employed)
    found = state(resolve(analysis(text, names, relations)), schema)
    entities = {entity.id: entity.name for entity in found.resolved.entities}
    heads = {statement.id: entities[statement.head] for statement in found.statements}
    assert sorted((heads[piece.statement], piece.text) for piece in found.evidence) == [
        ("Ann Lee", "Ann Lee likes Acme."),
        ("Ann Lee", "Ann Lee works for Acme."),
        ("Bo Ek", text),
    ]


def test_the_country_right_behind_a_place_is_its_only_one(schema: Schema) -> None:
    text = "A mill in Sweden and one in Durrës, Albania, sell in Bari."
    names = [(name, "Location") for name in ("Sweden", "Durrës", "Albania", "Bari")]
    wrong = (Relation(1, "COUNTRY", 0, 0.9), Relation(1, "LOCATED_IN", 0, 0.9), Relation(3, "COUNTRY", 0, 0.9))
    made = analysis(text, names, (Relation(1, "COUNTRY", 2, 0.6), *wrong))
    resolved = resolve(made, schema)
    named = {entity.id: entity.name for entity in resolved.entities}
    assert {(named[s.head], s.relation, named[s.tail]) for s in state(resolved, schema).statements} == {
        ("Durrës", "COUNTRY", "Albania"),
        ("Bari", "COUNTRY", "Sweden"),
    }


def test_a_street_lies_where_its_address_says_and_nowhere_else(schema: Schema) -> None:
    text = "Acme, 4 Bryce Terrace, Hull, sells in Kent. It left 9 Mill Road for Hull."
    names = [("Acme", "Organisation"), ("4 Bryce Terrace", "Location"), ("Hull", "Location"), ("Kent", "Location")]
    names += [("9 Mill Road", "Location"), ("Hull", "Location")]
    relations = tuple(Relation(head, "LOCATED_IN", tail, 0.8) for head, tail in ((1, 3), (4, 3), (0, 3)))
    found = state(resolve(analysis(text, names, relations)), schema)
    entities = {entity.id: entity.name for entity in found.resolved.entities}
    assert {(entities[s.head], entities[s.tail]) for s in found.statements} == {
        *(("Acme", "Hull"), ("Acme", "Kent")),
        ("4 Bryce Terrace", "Hull"),
        ("9 Mill Road", "Kent"),  # no address says where this one lies
    }
