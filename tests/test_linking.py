from __future__ import annotations

from tests.conftest import analysis
from transforms.linking import Linker, link
from transforms.resolving import resolve


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
