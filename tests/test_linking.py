from __future__ import annotations

import pytest

from tests.conftest import analysis
from transforms.linking import Linker, link, make_linker
from transforms.register import Entry, Register
from transforms.resolving import resolve
from transforms.schema import Schema
from transforms.sentence_encoder import SentenceEncoder


def linked(linker: Linker, text: str, *names: tuple[str, str]) -> list[str | None]:
    """The register ids of a text's entities, in the order of their first mention."""
    return [entity.register_id for entity in link(linker, resolve(analysis(text, list(names)))).entities]


def test_namesakes_are_told_apart_by_what_the_document_says(linker: Linker) -> None:
    hms = ("HMS", "Organisation")
    assert linked(linker, "HMS makes mooring winches and deck cranes in Bergen.", hms) == ["ORG-0001"]
    assert linked(linker, "HMS of Esbjerg is a Danish ship chandler.", hms) == ["ORG-0002"]


def test_spellings_and_misspellings_find_their_entry(linker: Linker) -> None:
    text = "Halvorsen Marine Sytems AS and Kettleby and Rowe met."
    names = [("Halvorsen Marine Sytems AS", "Organisation"), ("Kettleby and Rowe", "Organisation")]
    assert linked(linker, text, *names) == ["ORG-0001", "ORG-0003"]


def test_what_the_register_lacks_stays_unlinked(linker: Linker) -> None:
    text = "Contoso Bakeries of Palermo baked bread for Jane Doe in Reykjavik."
    names = [("Contoso Bakeries", "Organisation"), ("Jane Doe", "Person"), ("Reykjavik", "Location")]
    assert linked(linker, text, *names) == [None, None, None]


@pytest.mark.parametrize(
    ("kind", "entry", "names"),
    [
        ("Person", "Kari Hansen", ["Karin Hansen", "Kai Hansen", "Kari Jansen", "Anna Kari Hansen"]),
        ("Person", "John Smith", ["John Smith Jr.", "Jon Smith", "Johnny Smith"]),
        ("Organisation", "Bank of Ireland", ["Bank of Iceland"]),
        ("Organisation", "Acme Holding Ltd", ["Acme Holding II Ltd", "Acme Building Ltd", "Acme Ltd"]),
        ("Organisation", "Equinor ASA", ["Equinor Energy AS", "Equinor UK Ltd"]),
        ("Product", "North Sea Fund IV", ["North Sea Fund V", "North Sea Fund III"]),
    ],
)
def test_namesakes_by_a_letter_or_a_word_are_others(
    kind: str, entry: str, names: list[str], schema: Schema, encoder: SentenceEncoder
) -> None:
    register = Register((Entry("R-1", entry, (), kind, ""),), schema.kinds)
    linker = make_linker(register, encoder)
    for name in names:
        assert linked(linker, f"{name} signed the contract in Leeds.", (name, kind)) == [None], name
    assert linked(linker, f"{entry} signed the contract in Leeds.", (entry, kind)) == ["R-1"]


def test_a_legal_form_tells_companies_of_one_name_apart(schema: Schema, encoder: SentenceEncoder) -> None:
    rows = [("R-1", "Siemens AG", "German company in Munich"), ("R-2", "Siemens Ltd", "British company in London")]
    entries = tuple(Entry(number, name, (), "Organisation", told) for number, name, told in rows)
    linker = make_linker(Register(entries, schema.kinds), encoder)
    assert linked(linker, "Siemens AG sold turbines in London.", ("Siemens AG", "Organisation")) == ["R-1"]
    assert linked(linker, "Siemens Ltd opened a plant in Munich.", ("Siemens Ltd", "Organisation")) == ["R-2"]
    assert linked(linker, "Siemens is a German company in Munich.", ("Siemens", "Organisation")) == ["R-1"]


def test_a_surname_of_several_words_finds_its_entry(schema: Schema, encoder: SentenceEncoder) -> None:
    entry = Entry("R-1", "Ursula von der Leyen", (), "Person", "President of the European Commission")
    linker = make_linker(Register((entry,), schema.kinds), encoder)
    text = "The president of the Commission, von der Leyen, spoke."
    assert linked(linker, text, ("von der Leyen", "Person")) == ["R-1"]


def test_blanks_that_got_lost_are_no_other_name(linker: Linker) -> None:
    assert linked(linker, "To Kettleby&Roweplc of Leeds.", ("Kettleby&Roweplc", "Organisation")) == ["ORG-0003"]


def test_two_entities_that_are_one_entry_become_one(linker: Linker) -> None:
    text = "Kettleby & Rowe plc has its seat in Leeds. K&R makes gearboxes."
    found = link(linker, resolve(analysis(text, [("Kettleby & Rowe plc", "Organisation"), ("K&R", "Organisation")])))
    (entity,) = found.entities
    assert entity.register_id == "ORG-0003"
    assert len(entity.mentions) == 2
    assert entity.aliases == ("K&R", "Kettleby & Rowe plc")


def test_a_name_that_the_register_has_for_one_thing_is_that_thing(linker: Linker) -> None:
    text = "Halvorsen Marine Systems AS of Bergen was founded by Sverre Halvorsen."
    (found,) = link(linker, resolve(analysis(text, [("Sverre Halvorsen", "Organisation")]))).entities
    assert (found.type, found.name) == ("Person", "Sverre Halvorsen")
    assert found.register_id is not None


def test_one_word_is_what_the_tagger_takes_it_for(linker: Linker) -> None:
    assert linked(linker, "Lumenfjord is a village.", ("Lumenfjord", "Location")) == [None]
