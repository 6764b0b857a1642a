"""Training data: each set's reader turns its files into `Example`s with the default schema's types.

The sets mark different things. An example says which types and relations its set does not mark, and which
spans are only half known, so that the loss can marginalise over what is open (see `crf`, `training`).
Formats, licences and sources: the data folder's README.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export_onnx import redocred
from export_onnx.examples import ENTITY_TYPES, Example, Span, detokenized
from transforms.records import VALUE_TYPES


@dataclass(frozen=True, slots=True)
class DataSet:
    """A set's examples by part, and what the manifest says of it."""

    name: str
    licence: str
    source: str
    train: list[Example]
    dev: list[Example]


Labels = dict[str, frozenset[str]]


def _labels(**types: str) -> Labels:
    """Type → the set's own labels for it, turned around. A label may be named under several types."""
    found: dict[str, set[str]] = {}
    for name, labels in types.items():
        for label in labels.split():
            found.setdefault(label, set()).add(name)
    return {label: frozenset(names) for label, names in found.items()}


# What a set's own label means here; a label under several types is open between them.
CROSSNER = _labels(
    Person="person politician researcher writer scientist musicalartist",
    Organisation="organisation politicalparty university band",
    Location="location country",
    Event="election event conference misc",
    Product="product programlang misc",
    Other="book poem magazine song album academicjournal award misc",
)
WNUT17 = _labels(
    Person="person", Location="location", Organisation="corporation group", Product="product", Other="creative-work"
)
COARSE = _labels(Person="PER", Organisation="ORG", Location="LOC", Product="MISC", Event="MISC", Other="MISC")
RE3D = _labels(
    Person="Person",
    Organisation="Organisation",
    Location="Location Nationality",
    Date="Temporal",
    Money="Money",
    Number="Quantity",
    Product="Weapon MilitaryPlatform Vehicle",
    Other="Nationality DocumentReference",
)
RE3D_RELATIONS = {
    "CommWith": ("COMMUNICATED_WITH", False),
    "CoLocated": ("LOCATED_IN", False),
    "BelongsTo": ("MEMBER_OF", False),
    "InChargeOf": ("LED_BY", True),
}


def load(root: Path) -> list[DataSet]:
    """Every set of `root` (the folder `open/`), split into train and dev parts.

    Raises:
        ValueError: `root` is no folder, or a line of a set is malformed; says which.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; name the one that holds the training sets with --data")
    return [
        _redocred(root / "redocred"),
        _re3d(root / "re3d"),
        _crossner(root / "crossner"),
        _wnut17(root / "wnut17"),
        _btc(root / "btc"),
        _sec_filings(root / "sec_filings"),
    ]


def _redocred(folder: Path) -> DataSet:
    documents = json.loads((folder / "train_500docs.json").read_text(encoding="utf-8"))
    # The last 50 are kept for a later test and are never read here; the 50 before them tune.
    train, dev = documents[:400], documents[400:450]
    return DataSet(
        "redocred",
        "MIT",
        "Re-DocRED (Tan et al. 2022)",
        [redocred.example(document) for document in train],
        [redocred.example(document) for document in dev],
    )


def _crossner(folder: Path) -> DataSet:
    unmarked = VALUE_TYPES

    def read(part: str) -> list[Example]:
        return [
            example
            for path in sorted(folder.glob(f"*/{part}.txt"))
            for example in conll(path, CROSSNER, unmarked, one_document=False)
        ]

    return DataSet("crossner", "MIT", "CrossNER (Liu et al. 2021), text from Wikipedia", read("train"), read("dev"))


def _wnut17(folder: Path) -> DataSet:
    unmarked = VALUE_TYPES | {"Event", "Other"}
    parts = [conll(folder / f"{part}.conll", WNUT17, unmarked, one_document=False) for part in ("train", "dev")]
    return DataSet("wnut17", "CC-BY 4.0", "WNUT 2017 (Derczynski et al. 2017)", *parts)


def _btc(folder: Path) -> DataSet:
    unmarked = frozenset(ENTITY_TYPES) - {"Person", "Organisation", "Location"}
    train = [
        example for part in "befg" for example in conll(folder / f"{part}.conll", COARSE, unmarked, one_document=False)
    ]
    dev = conll(folder / "a.conll", COARSE, unmarked, one_document=False)
    return DataSet("btc", "CC-BY 4.0", "Broad Twitter Corpus (Derczynski et al. 2016), part a is dev", train, dev)


def _sec_filings(folder: Path) -> DataSet:
    unmarked = VALUE_TYPES
    # "Borrower" and "Lender" are tagged as persons there: roles, not names. They are left open.
    roles = frozenset({"borrower", "lender"})
    documents = conll(folder / "train_FIN5.txt", COARSE, unmarked, one_document=True, not_names=roles)
    dev = [document for index, document in enumerate(documents) if index % 5 == 4]
    train = [document for index, document in enumerate(documents) if index % 5 != 4]
    return DataSet("sec_filings", "CC-BY 3.0", "SEC credit agreements (Salinas Alvarado et al. 2015)", train, dev)


def _re3d(folder: Path) -> DataSet:
    train: list[Example] = []
    dev: list[Example] = []
    for path in sorted(folder.glob("*/documents.jsonl")):
        mentions = _by_document(path.parent / "entities.jsonl")
        relations = _by_document(path.parent / "relations.jsonl")
        for document in _json_lines(path):
            key = document["_id"]
            example = _re3d_example(document["text"], mentions.get(key, []), relations.get(key, []))
            (dev if zlib.crc32(key.encode()) % 5 == 0 else train).append(example)
    licence = "Open Government Licence, CC-BY 3.0 AU and US public domain, by source"
    return DataSet("re3d", licence, "re3d (Dstl 2017); a fifth of the documents, by hash, is dev", train, dev)


def _re3d_example(text: str, entities: Sequence[dict[str, Any]], links: Sequence[dict[str, Any]]) -> Example:
    spans: dict[tuple[int, int], Span] = {}
    for entity in entities:
        types = RE3D.get(entity["type"])
        start, end = int(entity["begin"]), int(entity["end"])
        if not types or end <= start:
            continue
        start = _skip_article(text, start, end)
        named = any(c.isupper() or c.isdigit() for c in text[start:end]) or types & VALUE_TYPES
        spans[int(entity["begin"]), int(entity["end"])] = Span(start, end, types, bool(named))
    kept = _without_overlaps(spans.values())
    index = {(span.start, span.end): i for i, span in enumerate(kept)}
    relations = []
    for link in links:
        mapped = RE3D_RELATIONS.get(link["type"])
        ends = [spans.get((int(link[f"{side}Begin"]), int(link[f"{side}End"]))) for side in ("source", "target")]
        if mapped and all(ends):
            name, swapped = mapped
            head, tail = (index.get((end.start, end.end)) for end in ends if end)
            if head is not None and tail is not None:
                relations.append((tail, name, head) if swapped else (head, name, tail))
    marked = frozenset(name for name, _ in RE3D_RELATIONS.values())
    return Example(text, (), tuple(kept), frozenset({"Event", "Other"}), tuple(relations), (), marked)


def _skip_article(text: str, start: int, end: int) -> int:
    for article in ("the ", "The ", "a ", "A ", "an "):
        if text.startswith(article, start) and start + len(article) < end:
            return start + len(article)
    return start


def _without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """Longest spans first; a span that overlaps a kept one is dropped. No order of hashes decides a tie."""
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda s: (s.start - s.end, s.start, sorted(s.types))):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda s: s.start)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def _by_document(path: Path) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in _json_lines(path):
        rows.setdefault(row["documentId"], []).append(row)
    return rows


def conll(
    path: Path,
    labels: Labels,
    unmarked: frozenset[str],
    *,
    one_document: bool,
    not_names: frozenset[str] = frozenset(),
) -> list[Example]:
    """Read CoNLL columns (token first, tag last; IOB1 or BIO).

    A label that `labels` does not name leaves its words open between O and `Other`. With `one_document`,
    -DOCSTART- lines end an example of many sentences; without, each sentence is an example.

    Raises:
        ValueError: a line has no tag; says which.
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
            raise ValueError(f"{path}, line {number}: a token and its tag are needed, found {line!r}")
        else:
            sentence.append((columns[0], columns[-1]))
    groups = documents if one_document else [[sentence] for document in documents for sentence in document]
    return [_conll_example(group, labels, unmarked, not_names) for group in groups if group]


def _conll_example(
    sentences: Sequence[Sequence[tuple[str, str]]],
    labels: Labels,
    unmarked: frozenset[str],
    not_names: frozenset[str],
) -> Example:
    text, bounds, words = detokenized([[token for token, _ in sentence] for sentence in sentences])
    spans: list[Span] = []
    for sentence, offsets in zip(sentences, words, strict=True):
        for first, last, label in tagged_spans([tag for _, tag in sentence]):
            types = labels.get(label, frozenset({"Other"}))
            start, end = offsets[first][0], offsets[last - 1][1]
            known = label in labels and text[start:end].lower() not in not_names
            spans.append(Span(start, end, types, known))
    return Example(text, tuple(bounds), tuple(spans), unmarked, (), (), frozenset())


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
