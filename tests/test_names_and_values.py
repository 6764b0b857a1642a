from __future__ import annotations

import pytest

from transforms.names import acronym, initials, is_short_organisation, is_short_person, name_key
from transforms.values import date_value, normalise


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("Organisation", "Acme Ltd", "ACME"),
        ("Organisation", "the Müller & Söhne GmbH", "Muller & Sohne"),
        ("Organisation", "Zeeduin Lines N.V.", "Zeeduin  Lines"),
        ("Person", "Dr. Ingrid Solberg", "INGRID SOLBERG"),
        ("Person", "Mr Ingrid Solberg's", "Ingrid Solberg"),
        ("Location", "Gdańsk", "Gdansk"),
    ],
)
def test_spellings_that_meet(kind: str, one: str, other: str) -> None:
    assert name_key(kind, one) == name_key(kind, other)


def test_spellings_that_do_not_meet() -> None:
    assert name_key("Organisation", "Kettleby & Rowe plc") != name_key("Organisation", "Kettleby Rowan Ltd")
    assert name_key("Person", "Ingrid Solberg") != name_key("Person", "Magnus Solberg")
    assert name_key("Person", "A. Hansen") != name_key("Person", "Hansen")  # no article
    assert name_key("Person", "An Nguyen") != name_key("Person", "Nguyen")
    assert name_key("Organisation", "A. Wilhelmsen AS") != name_key("Organisation", "Wilhelmsen AS")
    assert name_key("Organisation", "Acme UK Ltd") != name_key("Organisation", "Acme Ltd")
    assert name_key("Organisation", "Karoo Solar (Pty) Ltd") == name_key("Organisation", "Karoo Solar")
    assert name_key("Organisation", "First Bank, N.A.") == name_key("Organisation", "First Bank")
    assert name_key("Product", "C#") != name_key("Product", "C")


def test_acronyms() -> None:
    assert acronym("H.M.S.") in initials("Halvorsen Marine Systems AS")
    assert acronym("NDEI") in initials("Norwegian Deck Equipment Inspectorate")
    assert acronym("BoE") is None  # written with a small letter: not all capitals
    assert acronym("HMX") not in initials("Halvorsen Marine Systems AS")


def test_short_forms() -> None:
    assert is_short_person("solberg", "ingrid solberg")
    assert is_short_person("i solberg", "ingrid solberg")
    assert not is_short_person("magnus solberg", "ingrid solberg")
    assert is_short_organisation("halvorsen marine", "halvorsen marine systems")
    assert not is_short_organisation("marine", "halvorsen marine systems")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("Money", "EUR 4.2 million", "4200000 EUR"),
        ("Money", "£1.2bn", "1200000000 GBP"),
        ("Money", "NOK 350 000", "350000 NOK"),
        ("Money", "18,400 pounds sterling", "18400 GBP"),
        ("Money", "€1.250.000,50", "1250000.5 EUR"),
        ("Money", "CA$5 million", "5000000 CAD"),
        ("Money", "CAD$5", "5 CAD"),
        ("Money", "AU$5", "5 AUD"),
        ("Money", "S$5 million", "5000000 SGD"),
        ("Money", "U.S.$5", "5 USD"),
        ("Money", "R$ 40", "40 BRL"),
        ("Money", "5 million Canadian dollars", "5000000 CAD"),
        ("Money", "20 Egyptian pounds", "20 EGP"),
        ("Money", "3 Million Dollars", "3000000 USD"),
        ("Money", "20 Swedish kronor", "20 SEK"),
        ("Date", "3 March 2024", "2024-03-03"),
        ("Date", "March 2024", "2024-03"),
        ("Date", "1987", "1987"),
        ("Date", "Sept 98", "1998-09"),
        ("Date", "03/04/2024", "2024-04-03"),
        ("Number", "1,200 tonnes", "1200 tonne"),
        ("Number", "42 %", "42 percentage"),
        ("Number", "twelve", "12"),
        ("Number", "12 pounds", "12 pound-mass"),  # a surface of several units
    ],
)
def test_values(kind: str, text: str, value: str) -> None:
    found = normalise(kind, text)
    assert found is not None
    assert found.text == value


@pytest.mark.parametrize(
    "text", ["3 March 2024", "March 3, 2024", "March 3 , 2024", "may 2024", "3 Mar 2024", "Sep 30, 1999", "2024-03-04"]
)
def test_dates_that_say_all_of_themselves_are_what_dateparser_makes_of_them(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    date_value.cache_clear()
    with monkeypatch.context() as without:
        without.setattr("transforms.values._date_parsers", None)  # not asked
        found = date_value(text)
    date_value.cache_clear()
    monkeypatch.setattr("transforms.values._PLAIN_DATES", ())
    assert found is not None
    assert date_value(text) == found


def test_a_number_is_the_same_however_it_is_spaced() -> None:
    assert normalise("Number", "40  MV ZEEDUIN AURORA") == normalise("Number", "40 MV ZEEDUIN AURORA")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Date", "Monday"),
        ("Date", "3 March"),
        ("Date", "31 February 2024"),
        ("Date", "the 1960s"),
        ("Date", "45"),  # an age, a year of the first century
        ("Date", "AD 51"),
        ("Date", "thirty minutes"),  # of these the reader's own day would make a date
        ("Date", "yesterday"),
        ("Date", "the 14th of 2024"),
        ("Date", "0711234567"),  # of this the time zone of the machine
        ("Money", "a fortune"),
        ("Money", "Q$5"),  # whose dollars?
        ("Money", "20 Ruritanian dollars"),
    ],
)
def test_what_gives_no_value(kind: str, text: str) -> None:
    assert normalise(kind, text) is None
