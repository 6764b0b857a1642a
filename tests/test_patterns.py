"""What is recognised by its form: companies, people, towns, streets, postcodes, dates and amounts."""

from __future__ import annotations

import pytest

from transforms.companies import company_end, company_mentions, company_start, follows_company, registered_in
from transforms.countries import is_before_country
from transforms.patterns import (
    contact_span,
    has_job_behind,
    pattern_mentions,
    postcode_start,
    street_span,
    title_end,
    titled_persons,
)


def test_patterns_find_dates_and_amounts_whole() -> None:
    text = "On 3 March 2024 it paid EUR 4.2 million and $3,500.50 (NOK 350 000) by 12/05/2025, May 5, in May, for CA$7."
    found = [text[a:b] for a, b, _ in pattern_mentions(text)]
    assert found == ["3 March 2024", "EUR 4.2 million", "$3,500.50", "NOK 350 000", "12/05/2025", "May 5", "CA$7"]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("In 2019 NOK 300 million went to Oslo.", "NOK 300 million"),
        ("Since 2020 EUR 3 million", "EUR 3 million"),
        ("In 2023 €4.2 million", "€4.2 million"),
        ("It cost 2000 EUR.", "2000 EUR"),
        ("10 EUR 20 March 2024", "10 EUR"),
    ],
)
def test_a_year_before_an_amount_is_none_of_it(text: str, amount: str) -> None:
    assert [text[a:b] for a, b, kind in pattern_mentions(text) if kind == "Money"] == [amount]


@pytest.mark.parametrize(
    ("text", "companies"),
    [
        ("Banca Lagunare S.p.A. lent to Old Lumen Software AS.", ["Banca Lagunare S.p.A.", "Old Lumen Software AS"]),
        ("Between the Bank of Kilmore plc, O'Neil & Sons Ltd. and us", ["Bank of Kilmore plc", "O'Neil & Sons Ltd"]),
        ("ACME TRADING, INC. agrees with Société du Quai S.A.", ["ACME TRADING, INC", "Société du Quai S.A."]),
        ("Oslo. St. Mary Ltd sold it to J. Vega GmbH & Co. KG", ["St. Mary Ltd", "J. Vega GmbH & Co. KG"]),
        ("Dear Sirs,\nHordavik\nMarine AS", ["Marine AS"]),
        ("The Board of Directors of Acme Ltd met", ["Acme Ltd"]),
        ("MINUTES OF THE DIRECTORS OF ACME TRADING LIMITED", ["ACME TRADING LIMITED"]),
        ("DEED BETWEEN ALDER LLC AND FENN ROBOTICS, INC.", ["ALDER LLC", "FENN ROBOTICS, INC"]),
        ("Managing Director Acme Ltd", ["Acme Ltd"]),
        ("ACME CASTINGS LIMITED\nCompany No. 4", ["ACME CASTINGS LIMITED"]),
        ("MARKS AND SPENCER PLC", ["MARKS AND SPENCER PLC"]),
        ("the Association of British Insurers Ltd", ["Association of British Insurers Ltd"]),
        ("Kestrel & Dunn LLP as auditors", ["Kestrel & Dunn LLP"]),
        ("First Pacific Bank, N.A. or NA", ["First Pacific Bank, N.A."]),
    ],
)
def test_a_company_with_its_legal_form_is_told_by_its_capitals(text: str, companies: list[str]) -> None:
    assert [text[a:b] for a, b, kind in pattern_mentions(text) if kind == "Organisation"] == companies


@pytest.mark.parametrize(
    "text",
    [
        *("HOTEL AND SPA", "Grand Spa", "Very Limited Availability", "the Corporation Tax", "Any Corporation"),
        *("As Agent", "It was Acme. As agent", "If Acme As Lender", "Chairman and Co"),
        *("acme ltd", "of Ltd", "Ltd", "A " * 20 + "b Ltd"),
    ],
)
def test_what_no_legal_form_closes_is_no_company(text: str) -> None:
    assert list(pattern_mentions(text)) == []


@pytest.mark.parametrize(
    ("name", "text", "whole"),
    [
        ("Acme", "Acme AS, a company", "Acme AS"),
        ("Acme", "Acme, Inc. said", "Acme, Inc"),
        ("Acme", "Acme S.p.A. of Rome", "Acme S.p.A."),
        ("Acme S", "Acme S.p.A. of Rome", "Acme S.p.A."),
        ("Acme N.V.", "Acme N.V. of Rome", "Acme N.V."),
        ("Meyer", "Meyer GmbH & Co. KG in Bremen", "Meyer GmbH & Co. KG"),
        ("Tan", "Tan Pte. Ltd. said", "Tan Pte. Ltd."),
        ("Foo", "Foo Co., Ltd.", "Foo Co., Ltd."),
        ("Foo", "Foo s.r.o. said", "Foo s.r.o."),
        ("Rowe", "Rowe plc.", "Rowe plc"),
        ("ACME", "ACME AS\nBergen", "ACME AS"),
        ("Karoo Solar", "Karoo Solar (Pty) Ltd of Upington", "Karoo Solar (Pty) Ltd"),
        ("Bosco S.r.l. of Modena", "Bosco S.r.l. of Modena", "Bosco S.r.l."),
        ("Ege Pamuk", "Ege Pamuk A.Ş. in Izmir", "Ege Pamuk A.Ş."),
        ("Riego", "Riego Cía. Ltda., Cuenca", "Riego Cía. Ltda."),
        ("Sotol", "Sotol, S. de R.L. de C.V.", "Sotol, S. de R.L. de C.V."),
        ("Molino", "Molino S.L., Teruel", "Molino S.L."),
        ("PT Acme Tbk", "PT Acme Tbk, Jakarta", "PT Acme Tbk"),
        ("PT Acme Line", "PT Acme Line, Surabaya", "PT Acme Line"),
    ],
)
def test_a_company_is_told_by_its_legal_form(name: str, text: str, whole: str) -> None:
    end = company_end(text, 0, len(name))
    assert end is not None
    assert text[:end] == whole


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("the Directors of Acme Ltd", "Acme"),
        ("of Brázia & Irmãos, Lda", "Brázia"),
        ("We lend & Irmãos, Lda", "Irmãos"),
    ],
)
def test_a_company_begins_where_its_name_does(text: str, begin: str) -> None:
    start = text.index("Irmãos" if "Irmãos" in text else "Directors")
    assert company_start(text, start, len(text)) == text.index(begin)


def test_a_form_may_stand_before_a_name() -> None:
    text = "fertiliser for PT Pupuk Raya under a PT contract"
    assert [text[start:end] for start, end in company_mentions(text)] == ["PT Pupuk Raya"]
    start = text.index("Pupuk")
    assert company_end(text, start, start + len("Pupuk Raya")) == start + len("Pupuk Raya")
    assert company_start(text, start, start + len("Pupuk Raya")) == text.index("PT")


@pytest.mark.parametrize(
    ("text", "follows"),
    [("Acme GmbH of Ulm", True), ("Acme Ltd. in Ulm", True), ("the firm of Ulm", False), ("as of Ulm", False)],
)
def test_what_of_joins_to_a_company_is_its_town(text: str, follows: bool) -> None:
    assert follows_company(text, text.index("Ulm")) == follows


@pytest.mark.parametrize(
    ("behind", "country"),
    [
        (", Austria (the Manufacturer)", True),
        (",\nNew Zealand.", True),
        (", the United States of America and", True),
        (", Bosnia and Herzegovina", True),
        (", Lower Austria", False),
        (" Austria", False),
        (", Austrian towns", False),
    ],
)
def test_a_town_is_told_by_the_country_behind_it(behind: str, country: bool) -> None:
    assert is_before_country(f"Wels{behind}", 4) == country


def test_what_joins_two_companies_does_not_part_one() -> None:
    assert company_start("Acme Ltd & Bravo AS", 0, len("Acme Ltd & Bravo AS")) == len("Acme Ltd & ")
    assert company_start("Buch GmbH & Co. KG", 0, len("Buch GmbH & Co. KG")) == 0


@pytest.mark.parametrize(
    ("text", "persons"),
    [
        ("She thanked Mr. J. P. O'Neill's wife and Ms Amina El-Khatib.", ["J. P. O'Neill", "Amina El-Khatib"]),
        ("it was Mr van der Berg who called Mrs Ó Dálaigh", ["van der Berg", "Ó Dálaigh"]),
        ("Ms Amina El-Khatib\n27 Rosemount Terrace", ["Amina El-Khatib"]),
        ("Mr Smith Appointed Chairman\nThe board met.", []),  # where does the name end?
        ("they asked Mr President and Mr. chairman about the MS Nordlys", []),
    ],
)
def test_a_person_is_told_by_the_title(text: str, persons: list[str]) -> None:
    assert [text[a:b] for a, b in titled_persons(text)] == persons


@pytest.mark.parametrize(
    ("text", "streets"),
    [
        ("at 40 Foundry Lane, Norwich, and Keizerstraat 88, 7411 HH Deventer", ["40 Foundry Lane", "Keizerstraat 88"]),
        ("in 2019 Wall Street fell; 12 Very Long Old Mill Road; a Hochstrasse 3rd", []),
    ],
)
def test_a_street_is_told_by_its_form(text: str, streets: list[str]) -> None:
    assert [text[a:b] for a, b, kind in pattern_mentions(text) if kind == "Location"] == streets


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("Acme, a Delaware corporation", "Delaware corporation", "Delaware"),
        ("an Ohio limited liability company", "Ohio limited liability company", "Ohio"),
        ("the Delaware corporation", "Delaware corporation", None),
        ("a Delaware Corporation", "Delaware Corporation", None),
    ],
)
def test_a_kind_of_company_names_a_place(text: str, name: str, place: str | None) -> None:
    start = text.index(name)
    span = registered_in(text, start, start + len(name))
    assert (span and text[slice(*span)]) == place


@pytest.mark.parametrize(
    ("text", "is_person"),
    [
        ("Cormac Brennan, Head of Platform", True),
        ("Cormac Brennan (Chief Executive Officer)", True),
        ("Cormac Brennan,\nan employee of Acme", True),
        ("Cormac Brennan, formerly of Acme, joined as manager", False),
        ("Cormac Brennan, as Trustee", False),
        ("Cormac Brennan, agent of the lenders", False),
        ("Cormac 2024 GmbH, manager", False),
        ("Brennan, manager", False),  # a bank is called by one word, too
    ],
)
def test_a_job_behind_a_name_makes_it_a_persons(text: str, is_person: bool) -> None:
    end = next(place for place, sign in enumerate(text) if text[place : place + 2] == " (" or sign == ",")
    assert has_job_behind(text, 0, end) is is_person


@pytest.mark.parametrize(
    ("text", "name", "contact"),
    [
        ("mail <ann.lee@acme.example>.", "acme", "ann.lee@acme.example"),
        ("see https://www.acme.example/about, and", "acme", "https://www.acme.example/about"),
        ("www.acme.example.", "acme", "www.acme.example"),
        ("Ann Lee, ann@acme.example", "Ann Lee", None),
        ("ann@acme.example, Oslo", "Oslo", None),
        ("@acme said", "acme", None),  # a name on Twitter
        ("Acme and/or Lee", "Lee", None),
    ],
)
def test_what_lies_in_an_address_of_mail_or_web(text: str, name: str, contact: str | None) -> None:
    start = text.index(name)
    span = contact_span(text, start, start + len(name))
    assert (span and text[slice(*span)]) == contact


@pytest.mark.parametrize(
    ("place", "text", "town"),
    [
        ("Bristol BS1", "Bristol BS1 4RN", "Bristol"),
        ("Leeds, LS1 4AP", "Leeds, LS1 4AP.", "Leeds"),
        ("California 94303", "California 94303", "California"),
        ("Junction M25", "Junction M25 in Kent", None),
        ("Dublin 6", "Dublin 6", None),
        ("94303", "94303", ""),
        ("BS1", "BS1 4RN", ""),
        ("B3", "B3 4RNX", None),
    ],
)
def test_a_postcode_is_no_part_of_a_town(place: str, text: str, town: str | None) -> None:
    end = postcode_start(text, 0, len(place))
    assert (None if end is None else text[:end]) == town


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Acme", "Acme as agent"),
        ("ACME", "ACME AS AGENT"),
        ("Acme", "Acme As Agent"),
        ("Acme", "Acme, as agent"),
        ("Acme", "Acme pays VAT"),
        ("Oslo", "Oslo"),
        ("AS Roma", "AS Roma won"),
        ("Acme", "Acme\n\nAS"),
        ("Acme", "Acme (Leeds) is"),
    ],
)
def test_what_has_no_legal_form(name: str, text: str) -> None:
    assert company_end(text, 0, len(name)) is None


@pytest.mark.parametrize(
    ("name", "text", "whole"),
    [
        ("Kaiveien", "at Kaiveien 14, 5003 Bergen", "Kaiveien 14"),
        ("Kaiveien", "at Kaiveien 14 B\nBergen", "Kaiveien 14 B"),
        ("Rua do Cabrestante", "Rua do Cabrestante 210, Matosinhos", "Rua do Cabrestante 210"),
        ("Rua do Cabrestante 210", "Rua do Cabrestante 210, Matosinhos", "Rua do Cabrestante 210"),
        ("Rua do Cabrestante", "Rua do Cabrestante 210, 4450-718 Matosinhos", "Rua do Cabrestante 210"),
        ("Am Markt", "Am Markt 3, 28195 Bremen", "Am Markt 3"),
        ("Garland Court", "5 Garland Court, London", "5 Garland Court"),
        ("5 Garland Court", "5 Garland Court, London", "5 Garland Court"),
        ("Mill Rd.", "to 12a Mill Rd., Hull", "12a Mill Rd."),
    ],
)
def test_a_street_is_told_by_its_number(name: str, text: str, whole: str) -> None:
    start = text.index(name)
    span = street_span(text, start, start + len(name), is_place=False)
    assert span is not None
    assert text[slice(*span)] == whole


@pytest.mark.parametrize(
    ("name", "text", "is_place"),
    [
        ("Boeing", "the Boeing 747, Seattle", False),
        ("Boeing 747", "the Boeing 747, Seattle", False),
        ("Oslo", "in Oslo 2023, Bergen said", True),
        ("Kaiveien", "Kaiveien 14 is closed", True),
        ("Wall Street", "in 2008 Wall Street fell", True),
        ("Wall Street", "of 1,200 Wall Street firms", True),
        ("Acme", "Acme, Bergen", True),
        ("Norway", "Staff: Norway 120, Sweden 85, Denmark 40.", True),
        ("Sweden", "Staff: Norway 120, Sweden 85, Denmark 40.", True),
    ],
)
def test_what_is_no_street_with_a_number(name: str, text: str, is_place: bool) -> None:
    start = text.index(name)
    assert street_span(text, start, start + len(name), is_place) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ms Lee", "Lee"),
        ("Prof. Dr. Ann Lee", "Ann Lee"),
        ("Ann Lee", "Ann Lee"),
        ("Dr.", "Dr."),
        ("Msgr Lee", "Msgr Lee"),
    ],
)
def test_titles_are_no_part_of_a_name(text: str, name: str) -> None:
    assert text[title_end(text, 0, len(text)) :] == name
