"""Events: a trigger is a mention of the event's type, and each role a relation from the trigger to its argument."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from export_onnx.config import Source
from export_onnx.examples import Example, Span
from export_onnx.formats.lines import numbered_lines
from transforms.segmenting import sentences

_PLAIN = ("text", "start", "entity_id")


def phee(path: Path, source: Source) -> list[Example]:
    """Read PHEE's JSON lines (Sun et al. 2022): adverse and therapeutic events in medical abstracts.

    A role's sub-roles become roles of the event itself, `Treatment.Drug` for the drug of a treatment; an argument in
    several pieces gives one mention a piece. The event inside a role (`Combination`) is left out.

    Raises:
        ValueError: a line lacks a field; names it.
    """
    examples = []
    for number, line in numbered_lines(path):
        try:
            row = json.loads(line)
            events = [event for annotation in row["annotations"] for event in annotation["events"]]
            examples.append(_example(row["context"], (list(_phee_event(event)) for event in events), row["id"]))
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not PHEE's format ({error!r})") from error
    return examples


#: role, label, start, end; the trigger comes first.
_Argument = tuple[str, str, int, int]


def _phee_event(event: Mapping[str, Any]) -> Iterator[_Argument]:
    for start, end in _pieces(event["Trigger"]):
        yield "", event["event_type"], start, end
    for role, argument in event.items():
        if role == "Trigger" or not isinstance(argument, dict):
            continue
        for start, end in _pieces(argument):
            yield role, role, start, end
        for name, inner in argument.items():
            if isinstance(inner, dict) and name not in _PLAIN:
                for start, end in _pieces(inner):
                    yield f"{role}.{name}", name, start, end


def _pieces(argument: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for texts, starts in zip(argument["text"], argument["start"], strict=True):
        for text, start in zip(texts, starts, strict=True):
            yield start, start + len(text)


def casie(path: Path, source: Source) -> list[Example]:
    """Read one of CASIE's files (Satyapanich et al. 2020): events in news of cyber security.

    Raises:
        ValueError: the file lacks a field; names it.
    """
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        hoppers = (row.get("cyberevent") or {}).get("hopper") or []
        events = [list(_casie_event(event)) for hopper in hoppers for event in hopper["events"]]
        return [_example(row["content"], events, path.stem)]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: not CASIE's format ({error!r})") from error


def _casie_event(event: Mapping[str, Any]) -> Iterator[_Argument]:
    nugget = event["nugget"]
    yield "", event["subtype"], nugget["startOffset"], nugget["endOffset"]
    for argument in event.get("argument") or ():
        yield argument["role"]["type"], argument["type"], argument["startOffset"], argument["endOffset"]


def _example(text: str, events: Any, key: str) -> Example:
    spans: dict[Span, int] = {}
    relations: list[tuple[int, str, int]] = []
    for arguments in events:
        triggers: list[int] = []
        for role, label, start, end in arguments:
            place = spans.setdefault(Span(start, end, frozenset({label})), len(spans))
            if not role:
                triggers.append(place)
            else:
                relations += [(trigger, role, place) for trigger in triggers[:1]]
    # The same trigger may be listed twice; a relation counts once.
    return Example(
        text,
        tuple(sentences(text)),
        tuple(spans),
        relations=tuple(dict.fromkeys(relations)),
        marked_relations=None,
        key=key,
    )
