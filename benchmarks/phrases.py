"""Measure what rules tell of Re-DocRED's gold mentions, beside its facts: the default schema's phrases, or addresses.

    pip install -e '.[train]'
    python -m benchmarks.phrases --data ../shared/data/open [--rule addresses] [--wrong]

The documents are those that train and tune the default bundle: the rules learned nothing from them. Its annotators
missed facts that a sentence plainly says; `--wrong` prints what counts as wrong here, to be read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from export_onnx.evaluation import Counts, total
from export_onnx.examples import Example
from export_onnx.formats import redocred
from transforms.addresses import addressed
from transforms.records import Analysis, Document, Mention, Relation
from transforms.schema import Schema, load_schema
from transforms.stating import Rule
from transforms.telling import tell

_DOCUMENTS = 450  # the 50 behind them are a test part
_RULES: dict[str, Rule] = {"phrases": tell, "addresses": addressed}


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of the data sets.")
@click.option("--rule", type=click.Choice([*_RULES]), default="phrases", show_default=True)
@click.option("--wrong", is_flag=True, help="Print the sentences of what the annotators do not say.")
def main(data: Path, rule: str, wrong: bool) -> None:
    """Count, by relation, what a rule tells and how much of it the annotators say too."""
    schema = load_schema()
    counts: dict[str, Counts] = defaultdict(Counts)
    rows = json.loads((data / "redocred" / "train_500docs.json").read_text(encoding="utf-8"))[:_DOCUMENTS]
    for example in map(redocred.example, rows):
        facts = {(fact.head, fact.relation, fact.tail) for fact in example.facts}
        told = dict(_told(example, schema, _RULES[rule]))
        for fact, sentence in told.items():
            counts[fact[1]].add(int(fact in facts), 1, 0)
            if wrong and fact not in facts:
                click.echo(f"{fact[1]}: {sentence}")
    for name, row in sorted(counts.items()):
        click.echo(f"{name:20} {row.right:4} of {row.found:4}")
    everything = total(counts.values())
    click.echo(f"{'all':20} {everything.right:4} of {everything.found:4}, {everything.scores()['precision']} %")


def _told(example: Example, schema: Schema, rule: Rule) -> Iterator[tuple[tuple[int, str, int], str]]:
    """(head entity, relation, tail entity), and the text from the first of both mentions to the second."""
    owner = {place: number for number, places in enumerate(example.entities) for place in places}
    mentions = []
    for span in example.spans:
        sentence = next(n for n, (begin, stop) in enumerate(example.sentences) if begin <= span.start < stop)
        text = example.text[span.start : span.end]
        mentions.append(Mention(span.start, span.end, min(span.types), text, 1.0, sentence))
    document = Document("", "", "txt", "", "en", example.text)
    analysis = Analysis(document, tuple(example.sentences), tuple(mentions), (), "gold")
    for relation in _by_type(analysis, schema, rule, [sorted(span.types) for span in example.spans]):
        head, tail = mentions[relation.head], mentions[relation.tail]
        text = example.text[min(head.start, tail.start) : max(head.end, tail.end)]
        yield (owner[head.start, head.end], relation.name, owner[tail.start, tail.end]), " ".join(text.split())


def _by_type(analysis: Analysis, schema: Schema, rule: Rule, types: list[list[str]]) -> list[Relation]:
    """What is told where a mention of several types (Re-DocRED's MISC) may be any of them."""
    found: list[Relation] = []
    for choice in range(max(map(len, types), default=0)):
        chosen = {m: options[min(choice, len(options) - 1)] for m, options in enumerate(types)}
        found += rule(analysis, chosen, schema)
    return found


if __name__ == "__main__":
    main()
