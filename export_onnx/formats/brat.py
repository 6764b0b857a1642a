"""brat standoff (Stenetorp et al. 2012): `a.ann` annotates `a.txt`, beside it.

T lines are mentions, R lines relations, E lines events: their trigger is a mention, each role a relation from the
trigger to its argument (to the argument's trigger, if that is an event). Other lines (notes, attributes, equivalences)
are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from export_onnx.config import Source
from export_onnx.examples import Example, Span
from export_onnx.formats.lines import numbered_lines
from transforms.segmenting import sentences


def read(path: Path, source: Source) -> list[Example]:
    """Read one `.ann` file and the text beside it.

    Raises:
        ValueError: the text is missing, or a line is malformed; names the line and the remedy.
    """
    text_file = path.with_suffix(".txt")
    if path.suffix != ".ann" or not text_file.is_file():
        raise ValueError(f"{path}: expected an .ann file with its .txt beside it; give a pattern such as 'data/*.ann'")
    # Offsets count the characters of the file as it is: no line end is translated.
    text = text_file.read_bytes().decode("utf-8")
    lines = [(f"{path}, line {number}", line) for number, line in numbered_lines(path)]
    names: dict[str, int] = {}
    spans: list[Span] = []
    for place, line in lines:
        if line.startswith("T"):
            names[line.split("\t")[0]] = len(spans)
            spans.append(_mention(line, text, place))
    events = {line.split("\t")[0]: _arguments(line, place)[0][1] for place, line in lines if line.startswith("E")}
    relations = tuple(_relations(lines, names, events))
    return [
        Example(text, tuple(sentences(text)), tuple(spans), relations=relations, marked_relations=None, key=path.stem)
    ]


def _mention(line: str, text: str, place: str) -> Span:
    columns = line.split("\t")
    words = columns[1].replace(";", " ").split() if len(columns) == 3 else []
    if len(words) < 3 or not all(word.isdigit() for word in words[1:]):
        raise ValueError(f"{place}: expected 'T1<TAB>Type start end<TAB>text', found {line!r}")
    # A mention in several pieces is taken from the first to the last of them.
    start, end = int(words[1]), int(words[-1])
    whole = len(words) > 3 or "".join(text[start:end].split()) == "".join(columns[2].split())
    if not 0 <= start < end <= len(text) or not whole:
        raise ValueError(
            f"{place}: the text has {text[start:end]!r} at {start} to {end}, not {columns[2]!r}; "
            "offsets count the characters of the .txt file"
        )
    return Span(start, end, frozenset({words[0]}))


def _arguments(line: str, place: str) -> list[tuple[str, str]]:
    """(role, id) of an R or E line; of an event, its type and trigger first."""
    columns = line.split("\t")
    pairs = [part.split(":") for part in columns[1].split()] if len(columns) > 1 else []
    if columns[0].startswith("R"):
        pairs = [["", pairs[0][0]], *pairs[1:]] if pairs else []
    if len(pairs) < (3 if columns[0].startswith("R") else 1) or any(len(pair) != 2 for pair in pairs):
        wanted = "'R1<TAB>Type Arg1:T1 Arg2:T2'" if line.startswith("R") else "'E1<TAB>Type:T1 Role:T2'"
        raise ValueError(f"{place}: expected {wanted}, found {line!r}")
    return [(role, name) for role, name in pairs]


def _relations(
    lines: Iterable[tuple[str, str]], names: dict[str, int], events: dict[str, str]
) -> Iterable[tuple[int, str, int]]:
    for place, line in lines:
        if not line.startswith(("R", "E")):
            continue
        first, *rest = _arguments(line, place)
        ends = [name for _, name in rest] if line.startswith("R") else [first[1], *(name for _, name in rest)]
        mentions = []
        for name in ends:
            name = events.get(name, name)
            if name not in names:
                raise ValueError(f"{place}: {name!r} is no T line of this file; add it or drop the line")
            mentions.append(names[name])
        if line.startswith("R"):
            yield mentions[0], first[1], mentions[1]
        else:
            for (role, _), argument in zip(rest, mentions[1:], strict=True):
                # brat numbers the arguments of a role that has several: Theme, Theme2.
                yield mentions[0], role.rstrip("0123456789"), argument
