"""CoNLL columns: a token a line, its tag last (IOB1 or BIO), a blank line between sentences."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from export_onnx.config import Source
from export_onnx.examples import Example, Span, detokenized


def conll(path: Path, source: Source) -> list[Example]:
    """Read columns, the token first and the tag last.

    With `source.documents`, -DOCSTART- lines end an example of many sentences; without, each sentence is an example.

    Raises:
        ValueError: a line has no tag, or one that is neither O nor B-… or I-…; says which.
    """
    documents: list[list[list[tuple[str, str]]]] = [[]]
    sentence: list[tuple[str, str]] = []
    for number, line in enumerate([*path.read_text(encoding="utf-8").split("\n"), ""], start=1):
        columns = line.split()
        if not columns:
            if sentence:
                documents[-1].append(sentence)
            sentence = []
        elif columns[0] == "-DOCSTART-":
            documents.append([])
        elif len(columns) == 1 and not line.split("\t")[0].strip():
            continue  # a blank as token: nothing to tag
        elif len(columns) < 2:
            raise ValueError(f"{path}, line {number}: a token and its tag are needed, found {line!r}; add the tag")
        elif not (columns[-1] == "O" or columns[-1][:2] in ("B-", "I-")) or len(columns[-1]) == 2:
            raise ValueError(
                f"{path}, line {number}: the last column has to be O, B-TYPE or I-TYPE, found {columns[-1]!r}; "
                "put the tag last"
            )
        else:
            sentence.append((columns[0], columns[-1]))
    groups = documents if source.documents else [[sentence] for document in documents for sentence in document]
    return [_tagged(group) for group in groups if group]


def _tagged(sentences: Sequence[Sequence[tuple[str, str]]]) -> Example:
    text, bounds, words = detokenized([[token for token, _ in sentence] for sentence in sentences])
    spans: list[Span] = []
    for sentence, offsets in zip(sentences, words, strict=True):
        for first, last, label in tagged_spans([tag for _, tag in sentence]):
            spans.append(Span(offsets[first][0], offsets[last - 1][1], frozenset({label})))
    return Example(text, tuple(bounds), tuple(spans))


def tagged_spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """(first, last + 1, label) of each span of IOB1 or BIO tags."""
    spans: list[tuple[int, int, str]] = []
    open_from, label = 0, ""
    for position, tag in enumerate([*tags, "O"]):
        inside = tag.startswith("I-") and tag[2:] == label
        if label and not inside:
            spans.append((open_from, position, label))
            label = ""
        if tag != "O" and not inside:
            open_from, label = position, tag[2:]
    return spans


def conll04(path: Path, source: Source) -> list[Example]:
    """Read CoNLL04: index, token, tag, relation names, index of each tail's last token (Roth and Yih 2004).

    A relation stands at the last token of its head.

    Raises:
        ValueError: a line has other columns, or a relation points at no entity; says which.
    """
    examples: list[Example] = []
    rows: list[tuple[str, str, list[str], list[int]]] = []
    for number, line in enumerate([*path.read_text(encoding="utf-8").split("\n"), "#"], start=1):
        if line.startswith("#") or not line.strip():
            if rows:
                examples.append(_related(rows, f"{path}, the sentence before line {number}"))
            rows = []
            continue
        columns = line.split("\t")
        if len(columns) != 5:
            raise ValueError(f"{path}, line {number}: five columns between tabs are needed, found {len(columns)}")
        rows.append((columns[1], columns[2], ast.literal_eval(columns[3]), ast.literal_eval(columns[4])))
    return examples


def _related(rows: Sequence[tuple[str, str, list[str], list[int]]], place: str) -> Example:
    text, bounds, (offsets,) = detokenized([[row[0] for row in rows]])
    spans: list[Span] = []
    by_last: dict[int, int] = {}
    for first, last, label in tagged_spans([row[1] for row in rows]):
        by_last[last - 1] = len(spans)
        spans.append(Span(offsets[first][0], offsets[last - 1][1], frozenset({label})))
    relations: list[tuple[int, str, int]] = []
    for position, (_, _, names, tails) in enumerate(rows):
        for name, tail in zip(names, tails, strict=True):
            if name == "N":
                continue
            if position not in by_last or tail not in by_last:
                raise ValueError(f"{place}: {name} joins words {position} and {tail}, where no entity ends")
            relations.append((by_last[position], name, by_last[tail]))
    return Example(text, tuple(bounds), tuple(spans), relations=tuple(relations), marked_relations=None)
