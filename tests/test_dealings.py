"""What the parties of a document are to each other: by their roles, and by the phrases of the default schema."""

from __future__ import annotations

from functools import partial

import pytest

from tests import conftest
from tests.conftest import analysed, told_by
from transforms.dealings import dealings
from transforms.resolving import resolve
from transforms.schema import Schema, parse_schema
from transforms.stating import state

PARTIES = "CONTRACTED_WITH"
told = partial(told_by, dealings)


def stated(marked: str, schema: Schema) -> set[str]:
    facts = [fact.split(f" {PARTIES} ") for fact in conftest.stated(analysed(marked), schema)]
    # A symmetric relation is stated by the order of ids, which are hashes.
    return {f"{' and '.join(sorted(ends))} {PARTIES}" if len(ends) > 1 else ends[0] for ends in facts}


ACME, BRAVO, CARGO = "<Organisation:Acme Ltd>", "<Organisation:Bravo AS>", "<Organisation:Cargo plc>"


@pytest.mark.parametrize(
    ("marked", "fact"),
    [
        (f'{ACME} (the "Supplier") and {BRAVO} (the "Customer")', "Acme Ltd SUPPLIES Bravo AS"),
        (f'{BRAVO} (“Buyer”), and {ACME} (hereinafter the "Seller")', "Acme Ltd SUPPLIES Bravo AS"),
        (f"{ACME} as Lender\n{BRAVO}, as the Borrower, and others", "Acme Ltd LENDS_TO Bravo AS"),
        (f'"Lender" means {ACME}. "Borrower" means {BRAVO}.', "Acme Ltd LENDS_TO Bravo AS"),
        (f"LANDLORD: {ACME}\nTENANT: {BRAVO}", "Acme Ltd LEASES_TO Bravo AS"),
        (f"Owners    {ACME}\nCharterers    {BRAVO}", "Acme Ltd LEASES_TO Bravo AS"),
        (f'{ACME} (the "Company"), {BRAVO} (the "Auditor")', "Acme Ltd ADVISED_BY Bravo AS"),
        (f"| Supplier | {ACME} |\n| Customer | {BRAVO} |", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{ACME}\nINVOICE 4\nBill to:       Deliver to:\n{BRAVO}       {CARGO}", "Acme Ltd SUPPLIES Bravo AS"),
        (f"INVOICE 4\n\n{ACME}\n\nDate: 5/5     Bill to:\nPage 1        {BRAVO}\n", "Acme Ltd SUPPLIES Bravo AS"),
        (f"PURCHASE ORDER\n{BRAVO}\nVendor: {ACME}", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{BRAVO}\nPO number 4\n\nTO (VENDOR)    SHIP TO\n{ACME}       Dock 2", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{BRAVO}\nWith us were men of {ACME}, the auditors.", "Bravo AS ADVISED_BY Acme Ltd"),
        (f"{BRAVO}\nAuditor | {ACME}", "Bravo AS ADVISED_BY Acme Ltd"),
        (f"CHARTER\nOwners    {ACME}\nGuarantor    {BRAVO}", "Acme Ltd and Bravo AS CONTRACTED_WITH"),
        (f'{ACME} (the "Lender"), {BRAVO} (the "Guarantor")', "Acme Ltd and Bravo AS CONTRACTED_WITH"),
        (f'BETWEEN:\n\n(1) {ACME}, Leeds ("Acme"); and\n(2) {BRAVO}', "Acme Ltd and Bravo AS CONTRACTED_WITH"),
        (f'{ACME} (the "Sellers") sell shares to {BRAVO} (the "Buyer")', "Acme Ltd and Bravo AS CONTRACTED_WITH"),
        ('<Person:Ann Lee> (the "Employee"), <Organisation:Bravo AS> (the "Company")', "Ann Lee EMPLOYER Bravo AS"),
    ],
)
def test_the_takers_of_two_roles_have_to_do_with_each_other(marked: str, fact: str, schema: Schema) -> None:
    assert stated(marked, schema) == {fact}


@pytest.mark.parametrize(
    "marked",
    [
        f'{ACME} (the "Supplier") and {BRAVO}',
        f'{ACME} (the "Target"), whose shares {BRAVO} (the "Buyer") buys',
        f"Owner: {ACME}\nAuditor: {BRAVO}",  # of whom? no heading says so
        f"Supplier: see below\n\n{ACME}\nCustomer: {BRAVO}",
        f"{ACME}\nReport\nCustomer: {BRAVO}",  # no invoice
        f"INVOICE\nPaid to {ACME}\nBill to: {BRAVO}",  # nor is it of whom it names first, in a line's middle
        f"Buyer: <Person:Ann Lee>\nSupplier: {ACME}",  # who buys for somebody
        'INVOICE to <Person:Ann Lee> (the "Customer")',  # of nobody
        f"PARTIES\nThose of {ACME}\n(1) {BRAVO}",
    ],
)
def test_others_have_not(marked: str, schema: Schema) -> None:
    assert stated(marked, schema) == set()


@pytest.mark.parametrize(
    ("marked", "fact"),
    [
        ("Core is purchased from {}.", "Acme Ltd SUPPLIES Bravo AS"),
        ("Two ovens were ordered on <Date:3 March 2025> from {}.", "Acme Ltd SUPPLIES Bravo AS"),
        ("The gasket was supplied by {}.", "Acme Ltd SUPPLIES Bravo AS"),
        ("The plant is held under a lease from {}.", "Acme Ltd LEASES_TO Bravo AS"),
        ("The credit agreement with {} ends.", "Acme Ltd LENDS_TO Bravo AS"),
        ("The accounts were audited by {}.", "Bravo AS ADVISED_BY Acme Ltd"),
    ],
)
def test_of_whom_a_document_says_that_something_is_theirs_goes_without_saying(
    marked: str, fact: str, schema: Schema
) -> None:
    text = marked.format(ACME)
    assert stated(f"{BRAVO}\nReport\n\n{text}", schema) == {fact}
    letter = f'{CARGO}\n\nDear Sirs,\n\nWe looked at {BRAVO} (the "Company").\n\n{text}'
    assert stated(letter, schema) == {fact}, "the letter is of another, but not about him"
    for other in (f"{BRAVO}\nReport\n\n{CARGO} grew. The latter: {text}", text, f"{BRAVO}\nReport\n\n{CARGO}: {text}"):
        assert fact not in stated(other, schema)


def test_a_party_is_whom_its_description_follows(schema: Schema) -> None:
    marked = (
        f'(1) {ACME}, a subsidiary of {CARGO} (the "Supplier"); and (2) {BRAVO}, whose owner is {CARGO} (the "Buyer")'
    )
    assert ("Acme Ltd", "SUPPLIES", "Bravo AS") in told(marked, schema)


def test_what_stands_in_the_next_line_has_the_column_of_its_label(schema: Schema) -> None:
    marked = f"{ACME}\nINVOICE\nBill to:               Deliver to:\n\n  {BRAVO}             {CARGO}"
    assert stated(marked, schema) == {"Acme Ltd SUPPLIES Bravo AS"}


def test_a_schema_without_such_relations_tells_none() -> None:
    schema = parse_schema({"entities": {"Organisation": {}}}, "x")
    assert stated(f'{ACME} (the "Supplier") and {BRAVO} (the "Customer")', schema) == set()


@pytest.mark.parametrize(
    ("marked", "fact"),
    [
        (f"{ACME} of <Location:Leeds>, which supplies pumps to {BRAVO}, grew.", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{BRAVO}'s main supplier, {ACME}, closed.", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{BRAVO} has ordered twenty <Product:X1> cranes from {ACME}.", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{ACME}'s customers include <Organisation:Delta>, {CARGO} and {BRAVO}.", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{BRAVO} awarded the contract for the bridge to {ACME}.", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{ACME} has won an order worth <Money:EUR 5 million> from {BRAVO}.", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{BRAVO} chose {ACME} to build the plant.", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{ACME} makes the <Product:L> range of shelves for the retailer {BRAVO}.", "Acme Ltd SUPPLIES Bravo AS"),
        (f"{ACME}\n\nLast year we ordered the pumps from {BRAVO}.", "Bravo AS SUPPLIES Acme Ltd"),
        (f"{ACME} granted a loan of <Money:EUR 5 million> to {BRAVO}.", "Acme Ltd LENDS_TO Bravo AS"),
        (f"{BRAVO} has a credit facility of <Money:EUR 5 million> with {ACME}.", "Acme Ltd LENDS_TO Bravo AS"),
        (f"{ACME} has let the warehouse in <Location:Leeds> to {BRAVO}.", "Acme Ltd LEASES_TO Bravo AS"),
        (f"{BRAVO} leases the hall from {ACME}.", "Acme Ltd LEASES_TO Bravo AS"),
        (f"{ACME} acted as legal adviser to {BRAVO}.", "Bravo AS ADVISED_BY Acme Ltd"),
        (f"{BRAVO}'s auditors are {ACME}.", "Bravo AS ADVISED_BY Acme Ltd"),
        (f"The agreement dated <Date:1 May 2020> between {ACME} and {BRAVO} ends.", "Acme Ltd and Bravo AS " + PARTIES),
        (f"{ACME} signed a framework agreement with {BRAVO}.", "Acme Ltd and Bravo AS " + PARTIES),
        (f"{BRAVO} and {ACME} have formed a joint venture.", "Acme Ltd and Bravo AS " + PARTIES),
    ],
)
def test_phrases_tell_who_deals_with_whom(marked: str, fact: str, schema: Schema) -> None:
    assert fact in stated(marked, schema)


@pytest.mark.parametrize(
    "marked",
    [
        f"{ACME} no longer supplies {BRAVO}.",
        f"{ACME} sold its shares to {BRAVO}.",
        f"{BRAVO} bought a tenth from {ACME}.",
        f"{ACME} declined the offer of a loan from {BRAVO}.",
        f"{ACME} has not signed an agreement with {BRAVO}.",
        f"{ACME} met {BRAVO} to discuss an agreement with {CARGO}.",
    ],
)
def test_what_they_do_not_is_not_told(marked: str, schema: Schema) -> None:
    assert stated(marked, schema) == set()


def test_a_symmetric_relation_is_one_statement_whoever_is_named_first(schema: Schema) -> None:
    texts = [f"{one} signed an agreement with {other}." for one, other in ((ACME, BRAVO), (BRAVO, ACME))]
    found = [state(resolve(analysed(text), schema), schema) for text in texts]
    assert found[0].statements == found[1].statements
    for text, structured in zip(texts, found, strict=True):
        (statement,), (evidence,) = structured.statements, structured.evidence
        names = {entity.id: entity.name for entity in structured.resolved.entities}
        assert evidence.text[evidence.head_start : evidence.head_end] == names[statement.head], text
        assert evidence.text[evidence.tail_start : evidence.tail_end] == names[statement.tail], text


def test_what_a_relation_implies_it_implies_both_ways_round(schema: Schema) -> None:
    marked = f"{BRAVO} signed an agreement with {ACME}. {ACME} supplies pumps to {BRAVO}."
    assert stated(marked, schema) == {"Acme Ltd SUPPLIES Bravo AS"}
