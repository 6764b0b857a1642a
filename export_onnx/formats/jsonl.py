"""JSON lines: one text a line, with its entities and relations.

{"text": "Ann Lee works for Acme.",
 "entities": [{"start": 0, "end": 7, "label": "Person"}, {"start": 18, "end": 22, "label": "Company"}],
 "relations": [{"head": 0, "label": "WORKS_FOR", "tail": 1}]}

Offsets are characters, the end exclusive. `head` and `tail` are places in the list of entities, or their `id`s where
entities have one. Without `relations`, the text says nothing of relations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export_onnx.config import Source
from export_onnx.examples import Example, Span
from export_onnx.formats.lines import numbered_lines
from transforms.segmenting import sentences
from transforms.user_files import misspelt_field

_FIELDS = ("text", "entities", "relations")


def read(path: Path, source: Source) -> list[Example]:
    """Read a file of JSON lines.

    Raises:
        ValueError: a line is no such object, or misspells a field; names the line, the field and the remedy.
    """
    return [_example(line, f"{path}, line {number}") for number, line in numbered_lines(path)]


def _example(line: str, place: str) -> Example:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{place}: not valid JSON ({error}); put one object on each line") from error
    if isinstance(row, dict) and (problem := misspelt_field(tuple(row), _FIELDS)):
        raise ValueError(f"{place}: {problem}")
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise ValueError(f"{place}: field 'text' is missing; give the text that the offsets count in")
    entities = _rows(row, "entities", place)
    spans = [_span(entity, row["text"], f"{place}, entities[{n}]") for n, entity in enumerate(entities)]
    names = {entity.get("id", n): n for n, entity in enumerate(entities)}
    relations = tuple(
        _relation(relation, names, f"{place}, relations[{n}]")
        for n, relation in enumerate(_rows(row, "relations", place))
    )
    marked = None if "relations" in row else frozenset[str]()
    key = str(row.get("id", ""))
    return Example(
        row["text"], tuple(sentences(row["text"])), tuple(spans), relations=relations, marked_relations=marked, key=key
    )


def _rows(row: Mapping[str, Any], name: str, place: str) -> list[dict[str, Any]]:
    rows = row.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(entry, dict) for entry in rows):
        raise ValueError(f"{place}: field {name!r}: expected a list of objects")
    return rows


def _span(entity: Mapping[str, Any], text: str, place: str) -> Span:
    start, end, label = entity.get("start"), entity.get("end"), entity.get("label")
    if not isinstance(start, int) or not isinstance(end, int) or not isinstance(label, str):
        raise ValueError(f"{place}: 'start', 'end' and 'label' are needed, two numbers and a name")
    if not 0 <= start < end <= len(text):
        raise ValueError(f"{place}: {start} to {end} is no span of a text of {len(text)} characters; count characters")
    return Span(start, end, frozenset({label}))


def _relation(relation: Mapping[str, Any], names: Mapping[Any, int], place: str) -> tuple[int, str, int]:
    label = relation.get("label")
    if not isinstance(label, str):
        raise ValueError(f"{place}: field 'label' is missing; name the relation")
    for side in ("head", "tail"):
        if relation.get(side) not in names:
            raise ValueError(f"{place}: field {side!r}: {relation.get(side)!r} is no entity's place or id in this line")
    return names[relation["head"]], label, names[relation["tail"]]
