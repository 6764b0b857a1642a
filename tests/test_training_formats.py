"""Annotated files, each in its own format, become examples; what is wrong with one is said with its line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from export_onnx.config import ConfigError, Part, Recipe, Source, read_recipe
from export_onnx.data import load
from export_onnx.examples import Example, LabelSpace, Span, without_overlaps
from export_onnx.formats import FORMATS
from export_onnx.schema_files import schema_of_data
from tests.conftest import ROOT
from transforms.schema import parse_schema

ANY = Source("any", "any", Part(()))

JSONL = json.dumps(
    {
        "text": "Ann Lee works for Acme. It is in Leeds.",
        "entities": [
            {"id": "a", "start": 0, "end": 7, "label": "Person"},
            {"id": "b", "start": 18, "end": 22, "label": "Company"},
        ],
        "relations": [{"head": "a", "label": "WORKS_FOR", "tail": "b"}],
    }
)
BRAT = {
    "a.txt": "Ann Lee works for Acme.\r\nBo Ek founded it.",
    "a.ann": "T1\tPerson 0 7\tAnn Lee\nT2\tCompany 18 22\tAcme\nR1\tWORKS_FOR Arg1:T1 Arg2:T2\n"
    "T3\tPerson 25 30\tBo Ek\nT4\tFounding 31 38\tfounded\nE1\tFounding:T4 Who:T3 What2:T2\n#1\tNote T1\tx\n",
}
CONLL = "Ann B-PER\nLee I-PER\nworks O\n\nActs O\nof O\nAcme I-ORG\n"
CONLL04 = (
    "#doc 1\n0\tAnn\tB-Peop\t['N']\t[0]\n1\tLee\tI-Peop\t['Work_For']\t[3]\n2\tof\tO\t['N']\t[2]\n"
    "3\tAcme\tB-Org\t['N']\t[3]\n"
)
PHEE = {
    "id": "1",
    "context": "Rash after high dose lithium.",
    "annotations": [
        {
            "events": [
                {
                    "event_type": "Adverse_event",
                    "Trigger": {"text": [["after"]], "start": [[5]]},
                    "Effect": {"text": [["Rash"]], "start": [[0]]},
                    "Treatment": {
                        "text": [["high dose lithium"]],
                        "start": [[11]],
                        "Drug": {"text": [["lithium"]], "start": [[21]]},
                    },
                }
            ]
        }
    ],
}
CASIE = {
    "content": "Hackers stole data.",
    "cyberevent": {
        "hopper": [
            {
                "events": [
                    {
                        "nugget": {"startOffset": 8, "endOffset": 13},
                        "subtype": "Databreach",
                        "argument": [
                            {"startOffset": 0, "endOffset": 7, "type": "Person", "role": {"type": "Attacker"}},
                        ],
                    }
                ]
            }
        ]
    },
}
USADDRESS = (
    "<AddressCollection><AddressString><AddressNumber>12</AddressNumber> <StreetName>Old</StreetName> "
    "<StreetName>Mill,</StreetName>\n<ZipCode>19013</ZipCode></AddressString></AddressCollection>"
)


def shown(example: Example) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    texts = [example.text[span.start : span.end] for span in example.spans]
    return (
        [(text, min(span.types)) for text, span in zip(texts, example.spans, strict=True)],
        [(texts[head], name, texts[tail]) for head, name, tail in example.relations],
    )


def read(folder: Path, form: str, name: str, text: str) -> list[Example]:
    (folder / name).write_bytes(text.encode())
    return FORMATS[form](folder / name, ANY)


def test_each_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(BRAT["a.txt"].encode())
    assert shown(read(tmp_path, "jsonl", "a.jsonl", JSONL)[0]) == (
        [("Ann Lee", "Person"), ("Acme", "Company")],
        [("Ann Lee", "WORKS_FOR", "Acme")],
    )
    assert shown(read(tmp_path, "brat", "a.ann", BRAT["a.ann"])[0]) == (
        [("Ann Lee", "Person"), ("Acme", "Company"), ("Bo Ek", "Person"), ("founded", "Founding")],
        [("Ann Lee", "WORKS_FOR", "Acme"), ("founded", "Who", "Bo Ek"), ("founded", "What", "Acme")],
    )
    assert [shown(e)[0] for e in read(tmp_path, "conll", "a.conll", CONLL)] == [[("Ann Lee", "PER")], [("Acme", "ORG")]]
    assert shown(read(tmp_path, "conll04", "b.txt", CONLL04)[0]) == (
        [("Ann Lee", "Peop"), ("Acme", "Org")],
        [("Ann Lee", "Work_For", "Acme")],
    )
    assert shown(read(tmp_path, "phee", "p.json", json.dumps(PHEE))[0]) == (
        [("after", "Adverse_event"), ("Rash", "Effect"), ("high dose lithium", "Treatment"), ("lithium", "Drug")],
        [
            ("after", "Effect", "Rash"),
            ("after", "Treatment", "high dose lithium"),
            ("after", "Treatment.Drug", "lithium"),
        ],
    )
    assert shown(read(tmp_path, "casie", "c.json", json.dumps(CASIE))[0]) == (
        [("stole", "Databreach"), ("Hackers", "Person")],
        [("stole", "Attacker", "Hackers")],
    )
    mentions, relations = shown(read(tmp_path, "usaddress", "u.xml", USADDRESS)[0])
    assert mentions == [
        ("12", "AddressNumber"),
        ("Old Mill", "StreetName"),
        ("19013", "ZipCode"),
        ("12 Old Mill,\n19013", "Address"),
    ]
    assert ("12 Old Mill,\n19013", "StreetName", "Old Mill") in relations


GUM = """#FORMAT=WebAnno TSV 3.2

#Text=…
The organization[1]
University organization[1]
of organization[1]
Leeds organization[1]|place[2]
's organization[1]
letter object[3]

It object
pleased _
Ann person

Students person
met _
Mr. person[4]
Lee person[4]
, _
US place|person[5]
President person[5]
Bo person[5]
Ek person[5]
and _
the person[6]
Director person[6]
of person[6]
Acme person[6]|organization

General person[7]
Gordon person[7]
left _
Rome place[8]
, place[8]
Italy place[8]|place[9]
and _
the organization[10]
Court organization[10]

his person[11]
Indian person[11]
cousin person[11]
Mary person[11]
Lee person[11]
saw _
those person[12]
Greeks person[12]
in _
Indian _
towns _
"""


def webanno(text: str) -> str:
    """Words and their mentions as lines of WebAnno's TSV."""
    rows = [line.split(" ") for line in text.splitlines()]
    return "\n".join(f"1-1\t0-1\t{row[0]}\t{row[1]}" if row[0] and row[0][0] != "#" else "" for row in rows) + "\n"


def test_the_names_of_gum_are_told_by_their_capitals(tmp_path: Path) -> None:
    (example,) = read(tmp_path, "gum", "g.tsv", webanno(GUM))
    names = [(example.text[span.start : span.end], min(span.types)) for span in example.spans if span.known]
    assert names == [
        ("University of Leeds", "organization"),
        ("Ann", "person"),
        ("Lee", "person"),
        ("US", "place"),
        ("Bo Ek", "person"),
        ("Acme", "organization"),
        ("Mary Lee", "person"),
    ]
    assert [example.text[a:b] for a, b in example.sentences][:2] == [
        "The University of Leeds 's letter",
        "It pleased Ann",
    ]


def test_what_may_be_more_or_less_than_a_name_of_gum_stays_open(tmp_path: Path) -> None:
    (example,) = read(tmp_path, "gum", "g.tsv", webanno(GUM))
    assert [example.text[span.start : span.end] for span in example.spans if not span.known] == [
        "Students",
        "President",
        "Director",
        "General Gordon",
        "Rome , Italy",
        "Court",
        "Indian",
        "Greeks",
        "Indian",
    ]


def test_a_line_of_gum_needs_four_columns(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"g\.tsv, line 1: 4 columns"):
        read(tmp_path, "gum", "g.tsv", "1-1\t0-3\tThe\n")


@pytest.mark.parametrize(
    ("form", "name", "text", "message"),
    [
        ("conll", "a.conll", "Ann B-PER\nLee\n", r"a\.conll, line 2: a token and its tag are needed.*add the tag"),
        ("conll", "a.conll", "Ann PER\n", r"a\.conll, line 1: the last column has to be O, B-TYPE or I-TYPE"),
        ("jsonl", "a.jsonl", "{}\n{\n", r"a\.jsonl, line 1: field 'text' is missing"),
        ("jsonl", "a.jsonl", "[\n", r"line 1: not valid JSON"),
        (
            "jsonl",
            "a.jsonl",
            '{"text": "Ann", "entites": []}',
            r"line 1: unknown field 'entites'; did you mean 'entities'",
        ),
        (
            "jsonl",
            "a.jsonl",
            '{"text": "Ann", "entities": [{"start": 0, "end": 4, "label": "P"}]}',
            r"0 to 4 is no span",
        ),
        (
            "jsonl",
            "a.jsonl",
            '{"text": "Ann", "entities": [{"start": 0}]}',
            r"entities\[0\]: 'start', 'end' and 'label'",
        ),
        (
            "jsonl",
            "a.jsonl",
            '{"text": "Ann", "relations": [{"label": "R", "head": 0}]}',
            r"field 'head': 0 is no entity",
        ),
        ("brat", "b.ann", "T1\tPerson 0 7\tAnn Lee\n", r"b\.ann: expected an \.ann file with its \.txt beside it"),
        ("brat", "a.ann", "T1\tPerson 0 7\tBo Ek\n", r"a\.ann, line 1: the text has 'Ann Lee' at 0 to 7, not 'Bo Ek'"),
        ("brat", "a.ann", "T1\tPerson\n", r"a\.ann, line 1: expected 'T1<TAB>Type start end<TAB>text'"),
        ("brat", "a.ann", "R1\tWORKS Arg1:T1 Arg2:T9\n", r"a\.ann, line 1: 'T1' is no T line"),
        ("conll04", "b.txt", "0\tAnn\tO\n", r"b\.txt, line 1: five columns"),
        ("usaddress", "u.xml", "<a", r"u\.xml: not valid XML"),
        ("phee", "p.json", "{}", r"p\.json, line 1: not PHEE's format"),
        ("casie", "c.json", "{}", r"c\.json: not CASIE's format"),
    ],
)
def test_what_is_wrong_is_said(form: str, name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(BRAT["a.txt"].encode())
    with pytest.raises(ValueError, match=message):
        read(tmp_path, form, name, text)


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


def test_line_feeds_alone_end_lines_of_json(tmp_path: Path) -> None:
    (example, other) = read(tmp_path, "jsonl", "a.jsonl", '{"text": "Ann\u2028Lee\x85"}\r\n\n{"text": "Bo"}\n')
    assert (example.text, other.text) == ("Ann\u2028Lee\x85", "Bo")


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
