"""Measure what is found: people, organisations and places, by the shipped bundle and by spaCy's small model.

    pip install -e '.[train,bench]'
    python -m benchmarks.accuracy --data ../shared/data/open

The texts are the dev parts of the default bundle's data sets. Exact span and type count. What a set leaves open
(nationalities, roles) counts neither way. spaCy's GPE, LOC and FAC are places, and its spans lose a leading article, as
the sets mark names without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from benchmarks.contestants import load_spacy
from export_onnx.config import read_recipe
from export_onnx.data import load_part
from export_onnx.evaluation import Counts
from export_onnx.examples import Example, LabelSpace
from transforms.bundle import load_bundle
from transforms.extracting import extract

CONFIG = Path(__file__).parent.parent / "export_onnx" / "configs" / "enterprise.yaml"
NAMED = frozenset({"Person", "Organisation", "Location"})
_SPACY = {"PERSON": "Person", "ORG": "Organisation", "GPE": "Location", "LOC": "Location", "FAC": "Location"}
#: Texts → of each, (start, end, type) of what was found.
Finder = Callable[[Sequence[str]], list[list[tuple[int, int, str]]]]


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of the data sets.")
@click.option("--bundle", help="The bundle that is measured; the default one without it.")
def main(data: Path, bundle: str | None) -> None:
    """Run both and print what they score."""
    recipe = read_recipe(CONFIG)
    space = LabelSpace(recipe.layers, recipe.relations)
    parts = load_part(recipe, data, "dev", space)
    finders = {"ours": ours(bundle), "spaCy sm": spacy()}
    click.echo(f"{'set':12} {'names':>6} " + " ".join(f"{name:>24}" for name in finders) + f" {'difference':>11}")
    for name, examples in parts:
        if name == "sec_filings":
            continue  # one document
        scores = [score(finder, examples).scores() for finder in finders.values()]
        cells = " ".join(f"P {s['precision']:5.1f} R {s['recall']:5.1f} F1 {s['f1']:4.1f}" for s in scores)
        click.echo(f"{name:12} {scores[0]['support']:6} {cells} {scores[0]['f1'] - scores[1]['f1']:+11.1f}")


def ours(bundle: str | None) -> Finder:
    """The bundle as the pipeline runs it."""
    loaded = load_bundle(bundle)
    return lambda texts: [
        [(m.start, m.end, m.type) for m in found.resolved.analysis.mentions] for found in extract(texts, loaded)
    ]


def spacy() -> Finder:
    """spaCy's small English model, all of it but what named entities do not need."""
    nlp = load_spacy()

    def find(texts: Sequence[str]) -> list[list[tuple[int, int, str]]]:
        return [
            [
                (_start(span.start_char, span.text), span.end_char, _SPACY[span.label_])
                for span in doc.ents
                if span.label_ in _SPACY
            ]
            for doc in nlp.pipe(texts, batch_size=64)
        ]

    return find


def _start(start: int, text: str) -> int:
    return start + len("the ") * text.lower().startswith("the ")


def score(finder: Finder, examples: Sequence[Example]) -> Counts:
    """Counts of exact spans of the three types."""
    counts = Counts()
    for example, found in zip(examples, finder([example.text for example in examples]), strict=True):
        gold = {(span.start, span.end): span for span in example.spans}
        sure = {place: span for place, span in gold.items() if span.known and span.types <= NAMED}
        unsure = [place for place, span in gold.items() if span.types & NAMED and place not in sure]
        counts.add(0, 0, len(sure))
        for start, end, name in found:
            if name not in NAMED:
                continue
            right = (start, end) in sure and name in sure[start, end].types
            if right or not any(start < b and a < end for a, b in unsure):
                counts.add(int(right), 1, 0)
    return counts


if __name__ == "__main__":
    main()
