"""Documents, registers and schemas that mean harm: all is stored as it is written, and nothing of it is carried out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kg_sink.exporting import LABELS
from kg_sink.migrations import MIGRATIONS
from transforms.schema import RESERVED, SchemaError, load_schema

PERSON = "entities: {Person: {}}\n"


@pytest.mark.parametrize(
    ("content", "field", "remedy"),
    [
        ("entities: {'a`) DETACH DELETE (n': {}}", "'entities.a`) DETACH DELETE (n'", "rename it"),
        ('entities: {"A\\u0060B": {}}', "'entities.A`B'", "rename it"),
        ('entities: {"\\e[31mRed\\n": {}}', r"'entities.\x1b[31mRed\n'", "rename it"),
        ("entities: {Ρerson: {}}", "'entities.Ρerson'", "rename it"),  # a Greek capital rho
        (f"entities: {{{'A' * 1_000}: {{}}}}", "'entities.AAAAAA", "64 at most"),
        ("entities: {NO: {}}", "'entities.False'", "put it in quotes"),
        ("entities: {pastevidence: {}}", "'entities.pastevidence'", "choose another"),
        (PERSON + "relations: {Person: {head: [Person], tail: [Person]}}", "'relations.Person'", "rename it"),
        (
            PERSON + "relations: {'K {id: 1}]->() //': {head: [Person], tail: [Person]}}",
            "'relations.K {id",
            "rename it",
        ),
        (PERSON + "relations: {K: {head: [[Person]], tail: [Person]}}", "'relations.K'.head", "did you mean 'Person'"),
        (PERSON + "relations: [K]", "'relations'", "by name"),
        ("[" * 100_000, "not valid YAML", "mend the file"),
        *((f"entities: {{{name}: {{}}}}", f"'entities.{name}'", "choose another") for name in sorted(RESERVED)),
        *(
            (f"{PERSON}relations: {{{name}: {{head: [Person], tail: [Person]}}}}", f"'relations.{name}'", "choose anot")
            for name in sorted(RESERVED)
        ),
    ],
)
def test_a_schema_of_hostile_names_is_refused(content: str, field: str, remedy: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        load_schema(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert field in said
    assert remedy in said
    assert said.isprintable()
    assert len(said) < 400 + len(str(path))


def test_every_label_of_the_graph_is_reserved() -> None:
    made = {found for step in MIGRATIONS for text in step.schema for found in re.findall(r"\(n:(\w+)\)", text)}
    assert made | set(LABELS) <= RESERVED
