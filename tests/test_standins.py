"""What stands for an organisation elsewhere in a document: roles, "our", "the Company", a heading over jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import analysed, stated
from transforms.records import Fact
from transforms.resolving import resolve
from transforms.schema import Schema, parse_schema


@pytest.mark.parametrize(
    "marked",
    [
        '<Organisation:Acme>, Leeds (the "Supplier").\nThe Supplier is led by <Person:Ann Lee>.',
        '<Organisation:Acme>, a company (hereinafter the "Supplier" or "A").\nSupplier is led by <Person:Ann Lee>.',
        "<Organisation:Acme> (“Supplier”).\nIt ends. It is clear that the Supplier is led by <Person:Ann Lee>.",
        "# <Organisation:Acme>\n\nIt ends. We say that the Company is led by <Person:Ann Lee>.",
        "MINUTES OF THE BOARD OF <Organisation:Acme>\n\nIt ends. We say that the Company is led by <Person:Ann Lee>.",
        "<Organisation:Acme>\nMinutes\n\nNow our chief executive, <Person:Ann Lee>, spoke.",
        "It ends. We say that the Company is led by <Person:Ann Lee>.\n\n**About <Organisation:Acme>.** It grew.",
        "Fares\n\nAbout us\n\n<Organisation:Acme> grew. We say that the Company is led by <Person:Ann Lee>.",
        "**Company:** <Organisation:Acme>, Leeds\n\nIt ends. We say that the Company is led by <Person:Ann Lee>.",
        '<Organisation:Acme> ("**Supplier**").\nSupplier is led by <Person:Ann Lee>.',
    ],
)
def test_what_stands_for_an_organisation_is_led_too(marked: str, schema: Schema) -> None:
    assert "Acme LED_BY Ann Lee" in stated(analysed(marked), schema)


@pytest.mark.parametrize(
    "marked",
    [
        '<Organisation:Acme> (the "Purpose").\nThe Purpose is led by <Person:Ann Lee>.',
        "The purchase of <Organisation:Acme>\n\nIt ends. We say that the Company is led by <Person:Ann Lee>.",
        "<Organisation:Acme> wrote.\nThe Supplier is led by <Person:Ann Lee>.",
        "<Organisation:Acme> wrote.\nNow our chief executive, <Person:Ann Lee>, spoke.",  # whose?
        '<Organisation:Acme> (the "Supplier").\n<Organisation:Supplier Bank> is led by <Person:Ann Lee>.',
    ],
)
def test_what_stands_for_none_is_not(marked: str, schema: Schema) -> None:
    assert not {fact for fact in stated(analysed(marked), schema) if fact.startswith("Acme ")}


@pytest.mark.parametrize(
    "marked",
    [
        # for which the sender signs
        "From: <Person:Ann Lee>\n\nOur production manager <Person:Bo Ek> will come.\n\n"
        "<Person:Ann Lee>\nExport Manager\n<Organisation:Acme Limited>",
        # from whose address the sender writes
        "From: <Person:Ann Lee> <ann@acmelimited.example>\n\nOur production manager <Person:Bo Ek> will come.\n\n"
        "Ann\n\n<Organisation:Acme Limited>, Leeds",
    ],
)
def test_our_is_of_the_organisation_for_which_the_sender_of_a_mail_writes(marked: str, schema: Schema) -> None:
    made = analysed(marked)
    sent = (Fact((0, 4), "Message", "SENT_BY", (6, 13), "Person"),)
    mail = replace(made, document=replace(made.document, facts=sent))
    assert {"Ann Lee EMPLOYER Acme Limited", "Bo Ek EMPLOYER Acme Limited"} <= stated(mail, schema)


def test_a_role_is_no_name(schema: Schema) -> None:
    marked = '<Organisation:Acme> (the "Target") met the <Organisation:Board of Directors> of <Organisation:Target>.'
    assert [entity.name for entity in resolve(analysed(marked), schema).entities] == ["Acme"]
    other = analysed("<Organisation:Acme> met <Organisation:Target>.")
    assert [entity.name for entity in resolve(other, schema).entities] == ["Acme", "Target"]


def test_people_with_their_jobs_work_for_the_organisation_in_the_heading(schema: Schema) -> None:
    made = analysed(
        "<Organisation:ACME LIMITED>\nNo. 4\n\nPresent: <Person:Ann Lee> (Chair), <Person:Bo Ek> (Finance Director)\n"
        "<Person:Cy Ode>\n| Managing Director | <Person:Di Fox> |\n| <Person:Ed Gil> | Technical Director |\n"
        "In attendance: <Person:Flo Hu>, <Organisation:Bravo LLP> (Auditor)\n<Person:Guy Ito> (chair of the fair)\n"
        "Also <Person:Hal Jo> (Purchasing)\n<Person:Ida Kay>     44      Vice President\n"
        "Raised by <Person:Jo Lim>, Procurement\n\n<Organisation:ACME LIMITED>, seen by <Person:Kit Moe> (Chair)\n"
        "Attention: Ms. <Person:Lu Nye>, Chair\nThe works manager, <Person:Mo Oka>, spoke. Your works manager, "
        "<Person:Nel Paz>, did not. Nor did the lawyer <Person:Oto Qi>.\n"
    )
    assert stated(made, schema) == {
        *(f"{name} EMPLOYER ACME LIMITED" for name in ("Ann Lee", "Bo Ek", "Cy Ode", "Di Fox", "Ed Gil")),
        *(f"{name} EMPLOYER ACME LIMITED" for name in ("Hal Jo", "Ida Kay", "Jo Lim", "Kit Moe", "Mo Oka")),
        *(f"ACME LIMITED LED_BY {name}" for name in ("Ann Lee", "Di Fox", "Kit Moe")),
    }
    without = parse_schema({"entities": {"Person": {}, "Organisation": {}}}, "x")
    assert stated(made, without) == set()
    no_heading = analysed("On <Organisation:Acme>\n\nPresent: <Person:Ann Lee> (Chair)")
    assert stated(no_heading, schema) == set()
