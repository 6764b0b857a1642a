"""Events: a trigger is an entity of its own, whatever it is called, and its roles are relations from it."""

from __future__ import annotations

import pytest

from tests.conftest import analysis
from transforms.linking import Linker, link
from transforms.matching import Known, match
from transforms.records import Relation
from transforms.resolving import resolve
from transforms.schema import Schema, SchemaError, load_schema, parse_schema
from transforms.stating import state

ACQUISITION = {
    "entities": {"Organisation": {}, "Date": {}},
    "events": {
        "Acquisition": {
            "description": "One takes over another.",
            "roles": {"BUYER": {"tail": ["Organisation"]}, "WHEN": {"tail": ["Date"]}},
        },
        "Sale": {"labels": ["Disposal"], "roles": {"WHEN": {"tail": ["Organisation"]}}},
    },
}


@pytest.fixture
def acquisitions() -> Schema:
    return parse_schema(ACQUISITION, "acquisitions")


def test_events_and_roles_are_types_and_relations(acquisitions: Schema) -> None:
    assert acquisitions.events == {"Acquisition", "Sale"}
    assert acquisitions.type_of_label["Disposal"] == "Sale"
    assert acquisitions.allows("BUYER", "Acquisition", "Organisation")
    assert not acquisitions.allows("BUYER", "Sale", "Organisation")
    # A role of two events goes from either to what either may have in it.
    assert acquisitions.relations["WHEN"].head == {"Acquisition", "Sale"}
    assert acquisitions.relations["WHEN"].tail == {"Date", "Organisation"}


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ({"Organisation": {}}, "field 'events.Organisation': an entity type has this name"),
        ({"Sale": {"roles": ["BUYER"]}}, "field 'events.Sale': field 'roles': expected types by name"),
        ({"Sale": {"roles": {"BUYER": {"tail": ["Firm"]}}}}, "no entity type 'Firm'"),
        ({"Sale": {"roles": {"BUYER": None}}}, "relations.BUYER': expected 'head' and 'tail'"),
        (["Sale"], "field 'events': expected types by name, each with 'roles'"),
        ({"Sale": {"single": False}}, "an event is always single"),
        ({"Sale": {"like": "Firm"}}, "events.Sale.like': expected one of Person, Organisation, Date, Money, Number"),
    ],
)
def test_a_broken_event_is_refused(events: object, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        parse_schema({**ACQUISITION, "events": events}, "s")


def test_each_trigger_is_an_event_of_its_own(acquisitions: Schema, linker: Linker) -> None:
    text = "Acme acquired Bolt. Bolt acquired Cog."
    names = [
        ("Acme", "Organisation"),
        ("acquired", "Acquisition"),
        ("Bolt", "Organisation"),
        ("Bolt", "Organisation"),
        ("acquired", "Acquisition"),
        ("Cog", "Organisation"),
    ]
    roles = (Relation(1, "BUYER", 0, 0.9), Relation(4, "BUYER", 3, 0.8))
    resolved = link(linker, resolve(analysis(text, names, roles), acquisitions))
    assert [entity.name for entity in resolved.entities] == ["Acme", "acquired", "Bolt", "acquired", "Cog"]
    statements = state(resolved, acquisitions).statements
    assert len({statement.head for statement in statements}) == 2
    known = [Known(e.id, e.type, e.name, e.aliases, registered=False) for e in resolved.entities]
    # Never one, though their names are; that two companies of one name are, shows that the names are looked at.
    assert match(known) == []
    twin = Known("ent-2", "Organisation", "Acme", ("Acme",), registered=False)
    assert [found.type for found in match([*known, twin])] == ["Organisation"]


def test_two_patients_are_two_and_two_spellings_of_a_firm_are_one() -> None:
    schema = parse_schema({"entities": {"Patient": {"single": True}, "Organisation": {}}}, "s")
    names = [("A woman", "Patient"), ("Acme", "Organisation"), ("A woman", "Patient"), ("Acme Ltd", "Organisation")]
    found = resolve(analysis("A woman left Acme. A woman joined Acme Ltd.", names), schema)
    assert [entity.name for entity in found.entities] == ["A woman", "Acme", "A woman"]


def test_the_default_schema_has_no_events() -> None:
    assert load_schema().events == load_schema().single == frozenset()
