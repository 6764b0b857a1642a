"""What is misspelt, doubled or of another kind in a user's schema or register is refused, never passed over."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from transforms.register import RegisterError, load_register
from transforms.schema import Schema, SchemaError, load_schema

KNOWS = "relations: {KNOWS: {head: [Person], tail: [Person]"
PERSON = "entities: {Person: {}}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{PERSON}relation: {{}}", ": unknown field 'relation'; did you mean 'relations'?"),
        ("entity: {Person: {}}", ": unknown field 'entity'; did you mean 'entities'?"),
        (f"{PERSON}roles: {{}}", ": unknown field 'roles'; known are name, entities, events, relations, words"),
        (
            f"{PERSON}{KNOWS}, phrase: []}}}}",
            ": field 'relations.KNOWS': unknown field 'phrase'; did you mean 'phrases'?",
        ),
        (
            f"{PERSON}{KNOWS}, imply: []}}}}",
            ": field 'relations.KNOWS': unknown field 'imply'; did you mean 'implies'?",
        ),
        (
            "entities: {Person: {label: [PER]}}",
            ": field 'entities.Person': unknown field 'label'; did you mean 'labels'?",
        ),
        ("entities: {Person: {labels: [NO]}}", "'entities.Person.labels': expected a list of labels; put numbers and"),
        ("entities: {Person: {subtype: {}}}", "unknown field 'subtype'; did you mean 'subtypes'?"),
        ("entities: {Person: {roles: {}}}", "'entities.Person': unknown field 'roles'"),
        ("entities: {Person: A human being.}", "'entities.Person': expected fields, as in {description: "),
        (
            "entities: {Person: {description: x, subtypes: {Spy: {descriptions: y}}}}",
            ": field 'entities.Person.subtypes.Spy': unknown field 'descriptions'; did you mean 'description'?",
        ),
        (f"{PERSON}events: {{Sale: {{role: {{}}}}}}", "'events.Sale': unknown field 'role'; did you mean 'roles'?"),
        (
            f"{PERSON}events: {{Sale: {{roles: {{BUYER: {{tails: [Person]}}}}}}}}",
            ": field 'events.Sale.roles.BUYER': unknown field 'tails'; did you mean 'tail'?",
        ),
        (f"{PERSON}words: {{is: [is, are]}}", ": field 'words.is': expected one text, as in "),
        (f"{PERSON}words: {{on: on|at}}", ": field 'words.True': put the name in quotes"),
        (f"{PERSON}{PERSON}", ", line 2: not valid YAML ('entities' stands in line 1 too); mend the file"),
        (
            f"entities:\n  Person: {{}}\n{KNOWS}}},\n  KNOWS: {{}}}}",
            ", line 4: not valid YAML ('KNOWS' stands in line 3",
        ),
        ("entities:\n  - Person\n  Firm: {}", ", line 3: not valid YAML (did not find expected '-' indicator)"),
    ],
)
def test_what_a_schema_does_not_mean_is_refused(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(content)
    with pytest.raises(SchemaError) as caught:
        load_schema(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_what_is_merged_into_a_mapping_does_not_stand_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    both = "{<<: *one, tail: [Firm], phrases: ['{head} of {tail}']}"
    path.write_text(
        "entities: {Person: {}, Firm: {}}\n"
        f"relations:\n  KNOWS: &one {{head: [Person], tail: [Person]}}\n  LEADS: &two {both}\n  OWNS: *two\n"
    )
    relations = load_schema(path).relations
    assert [relations[name].tail for name in ("KNOWS", "LEADS", "OWNS")] == [{"Person"}, {"Firm"}, {"Firm"}]
    assert relations["OWNS"].head == {"Person"}


@pytest.mark.parametrize(("column", "meant"), [("alias", "aliases"), ("Description", "description"), ("Name", "name")])
def test_a_misspelt_column_of_a_register_is_refused(column: str, meant: str, schema: Schema, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    given = {"id": "1", "name": "Acme", "type": "Organisation"}
    row = {name: value for name, value in given.items() if name != meant} | {column: "x"}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    with pytest.raises(RegisterError, match=rf"row 2: unknown field '{column}'; did you mean '{meant}'\? rename it"):
        load_register(path, schema)


def test_a_register_may_have_columns_of_its_own(schema: Schema, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("id,uid,name,names,type,aliases,alias,vat\n1,u,Acme,n,Organisation,ACME,a,7,of no column\n")
    (entry,) = load_register(path, schema).entries
    assert (entry.id, entry.name, entry.aliases) == ("1", "Acme", ("ACME",))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.csv", "id,name,type,name\nP-1,Ann Lee,Person,Bo Ek\n", "row 1: two columns are called 'name'; rename one"),
        ("r.jsonl", '{"id": "1", "id": "2", "name": "Acme"}\n', r"row 1: not valid JSON \('id' stands twice\); mend"),
    ],
)
def test_a_field_that_a_register_has_twice_is_refused(
    name: str, text: str, said: str, schema: Schema, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(RegisterError, match=said):
        load_register(tmp_path / name, schema)
