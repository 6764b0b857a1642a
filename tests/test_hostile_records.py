"""Schemas, registers, names and values that mean harm: what cannot be kept is refused, and nothing takes forever."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg_sink.exporting import LABELS
from kg_sink.migrations import MIGRATIONS
from tests.conftest import analysis
from tests.hostile import WORDS, crowd
from transforms.names import LONGEST, folded, name_key
from transforms.records import VALUE_TYPES
from transforms.register import RegisterError, load_register
from transforms.resolving import resolve
from transforms.schema import RESERVED, Schema, SchemaError, load_schema
from transforms.stating import LONGEST as LONGEST_EVIDENCE
from transforms.stating import state
from transforms.values import normalise

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
    assert said.startswith((f"{path}: ", f"{path}, line 1: "))
    assert field in said
    assert remedy in said
    assert said.isprintable()
    assert len(said) < 400 + len(str(path))


def test_every_label_of_the_graph_is_reserved() -> None:
    made = {found for step in MIGRATIONS for text in step.schema for found in re.findall(r"\(n:(\w+)\)", text)}
    assert made | set(LABELS) <= RESERVED


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"id": "x" * 1_001, "name": "A", "type": "Person"}, "'id' is over 1,000"),
        ({"id": "1", "name": "A" * 10_000_000, "type": "Person"}, "'name' is over 1,000"),
        ({"id": "1", "name": "A", "type": "Person", "aliases": ["B", "C" * 1_001]}, "'aliases' is over 1,000"),
        ({"id": "1", "name": "A\ud800", "type": "Person"}, "'name' holds half a character"),
        ({"id": "1", "name": "A", "type": "Person`) DELETE" * 1_000}, "no entity type 'Person`)"),
    ],
)
def test_a_register_that_the_graph_cannot_hold_is_refused(
    row: dict[str, object], field: str, schema: Schema, tmp_path: Path
) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(RegisterError) as caught:
        load_register(path, schema)
    assert str(caught.value).startswith(f"{path}, row 1: field ")
    assert field in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_a_broken_row_of_a_register_is_named(schema: Schema, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"id": 0, "name": "Acme", "type": "Organisation", "aliases": ["ACME", null]}\n{"id": 1,')
    with pytest.raises(RegisterError, match=r"row 2: not valid JSON .*; mend the row"):
        load_register(path, schema)
    path.write_text(path.read_text().splitlines()[0])
    (entry,) = load_register(path, schema).entries
    assert (entry.id, entry.aliases) == ("0", ("ACME",))


@given(st.sampled_from(sorted(VALUE_TYPES)), st.text("0123456789.,-/eE+ $€%kgmMayofNainf½٣²\x00\u202e", max_size=20))
@settings(deadline=None, max_examples=60)
def test_no_text_makes_a_value_that_cannot_be_stored(kind: str, text: str) -> None:
    value = normalise(kind, text)
    assert value is None or value.number is None or math.isfinite(value.number)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("Number", "1e400", None),
        ("Number", "-1e400", None),
        ("Number", "NaN", None),
        ("Number", "9" * 5_000, None),
        ("Number", "1 " * 5_000, None),
        ("Number", str(2**64), "18446744073709552000"),
        ("Money", f"EUR {2**63}", "9223372036854775808 EUR"),
        ("Money", "$" + "9" * 400, None),
        ("Date", "1 January 0000", None),
        ("Date", "1 January 99999", None),
        ("Date", "31 February 2024", None),
        ("Date", "May" * 5_000, None),
    ],
)
def test_values_out_of_all_bounds(kind: str, text: str, value: str | None) -> None:
    found = normalise(kind, text)
    assert (found and found.text) == value
    (entity,) = resolve(analysis(f"It is {text}.", [(text, kind)])).entities
    assert entity.value == value
    assert 0 < len(entity.name) <= LONGEST


def test_a_long_name_is_cut_and_its_mention_is_not(schema: Schema) -> None:
    text = "Acme" * 2_500_000
    found = resolve(analysis(f"{text} grew.", [(text, "Organisation")]), schema)
    (entity,) = found.entities
    assert entity.name == text[:LONGEST]
    assert entity.aliases == (entity.name,)
    assert found.analysis.mentions[0].text == text


def test_names_that_differ_in_what_is_not_seen_are_one_entity() -> None:
    zero, right_to_left, combining = "Ac\u200bme", "\u202eAcme\u202c", "A\u0301c\u0327me"
    names = ["Acme", zero, right_to_left, combining, "Асme"]  # the last begins with a Cyrillic А and с
    found = resolve(analysis("; ".join(names), [(name, "Location") for name in names])).entities
    assert [entity.aliases for entity in found] == [tuple(sorted(names[:4])), ("Асme",)]
    assert {folded(name) for name in names[:4]} == {"acme"}


def test_two_acronyms_that_stand_for_each_other_end() -> None:
    names = ["AB", "AB Ltd", "AL", "AL BV"]
    found = resolve(analysis(" and ".join(names), [(name, "Organisation") for name in names])).entities
    assert [entity.aliases for entity in found] == [("AB", "AB Ltd"), ("AL", "AL BV")]


@pytest.mark.parametrize(
    ("names", "kind", "facts", "joined"),
    [
        ([f"{word.title()} Smith" for word in WORDS], "Person", False, 0),
        ([f"{word[0]} {word[1:]} Smith" for word in WORDS], "Person", False, 0),
        (["Acme", *(f"Acme {word}" for word in WORDS)], "Organisation", False, 0),
        ([*(f"Q{word}".upper() for word in WORDS), "Quite A Bad Company"], "Organisation", False, 1),
        ([word.title() for word in WORDS], "Person", True, -1),  # the message is one more
    ],
    ids=["surname", "initials", "first word", "acronyms", "recipients"],
)
def test_many_names_are_not_compared_all_with_all(
    names: list[str], kind: str, facts: bool, joined: int, schema: Schema
) -> None:
    found = state(resolve(crowd(names, kind, facts=facts), schema), schema)
    assert len(found.resolved.entities) == len({name_key(kind, name) for name in names}) - joined
    assert sum(len(piece.text) for piece in found.evidence) <= LONGEST_EVIDENCE * len(found.evidence)
    text = found.resolved.analysis.document.text
    for piece in found.evidence[:100]:
        head, tail = text[piece.head_start : piece.head_end], text[piece.tail_start : piece.tail_end]
        assert piece.text.endswith(text[piece.end - 100 : piece.end])
        assert head in piece.text
        assert tail in piece.text
