"""Annotated files, each in its own format, become examples; what is wrong with one is said with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export_onnx.config import Part, Source
from export_onnx.examples import Example
from export_onnx.formats import FORMATS

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


def test_line_feeds_alone_end_lines_of_json(tmp_path: Path) -> None:
    (example, other) = read(tmp_path, "jsonl", "a.jsonl", '{"text": "Ann\u2028Lee\x85"}\r\n\n{"text": "Bo"}\n')
    assert (example.text, other.text) == ("Ann\u2028Lee\x85", "Bo")


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
