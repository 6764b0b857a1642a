"""What addresses say of where streets and organisations lie."""

from __future__ import annotations

from functools import partial

import pytest

from tests.conftest import analysed, pairs_told_by, told_by
from transforms.addresses import addressed
from transforms.records import Resolved
from transforms.resolving import resolve
from transforms.schema import Schema, parse_schema
from transforms.stating import state

told = partial(pairs_told_by, addressed, "LOCATED_IN")
told_all = partial(told_by, addressed)


@pytest.mark.parametrize(
    "marked",
    [
        "at <Location:Kaiveien 14>, <Location:Bergen>.",
        "<Location:Kaiveien 14>, 5003 <Location:Bergen>, Norway",
        "<Location:Kaiveien 14>\nNO-5003 <Location:Bergen>\nNorway",
        "<Location:Kaiveien 14>, <Number:5003> <Location:Bergen>",
        "<Location:Kaiveien 14>, 7411 HH <Location:Bergen>",
        "<Location:Kaiveien 14>, Suite 300, <Location:Bergen>",
        "<Location:Kaiveien 14>, <Location:Ste. 300>, <Location:Bergen>",
        "<Location:Kaiveien 14>, <Location:27th Floor>, <Location:Rm 7b>, <Location:Bergen>",
        "<Location:Kaiveien 14>, N.W., <Location:Bergen>",
        "We met <Organisation:Acme AS> at <Location:Kaiveien 14>, <Location:Bergen>.",
    ],
)
def test_a_street_lies_in_the_place_behind_it(marked: str, schema: Schema) -> None:
    assert told(marked, schema) == [("Kaiveien 14", "Bergen")]


@pytest.mark.parametrize("between", [", ", "\n", "., ", ",\n"])
def test_so_does_the_organisation_right_before_it(between: str, schema: Schema) -> None:
    marked = f"To <Organisation:Acme AS>{between}<Location:3 Drypool Way>, <Location:Hull>"
    assert told(marked, schema) == [("3 Drypool Way", "Hull"), ("Acme AS", "Hull")]


@pytest.mark.parametrize(
    "marked",
    [
        "<Location:Oslo>, <Location:Bergen>",
        "<Location:Norway>, <Location:Sweden>",
        "<Location:Oslo> and <Location:Sweden>",
        "<Location:Atlanta>, <Location:Georgia>",
        "<Organisation:Acme AS> and <Location:Bergen>",
        "<Organisation:The Elves> of <Location:Mirkwood>",
        "Bravo buys <Organisation:Acme AS>\n<Location:Bergen>, 4 May",
        "<Location:Kaiveien 14> and <Location:Bergen>",
        "<Location:Kaiveien 14>. <Location:Bergen> is a town.",
        "<Location:Kaiveien 14>, in the middle of <Location:Bergen>",
        "<Location:US 75>, <Location:Hwy 51>",
        "<Location:Kaiveien 14>, <Location:Suite 300 Bergen>",
        "<Location:Kaiveien 14>, <Organisation:Bergen AS>",
        "<Product:Kaiveien 14>, <Location:Bergen>",
        "<Location:Kaiveien 14>",
        f"<Location:{'a' * 200} 14>, <Location:Bergen>",
    ],
)
def test_what_is_no_address_says_nothing(marked: str, schema: Schema) -> None:
    assert told(marked, schema) == []


@pytest.mark.parametrize(
    "marked",
    [
        "<Organisation:Acme AS>, <Location:Bergen>",
        "<Organisation:Acme AS> of <Location:Bergen>",
        "<Organisation:Acme AS> in <Location:Bergen>",
        "<Organisation:Acme AS> (<Location:Bergen>)",
        "Best regards,\n<Organisation:Acme AS>\n<Location:Bergen>",
        "> <Organisation:Acme AS>, <Location:Bergen>",
    ],
)
def test_an_organisation_lies_in_the_town_right_behind_it(marked: str, schema: Schema) -> None:
    assert told(marked, schema) == [("Acme AS", "Bergen")]


@pytest.mark.parametrize("country", ["Norway", "the Netherlands", "Türkiye", "USA", "Côte d’Ivoire"])
def test_a_town_is_of_the_country_right_behind_it(country: str, schema: Schema) -> None:
    marked = f"<Organisation:Acme AS>, <Location:Kaiveien 14>, <Location:Aby>, <Location:{country}>"
    assert told_all(marked, schema) == [
        ("Kaiveien 14", "LOCATED_IN", "Aby"),
        ("Acme AS", "LOCATED_IN", "Aby"),
        ("Aby", "COUNTRY", country),
    ]
    assert told_all(f"<Organisation:Acme AS> ({country.join(('<Location:', '>'))})", schema) == [
        ("Acme AS", "COUNTRY", country)
    ]


def test_a_street_has_no_country(schema: Schema) -> None:
    assert told("<Location:71 Tras Lane>, <Location:Singapore>", schema) == [("71 Tras Lane", "Singapore")]


def test_a_schema_without_the_relation_or_without_places_hears_nothing() -> None:
    relation = {"LOCATED_IN": {"description": "Lies in.", "head": ["Site"], "tail": ["Site"]}}
    with_both = parse_schema({"entities": {"Site": {"labels": ["Location"]}}, "relations": relation}, "ours")
    assert told("<Site:Kaiveien 14>, <Site:Bergen>", with_both) == [("Kaiveien 14", "Bergen")]
    for missing in (
        {"entities": {"Site": {"labels": ["Location"]}}},
        {"entities": {"Site": {}}, "relations": relation},
    ):
        assert told("<Site:Kaiveien 14>, <Site:Bergen>", parse_schema(missing, "ours")) == []


def test_what_an_address_says_is_stated_with_its_lines_as_evidence(schema: Schema) -> None:
    made = analysed("<Organisation:Acme AS>\n<Location:Kaiveien 14>\n5003 <Location:Bergen>")
    resolved: Resolved = resolve(made, schema)
    stated = state(resolved, schema)
    names = {entity.id: entity.name for entity in resolved.entities}
    facts = {s.id: (names[s.head], s.relation, names[s.tail]) for s in stated.statements}
    assert {(*facts[piece.statement], piece.text) for piece in stated.evidence} == {
        ("Kaiveien 14", "LOCATED_IN", "Bergen", "Kaiveien 14\n5003 Bergen"),
        ("Acme AS", "LOCATED_IN", "Bergen", "Acme AS\nKaiveien 14\n5003 Bergen"),
    }
