"""Subtypes: told by their descriptions alone, kept on what documents say, asked by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kg_sink import server
from tests.conftest import analysis, tripleflow
from transforms.bundle import SENTENCE_ENCODER, BundleError
from transforms.extracting import extract
from transforms.records import Resolved
from transforms.resolving import resolve
from transforms.schema import Schema, SchemaError, load_schema, parse_schema
from transforms.typing import Typer, has_subtypes, make_typer, type_entities

FINER = {
    "entities": {
        "Organisation": {
            "description": "A company, authority, team, union or other named group.",
            "subtypes": {
                "University": {
                    "description": "A university or college.",
                    "subtypes": {"MedicalSchool": "A school of medicine."},
                },
                "PoliticalParty": "A political party.",
            },
        },
        "Location": {
            "description": "A country, city, region, site, address or other place.",
            "subtypes": {"River": "A river."},
        },
        "Person": {},
    }
}
TEXT = "The University of Leeds met the Labour Party, Acme Shipping Ltd and Ann Lee at the River Thames in Leeds."
NAMES = [
    ("University of Leeds", "Organisation"),
    ("Labour Party", "Organisation"),
    ("Acme Shipping Ltd", "Organisation"),
    ("Ann Lee", "Person"),
    ("River Thames", "Location"),
    ("Leeds", "Location"),
]


@pytest.fixture(scope="module")
def finer() -> Schema:
    return parse_schema(FINER, "finer")


@pytest.fixture(scope="module")
def typer(finer: Schema) -> Typer:
    return make_typer(finer)


def test_a_description_is_all_that_a_subtype_needs(finer: Schema, typer: Typer) -> None:
    found = type_entities(typer, resolve(analysis(TEXT, NAMES), finer))
    assert {entity.name: entity.subtypes for entity in found.entities} == {
        "University of Leeds": ("University",),
        "Labour Party": ("PoliticalParty",),
        "Acme Shipping Ltd": (),
        "Ann Lee": (),
        "River Thames": ("River",),
        "Leeds": (),
    }


def test_a_subtype_may_have_subtypes(finer: Schema, typer: Typer) -> None:
    resolved = resolve(analysis("Harvard Medical School closed.", [("Harvard Medical School", "Organisation")]), finer)
    (entity,) = type_entities(typer, resolved).entities
    assert entity.subtypes == ("University", "MedicalSchool")


def test_extracting_takes_a_typer_that_is_there_already(finer: Schema) -> None:
    river = parse_schema({"entities": {"Location": FINER["entities"]["Location"]}}, "river")
    made, given = (
        extract([TEXT], schema=finer, typer=typer)[0].resolved.entities for typer in (None, make_typer(river))
    )
    assert {subtype for entity in given for subtype in entity.subtypes} == {"River"}
    assert {subtype for entity in made for subtype in entity.subtypes} > {"River", "University"}


def test_a_document_without_such_types_is_left_alone(typer: Typer) -> None:
    document: Resolved = resolve(analysis("Ann Lee left.", [("Ann Lee", "Person")]))
    assert type_entities(typer, document) is document
    assert not has_subtypes(load_schema())


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        ({"A": {"description": "x", "subtypes": ["B"]}}, r"'entities\.A\.subtypes': expected descriptions by name"),
        ({"A": {"description": "x", "subtypes": {"B": ""}}}, r"'entities\.A\.subtypes\.B': say in a few words"),
        ({"A": {"subtypes": {"B": "y"}}}, r"'entities\.A\.description': its subtypes are told from it"),
        ({"A": {"description": "x", "subtypes": {"A": "y"}}}, "'A' is named twice"),
        ({"A": {"description": "x", "subtypes": {"B": "y"}}, "B": {}}, "'B' is named twice"),
        ({"A": {"description": "x", "subtypes": {"B C": "y"}}}, "a name is a letter"),
    ],
)
def test_a_broken_subtype_is_refused(entities: object, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        parse_schema({"entities": entities}, "s")


def test_another_bundle_is_refused(finer: Schema) -> None:
    with pytest.raises(BundleError, match="not for 'typing'"):
        make_typer(finer, SENTENCE_ENCODER)


def test_the_graph_keeps_and_answers_by_subtypes(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("The University of Leeds hired Ann Lee. Acme Shipping Ltd is based in Leeds.")
    schema = json.loads(json.dumps(FINER))
    schema["relations"] = {"EMPLOYER": {"head": ["Person"], "tail": ["Organisation"]}}
    (tmp_path / "schema.yaml").write_text(json.dumps(schema))  # JSON is YAML

    def asked(kind: str) -> set[str]:
        ran = tripleflow("query", "entities", "--type", kind, "--graph", "kg", "--format", "json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        return {row["name"] for row in json.loads(ran.out)}

    try:
        ran = tripleflow("run", "one.txt", "--schema", "schema.yaml", "--graph", "kg", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert asked("University") == {"University of Leeds"}
        assert asked("Organisation") == {"University of Leeds", "Acme Shipping Ltd"}
        # What a later run no longer says is gone.
        del schema["entities"]["Organisation"]["subtypes"]
        (tmp_path / "schema.yaml").write_text(json.dumps(schema))
        assert tripleflow("run", "one.txt", "--schema", "schema.yaml", "--graph", "kg", cwd=tmp_path).code == 0
        assert asked("University") == set()
        assert len(asked("Organisation")) == 2
    finally:
        server.wipe(tmp_path / "kg")
