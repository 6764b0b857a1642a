"""Scores a run over samples/documents against samples/gold: entities, links and relations.

    python samples/score.py TABLES      the folder that `tripleflow run … --parquet TABLES` wrote

An entity is a distinct (spelling, type) of a document, dates and amounts by their value; a link is a spelling with
its register id; a relation is right if some gold relation of that name joins a spelling of its head with one of its
tail, either way round if the default schema says that it is symmetric.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from transforms.names import folded
from transforms.records import VALUE_TYPES
from transforms.schema import load_schema
from transforms.values import normalise

GOLD = Path(__file__).parent / "gold"
TYPES = frozenset({"Person", "Organisation", "Location", "Date", "Money", "Product", "Event"})
Row = dict[str, Any]


@dataclass
class Score:
    """Right, found and true numbers."""

    right: int = 0
    found: int = 0
    true: int = 0

    def add(self, found: set[Any], true: set[Any]) -> None:
        """Add a document's."""
        self.right += len(found & true)
        self.found += len(found)
        self.true += len(true)

    @property
    def f1(self) -> float:
        """F1, in per cent."""
        return 200.0 * self.right / (self.found + self.true) if self.found + self.true else 0.0

    def __str__(self) -> str:
        precision = 100 * self.right / self.found if self.found else 0.0
        recall = 100 * self.right / self.true if self.true else 0.0
        return f"precision {precision:.1f}, recall {recall:.1f}, F1 {self.f1:.1f} ({self.true} in gold)"


def score(tables: Path, gold: Path = GOLD) -> dict[str, Score]:
    """Scores by kind: `entities`, one a type, `links`, `relations`.

    Raises:
        ValueError: a gold document is not among the tables'.
    """
    documents = {row["uri"].split("/documents/")[-1]: row["id"] for row in _rows(tables, "documents")}
    mentions, statements = _by_document(_rows(tables, "mentions")), _by_document(_rows(tables, "statements"))
    scores: dict[str, Score] = defaultdict(Score)
    for path in sorted(gold.glob("*.json")):
        wanted = json.loads(path.read_text(encoding="utf-8"))
        if wanted["document"] not in documents:
            raise ValueError(f"{path}: field 'document': {wanted['document']} is not in {tables}; run all samples")
        key = documents[wanted["document"]]
        _score_document(scores, wanted, mentions[key], statements[key])
    return dict(scores)


def _score_document(scores: dict[str, Score], wanted: Row, mentions: list[Row], statements: list[Row]) -> None:
    found = {(_spelling(m["entity_type"], m["text"]), m["entity_type"]) for m in mentions if m["entity_type"] in TYPES}
    true = {(_spelling(e["type"], e["text"]), e["type"]) for e in wanted["entities"] if e["type"] in TYPES}
    scores["entities"].add(found, true)
    for kind in TYPES:
        scores[f"entities: {kind}"].add({f for f in found if f[1] == kind}, {t for t in true if t[1] == kind})
    linked = {(folded(m["text"]), m["register_id"]) for m in mentions if m["register_id"]}
    scores["links"].add(linked, {(folded(e["text"]), e["id"]) for e in wanted["entities"] if e["id"]})
    _score_relations(scores["relations"], wanted, mentions, statements)


def _score_relations(result: Score, wanted: Row, mentions: list[Row], statements: list[Row]) -> None:
    spellings: dict[str, set[str]] = defaultdict(set)
    for m in mentions:
        spellings[m["entity"]].add(_spelling(m["entity_type"], m["text"]))
    types = {folded(e["text"]): e["type"] for e in wanted["entities"]}

    def spelled(text: str) -> str:
        return _spelling(types.get(folded(text), ""), text)

    missed = {(spelled(r["head"]), r["relation"], spelled(r["tail"])) for r in wanted["relations"]}
    both_ways = {name for name, relation in load_schema().relations.items() if relation.symmetric}
    for s in statements:
        if s["relation"].startswith("SENT_"):
            continue  # read from headers, not in gold
        heads, tails = spellings[s["head"]], spellings[s["tail"]]
        met = {g for g in missed if g[1] == s["relation"] and g[0] in heads and g[2] in tails}
        if s["relation"] in both_ways:
            met |= {g for g in missed if g[1] == s["relation"] and g[0] in tails and g[2] in heads}
        missed -= met
        result.found += 1
        result.right += bool(met)
        # Gold may state one fact in several spellings: one statement meets them all and is one fact.
        result.true += bool(met)
    result.true += len(missed)


def _spelling(kind: str, text: str) -> str:
    value = normalise(kind, text) if kind in VALUE_TYPES else None
    return value.text if value else folded(text)


def _rows(tables: Path, name: str) -> list[Row]:
    rows: list[Row] = []
    for path in sorted(tables.glob(f"{name}-*.parquet")):
        rows += pq.read_table(path).to_pylist()
    return rows


def _by_document(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["document"]].append(row)
    return grouped


def main() -> None:
    """Print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    for name, found in sorted(score(parser.parse_args().tables).items()):
        print(f"  {name}: {found}")


if __name__ == "__main__":
    main()
