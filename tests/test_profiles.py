"""What an organisation's own document says of it by its layout, and whose address people write from."""

from __future__ import annotations

from functools import partial

import pytest

from tests.conftest import pairs_told_by, told_by
from transforms.correspondents import writing
from transforms.profiles import profiled
from transforms.schema import Schema, parse_schema

told = partial(told_by, profiled)
ACME, BRAVO, CARGO = "<Organisation:Acme Ltd>", "<Organisation:Bravo AS>", "<Organisation:Cargo plc>"
ANN = "<Person:Ann Lee>"


@pytest.mark.parametrize(
    ("marked", "facts"),
    [
        (f"| Supplier | What |\n|---|---|\n| {BRAVO} | pumps |", ["Bravo AS SUPPLIES Acme Ltd"]),
        (f"No.     Customers      Since\n1       {BRAVO}       2019", ["Acme Ltd SUPPLIES Bravo AS"]),
        (
            f"Supplier | Customer\n{BRAVO} | {CARGO}\n\nsteel | {BRAVO}",
            ["Bravo AS SUPPLIES Acme Ltd", "Acme Ltd SUPPLIES Cargo plc", "Acme Ltd SUPPLIES Bravo AS"],
        ),
        (
            f"| **Shareholders** | Stake |\n|---|---|\n| {ANN} (founder) | 55% |\n| {BRAVO} | 45% |",
            ["Acme Ltd OWNED_BY Ann Lee", "Acme Ltd OWNED_BY Bravo AS"],
        ),
        (
            f"Principal subsidiaries\n\n- {BRAVO} – Dayton\n- {CARGO}\n\nOur bank is <Organisation:Delta>.",
            ["Bravo AS PARENT_ORGANISATION Acme Ltd", "Cargo plc PARENT_ORGANISATION Acme Ltd"],
        ),
        (f"EXHIBIT 21. SUBSIDIARIES (all owned)\n\n{BRAVO}       Nevada", ["Bravo AS PARENT_ORGANISATION Acme Ltd"]),
        ("**Head office:** <Location:Nagoya>, <Location:Japan>", ["Acme Ltd HEADQUARTERS Nagoya"]),
        ("held at the registered office,\n<Location:14 Mill Lane>, <Location:Hull>", ["Acme Ltd HEADQUARTERS Hull"]),
        ("| Head office | <Location:Pune>, <Location:India> |", ["Acme Ltd HEADQUARTERS Pune"]),
    ],
)
def test_what_an_organisations_document_lists_is_its_own(marked: str, facts: list[str], schema: Schema) -> None:
    assert [" ".join(fact) for fact in told(f"{ACME}\nReport\n\n{marked}\n", schema)] == facts
    assert told(marked, schema) == []  # whose?


@pytest.mark.parametrize(
    "marked",
    [
        f"| Supplier | What |\n|---|---|\n| steel | {BRAVO} |",
        f"| Supplier | What |\nWe met others.\n| {BRAVO} | pumps |",
        f"| Action | Owner |\n|---|---|\n| an audit | {ANN} |",
        f"We sold our subsidiaries to {BRAVO}.\n{CARGO}",
        f"Subsidiaries\n\nNone, but {BRAVO}",
        f"{BRAVO} has its head office in <Location:Hull>.",
        "The office of <Location:Hull>",
    ],
)
def test_what_is_of_others_is_not(marked: str, schema: Schema) -> None:
    assert told(f"{ACME}\nReport\n\n{marked}\n", schema) == []


def test_a_memo_tells_of_its_target(schema: Schema) -> None:
    marked = f'To: {CARGO}\n\n{ACME} (the "Target") grew.\n\nShareholder | Stake\n{ANN} | all\n'
    assert told(marked, schema) == [("Acme Ltd", "OWNED_BY", "Ann Lee")]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("ann@larkfieldbank.example", "Larkfield Bank plc"),
        ("a.lee@mail.pellow-strand.co.example", "Pellow & Strand Outfitters"),
        ("lee@orme-sanayi.example", "Örme Sanayi A.Ş."),
    ],
)
def test_who_writes_from_an_organisations_address_works_for_it(address: str, name: str, schema: Schema) -> None:
    marked = f"From: {ANN} <{address}>\n\nYours,\nAnn\n\n{CARGO} <Organisation:{name}>"
    assert pairs_told_by(writing, "EMPLOYER", marked, schema) == [("Ann Lee", name)]
    assert told_by(writing, marked, parse_schema({"entities": {"Person": {}, "Organisation": {}}}, "x")) == []


@pytest.mark.parametrize("address", ["ann@mail.example", "ann@bank.example", "ann@lark.example", "larkfieldbank"])
def test_who_writes_from_another_need_not(address: str, schema: Schema) -> None:
    assert told_by(writing, f"From: {ANN} <{address}>\n\n<Organisation:Larkfield Bank plc>", schema) == []
