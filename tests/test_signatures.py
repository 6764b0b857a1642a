"""What signatures say of who works for whom."""

from __future__ import annotations

from functools import partial

import pytest

from tests.conftest import analysed, pairs_told_by, told_by
from transforms.resolving import resolve
from transforms.schema import Schema, parse_schema
from transforms.signatures import signed
from transforms.stating import state

told = partial(pairs_told_by, signed, "EMPLOYER")


@pytest.mark.parametrize(
    "marked",
    [
        "TENANT: <Organisation:Acme, INC>.\nBy: <Person:Ann Lee>\nTitle: Secretary",
        "<Organisation:Acme Ltd> By : / s / <Person:Ann Lee> Title : Director",
        "<Organisation:Acme Bank>, as Lender\nBy: ________ Name: <Person:Ann Lee>",
        "<Organisation:Acme Bank>, doing business as Acme East\nBy: /s/ (illegible)\nName: <Person:Ann Lee>",
        "For <Organisation:Acme Ltd>: <Person:Ann Lee>, director",
        "Done in Leeds.\nAgreed for <Organisation:Acme Ltd>:\n<Person:Ann Lee>, director",
        "Signed for and on behalf of <Organisation:Acme Ltd> by <Person:Ann Lee>",
        "Best regards,\n<Person:Ann Lee>\nGeneral Counsel\n<Organisation:Acme Ltd>",
        "Signed by <Person:Ann Lee>, director, for and on behalf of <Organisation:Acme Ltd>",
        "Yours,\n<Person:Ann Lee>\non behalf of <Organisation:Acme Ltd>",
        "Best regards,\nAnn\n\n<Person:Ann Lee>\nExport Sales\n<Organisation:Acme Ltd>\nLeeds",
        "> <Person:Ann Lee>\n> Head of Sourcing\n> <Organisation:Acme Ltd>",
        "<Organisation:Acme Ltd>\nAttn: Ms <Person:Ann Lee>, Sales",
        "To:    <Organisation:Acme Ltd> (attn. <Person:Ann Lee>)",
        "Yours,\n\n<Person:Ann Lee>, Partner\n<Organisation:Acme Ltd>",
        "Agreed on behalf of <Organisation:Acme Ltd>.:\n\n<Person:Ann Lee>, Secretary",
        "<Organisation:Acme Ltd>.\nFor the attention of Dr. <Person:Ann Lee>",
        "Owners    <Organisation:Acme Ltd>\nFor the Owners     <Person:Ann Lee>, Secretary",
        '<Organisation:Acme Ltd> (the "Buyer")\n\nTo the Buyer: Ing. <Person:Ann Lee>, Export Department.',
        '<Organisation:Acme Ltd> (the "Buyer")\n\nNotices to the Buyer are for the attention of <Person:Ann Lee>.',
    ],
)
def test_who_signs_for_an_organisation_works_for_it(marked: str, schema: Schema) -> None:
    ((head, tail),) = told(marked, schema)
    assert head == "Ann Lee"
    assert tail.startswith("Acme")


@pytest.mark.parametrize(
    "marked",
    [
        "He voted for <Organisation:Acme Ltd>.\n<Person:Ann Lee> did not.",
        "<Organisation:Acme Ltd> was bought by <Person:Ann Lee>",
        "They met for <Organisation:Acme Ltd>, <Person:Ann Lee> said",
        "the lawyer <Person:Ann Lee> acted on behalf of <Organisation:Acme Ltd>",
        "<Person:Ann Lee>\n4 Garland Court\n<Organisation:Acme Ltd>",
        "<Organisation:Acme Ltd>\n\nDear <Person:Ann Lee>",
        "Our thanks to all\n\nBy <Person:Ann Lee>\nThe story of the firm\n<Organisation:Acme Ltd>",
        '<Organisation:Acme Ltd> (the "Buyer")\n\nThe Buyer met <Person:Ann Lee>.',
        "Bravo AS          <Organisation:Acme Ltd>\nAttn: Ms <Person:Ann Lee>, Sales",
        '<Organisation:Acme Ltd> (the "Buyer")\n\nHe came for the buyers, said <Person:Ann Lee>.',
    ],
)
def test_who_does_not_sign_is_not_told(marked: str, schema: Schema) -> None:
    assert told(marked, schema) == []


def test_who_signs_in_a_column_signs_for_whom_it_is_headed_by(schema: Schema) -> None:
    acme, bravo = "<Organisation:Acme Ltd>", "<Organisation:Bravo AS>"
    with_blanks = (
        f"For and on behalf of      For and on behalf of\n{acme}                  {bravo}\n\n"
        "Name: Dr. <Person:Ann Lee>         Name: <Person:Bo Ek>\nTitle: Secretary          Title: Clerk\n"
        "                          Name: <Person:Cy Ode>"
    )
    both = {("Ann Lee", "Acme Ltd"), ("Bo Ek", "Bravo AS")}
    assert set(told(with_blanks, schema)) == {*both, ("Cy Ode", "Bravo AS")}
    piped = f"| For {acme} | For {bravo} |\n|---|---|\n| <Person:Ann Lee> | <Person:Bo Ek> |"
    assert set(told(piped, schema)) == both
    addressed = f"{bravo}                  {acme}\nQuay 2                    Attn: <Person:Ann Lee>"
    assert set(told(addressed, schema)) == {("Ann Lee", "Acme Ltd")}
    listed = f"{acme}                  {bravo}\n<Person:Ann Lee>                   <Person:Bo Ek>"
    assert told(listed, schema) == []


def test_who_leads_as_he_signs_for_a_role_leads_the_party(schema: Schema) -> None:
    marked = "Owners    <Organisation:Acme Ltd>\nFor the Owners     <Person:Ann Lee>, Managing Director"
    assert told_by(signed, marked, schema) == [("Ann Lee", "EMPLOYER", "Acme Ltd"), ("Acme Ltd", "LED_BY", "Ann Lee")]


def test_several_sign_for_one_organisation_each_in_a_line(schema: Schema) -> None:
    marked = (
        "For <Organisation:Acme Ltd>:\n<Person:Ann Lee>, director\n<Person:Bo Ek>, chief engineer\n"
        "For <Organisation:Bravo Ltd>:\n<Person:Cy Ode>, director\nWitness: <Person:Di Fox>"
    )
    assert told(marked, schema) == [("Ann Lee", "Acme Ltd"), ("Bo Ek", "Acme Ltd"), ("Cy Ode", "Bravo Ltd")]


@pytest.mark.parametrize("title", ["Title: Managing Director", "Ann Lee, President", "Title: President and CEO"])
def test_a_leader_who_signs_leads(title: str, schema: Schema) -> None:
    marked = f"<Organisation:Acme, INC>.\nBy: <Person:Ann Lee>\n{title}"
    assert ("Acme, INC", "LED_BY", "Ann Lee") in told_by(signed, marked, schema)
    clerk = "<Organisation:Acme, INC>.\nBy: <Person:Ann Lee>\nTitle: Vice President"
    assert [name for _, name, _ in told_by(signed, clerk, schema)] == ["EMPLOYER"]


def test_a_schema_without_the_relation_hears_nothing() -> None:
    made = parse_schema({"entities": {"Person": {}, "Organisation": {}}}, "x")
    assert told("For <Organisation:Acme Ltd>: <Person:Ann Lee>, director", made) == []


def test_a_signature_is_stated_with_its_lines_as_evidence(schema: Schema) -> None:
    made = analysed("It ends.\n\n<Organisation:ACME, INC>.\nBy: <Person:Ann Lee>\nTitle: Secretary")
    found = state(resolve(made, schema), schema)
    assert [(s.relation, e.text) for s, e in zip(found.statements, found.evidence, strict=True)] == [
        ("EMPLOYER", "ACME, INC.\nBy: Ann Lee")
    ]
