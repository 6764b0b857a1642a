"""Configs are read and checked; what they make of annotated files, and what is wrong with one, is said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from export_onnx.config import ConfigError, Recipe, read_recipe
from export_onnx.data import load
from export_onnx.examples import Example, LabelSpace, Span, without_overlaps
from export_onnx.schema_files import schema_of_data
from tests.conftest import ROOT
from tests.test_training_formats import JSONL, shown
from transforms.schema import parse_schema

LEAST = {"name": "mine", "version": 1, "data": [{"name": "ours", "format": "jsonl", "train": "a.jsonl"}]}


def config(folder: Path, content: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**LEAST, "epoch": 3}, "unknown field 'epoch'; known are"),
        ({**LEAST, "epochs": "many"}, "field 'epochs': expected int"),
        ({**LEAST, "epochs": 0}, "field 'epochs': 0 is too few; take 1 or more"),
        ({**LEAST, "warmup": 0}, "field 'warmup': 0 is too few"),
        ({**LEAST, "layers": 3}, "field 'layers': expected lists of types, found 3"),
        ({"name": "mine", "version": 1}, "field 'data' is missing"),
        ({**LEAST, "data": []}, "list at least one data set"),
        ({**LEAST, "data": [{"name": "ours", "format": "jsonl"}]}, r"data\[0\]': field 'train' is missing"),
        ({**LEAST, "data": [{**LEAST["data"][0], "labels": {"a": [True]}}]}, r"labels\.a: expected a list of names"),  # type: ignore[dict-item]
        ({**LEAST, "data": [{**LEAST["data"][0], "train": {"files": "a", "by": "x"}}]}, "by: expected 'row' or 'key'"),  # type: ignore[dict-item]
        ({**LEAST, "data": LEAST["data"] * 2}, "two sets are called 'ours'"),  # type: ignore[operator]
    ],
)
def test_a_broken_config_is_refused(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read_recipe(config(tmp_path, content))


def test_a_field_that_a_config_sets_twice_is_refused(tmp_path: Path) -> None:
    path = config(tmp_path, LEAST)
    path.write_text(f"epochs: 3\n{path.read_text()}epochs: 4\n")
    with pytest.raises(ConfigError, match=r"config\.yaml, line \d: not valid YAML \('epochs' stands in line 1 too\)"):
        read_recipe(path)


def test_a_config_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes("name: bokmål".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"config\.yaml: not UTF-8"):
        read_recipe(tmp_path / "config.yaml")


def test_a_config_like_another_sets_what_differs(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({**LEAST, "epochs": 3, "depth": 4, "window": 64}))
    recipe = read_recipe(config(tmp_path, {"like": "other.yaml", "name": "ours", "epochs": 5, "depth": None}))
    assert (recipe.name, recipe.version, recipe.epochs, recipe.depth, recipe.window) == ("ours", "1", 5, None, 64)
    assert [source.name for source in recipe.data] == ["ours"]
    for content in ([1], {"like": "config.yaml"}):
        other.write_text(yaml.safe_dump(content))
        with pytest.raises(ConfigError, match=r"config\.yaml: field 'like': .*other\.yaml sets no fields, or is like"):
            read_recipe(config(tmp_path, {"like": "other.yaml"}))
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        read_recipe(config(tmp_path, {"like": "nowhere.yaml"}))


def loaded(folder: Path, lines: str = JSONL, **fields: object) -> tuple[Recipe, list[Example], LabelSpace]:
    (folder / "a.jsonl").write_text("\n".join([lines] * 20))
    recipe = read_recipe(config(folder, {**LEAST, **fields}))
    sets, space = load(recipe, folder)
    return recipe, sets[0].train, space


def test_no_empty_text_stands_around_examples(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"text": ""}\n{"text": "It rains."}\n' * 20)
    sources = [{"name": "ours", "format": "jsonl", "train": "a.jsonl", "among": ["theirs"]}]
    sources += [{"name": "theirs", "format": "jsonl", "train": "b.jsonl"}]
    _, train, _ = loaded(tmp_path, data=sources)
    assert any("rains" in example.text for example in train)


def test_the_label_space_is_what_the_data_hold(tmp_path: Path) -> None:
    _, train, space = loaded(tmp_path)
    assert len(train) == 18  # every tenth is dev
    assert space == LabelSpace(
        (("Company", "Person"),), ("WORKS_FOR",), frozenset({("Person", "WORKS_FOR", "Company")})
    )
    schema = parse_schema(schema_of_data("mine", space), "mine")
    assert schema.kinds == {"Company": "Organisation", "Person": "Person"}
    assert schema.allows("WORKS_FOR", "Person", "Company")
    assert not schema.allows("WORKS_FOR", "Company", "Person")


def test_labels_are_mapped_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    source = {"name": "ours", "format": "jsonl", "train": "a.jsonl"}
    mapped = {**source, "labels": {"Person": "Human", "Company": ["Firm", "Agency"]}}
    _, (example, *_), _ = loaded(tmp_path, data=[mapped])
    assert [set(span.types) for span in example.spans] == [{"Human"}, {"Firm", "Agency"}]
    with pytest.raises(ConfigError, match="its label 'Company' is not under 'labels'"):
        loaded(tmp_path, data=[{**source, "labels": {"Person": "Human"}}])
    _, (example, *_), space = loaded(tmp_path, data=[{**source, "labels": {"Person": "Human"}, "rest": []}])
    assert (len(example.spans), example.relations, space.types) == (1, (), ("Human",))


def test_missing_files_and_layers_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape("set 'ours': no file")):
        load(read_recipe(config(tmp_path, LEAST)), tmp_path)
    with pytest.raises(ConfigError, match="the data hold 'Person', which no layer lists"):
        loaded(tmp_path, layers=[["Company"]])
    with pytest.raises(ConfigError, match="no format 'xml'; known are conll, jsonl, brat"):
        loaded(tmp_path, data=[{"name": "ours", "format": "xml", "train": "a.jsonl"}])


def test_labels_that_no_graph_takes_get_names_that_it_does() -> None:
    space = LabelSpace((("Compromised-Data", "Document", "3D"),), ("IN",), frozenset({("3D", "IN", "Document")}))
    schema = parse_schema(schema_of_data("mine", space), "mine")
    assert set(schema.kinds.values()) == {""}
    assert schema.type_of_label == {"Compromised-Data": "Compromised_Data", "Document": "Document_", "3D": "T_3D"}
    with pytest.raises(ValueError, match="give it another under 'rename'"):
        schema_of_data("mine", LabelSpace((("A",),), ("is in",), frozenset({("A", "is in", "A")})))


def test_mentions_of_one_layer_do_not_overlap_and_those_of_two_may(tmp_path: Path) -> None:
    row = {
        "text": "high dose lithium helps",
        "entities": [
            {"start": 0, "end": 17, "label": "Treatment"},
            {"start": 10, "end": 17, "label": "Drug"},
            {"start": 5, "end": 17, "label": "Treatment"},
        ],
    }
    _, (example, *_), _ = loaded(tmp_path, json.dumps(row), layers=[["Treatment"], ["Drug"]])
    assert [text for text, _ in shown(example)[0]] == ["high dose lithium", "lithium"]


def test_the_longest_of_overlapping_spans_stays() -> None:
    spans = [Span(*ends, frozenset({"A"})) for ends in ((0, 3), (2, 9), (8, 12), (9, 10), (12, 13), (0, 2))]
    assert [(s.start, s.end) for s in without_overlaps(spans)] == [(0, 2), (2, 9), (9, 10), (12, 13)]


def test_examples_are_put_one_below_the_other(tmp_path: Path) -> None:
    source = {"name": "ours", "format": "jsonl", "train": "a.jsonl", "join": 3}
    _, train, _ = loaded(tmp_path, data=[source])
    assert 6 <= len(train) < 18
    for example in train:
        mentions, relations = shown(example)
        assert mentions == [("Ann Lee", "Person"), ("Acme", "Company")] * len(relations)
        assert {example.text[a:b].split()[0] for a, b in example.sentences} == {"Ann", "It"}
        assert all(tail == head + 1 for head, _, tail in example.relations)


def test_of_one_mention_marked_twice_what_is_known_stays() -> None:
    # Many, since the order of hashes might do right by one.
    twice = [Span(n, n + 1, frozenset({"Person"}), known) for n in range(0, 60, 2) for known in (False, True)]
    assert all(span.known for span in without_overlaps(twice))


def test_without_the_training_extra_it_is_named() -> None:
    # None among the modules is how Python is told that there is no such one.
    code = "import runpy, sys; sys.modules['torch'] = None; runpy.run_module('export_onnx', run_name='__main__')"
    command = [sys.executable, "-c", code, "train", "mine.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "python -m export_onnx: no module 'torch'; install the training extra: pip install -e '.[train]'"
    )
    assert "Traceback" not in done.stderr
