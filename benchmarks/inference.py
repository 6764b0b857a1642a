"""Measure how fast models read: ours, bare and through Beam, beside what people use today; same texts, same two cores.

    pip install -e '.[train,bench]'
    python -m benchmarks.inference --data ../shared/data --rounds 3

Two corpora: single sentences (CoNLL-2003's test part), and whole documents (Re-DocRED). Each contestant is a process
of its own that stays loaded; the rounds go through them in alternating order, so that a slow minute of the machine
falls on all of them. What is printed as a ratio is the median over rounds, with the least and the most.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import click

from benchmarks.contestants import CONTESTANTS, WARM, batches
from benchmarks.peak import arithmetic_peak, operations
from export_onnx.config import Part, Source
from export_onnx.formats.columns import conll
from export_onnx.formats.redocred import read as redocred
from transforms.bundle import DEFAULT_BUNDLE, load_bundle

NER = [name for name in CONTESTANTS if "all heads" not in name]
WHOLE = ["ours, NER", "ours, all heads", "ours, all heads, Beam", "spaCy sm, NER", "spaCy sm, NER, 2 processes"]


class Contestant:
    """A process that reads texts when told to. `first` is seconds from its start to the first result."""

    def __init__(self, name: str, bundle: str) -> None:
        begin = time.perf_counter()
        self.name = name
        self.peak = 0.0
        command = [sys.executable, "-m", "benchmarks.contestants", name, bundle]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.run([WARM])
        self.first = time.perf_counter() - begin

    def run(self, texts: Sequence[str]) -> dict[str, float]:
        """Read texts; seconds and what was found."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"texts": texts}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise click.ClickException(
                f"{self.name}: ended with {self._process.wait()}; is the extra `bench` installed?"
            )
        answer: dict[str, float] = json.loads(line)
        self.peak = answer["peak"]
        return answer

    def __enter__(self) -> Contestant:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()


@dataclass
class Table:
    """Rates (texts a second) by contestant, a value a round."""

    corpus: str
    texts: int
    subtokens: int
    rates: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, one: str, other: str) -> list[float]:
        """Median, least and most of one's rate by the other's, round by round."""
        ratios = [a / b for a, b in zip(self.rates[one], self.rates[other], strict=True)]
        return [statistics.median(ratios), min(ratios), max(ratios)]


@click.command(help=__doc__)
@click.option(
    "--data", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of open/ and benchmark_only/."
)
@click.option("--bundle", default=str(DEFAULT_BUNDLE), help="The bundle that is measured.")
@click.option("--sentences", default=2000, show_default=True)
@click.option("--documents", default=200, show_default=True)
@click.option("--long", "many", default=2000, show_default=True, help="Documents of the comparison of Beam with bare.")
@click.option("--rounds", default=3, show_default=True)
def main(data: Path, bundle: str, sentences: int, documents: int, many: int, rounds: int) -> None:
    """Run all contests and print what came of them."""
    short, whole = _sentences(data)[:sentences], _documents(data)[:documents]
    repeated = [f"{text}\n\n{n}" for n, text in enumerate(whole * (many // max(1, len(whole)) + 1))][:many]
    tables = [
        _contest("sentences", short, NER, bundle, rounds),
        _contest("documents", whole, WHOLE, bundle, rounds),
        _contest("many documents", repeated, ["ours, all heads", "ours, all heads, Beam"], bundle, rounds),
    ]
    best = max(("spaCy sm, NER", "spaCy sm, NER, 2 processes"), key=lambda n: statistics.median(tables[0].rates[n]))
    click.echo("\nratios: median over rounds (least to most)")
    for table, one, other in [
        *((tables[0], "ours, NER", other) for other in NER if other != "ours, NER"),
        (tables[1], "ours, all heads", best),
        (tables[1], "ours, NER", best),
        (tables[2], "ours, all heads, Beam", "ours, all heads"),
    ]:
        middle, least, most = table.ratio(one, other)
        click.echo(f"{table.corpus:15} {one} by {other}: {middle:.2f} ({least:.2f} to {most:.2f})")
    _share_of_peak(short, statistics.median(tables[0].rates["ours, NER"]), bundle)


def _contest(corpus: str, texts: Sequence[str], names: Sequence[str], bundle: str, rounds: int) -> Table:
    table = Table(corpus, len(texts), _subtokens(bundle, texts), {name: [] for name in names})
    click.echo(f"\n{corpus}: {table.texts:,} texts, {table.subtokens:,} subtokens")
    contestants = [Contestant(name, bundle) for name in names]
    for number in range(rounds):
        for contestant in contestants if number % 2 == 0 else reversed(contestants):
            answer = contestant.run(texts)
            table.rates[contestant.name].append(len(texts) / answer["seconds"])
    click.echo(f"{'':28} {'texts/s':>9} {'subtokens/s':>12} {'peak MB':>8} {'s to first result':>18}")
    for contestant in contestants:
        with contestant:
            rate = statistics.median(table.rates[contestant.name])
            subtokens = rate * table.subtokens / table.texts
            click.echo(
                f"{contestant.name:28} {rate:9,.0f} {subtokens:12,.0f} {contestant.peak:8,.0f} {contestant.first:18.1f}"
            )
    return table


def _share_of_peak(texts: Sequence[str], rate: float, bundle: str) -> None:
    peaks = arithmetic_peak()
    loaded = load_bundle(bundle)
    needed = operations(loaded, batches(loaded, texts)) / len(texts)
    click.echo(
        "\narithmetic peak of two cores: the best of two ONNX Runtime sessions, side by side, on one large product"
    )
    for kind, peak in peaks.items():
        click.echo(f"{kind}: {peak / 1e9:,.0f} GOP/s; ours, NER, does {100 * rate * needed / peak:.0f} % of it")


def _sentences(data: Path) -> list[str]:
    source = Source("conll2003", "conll", Part(()))
    return [example.text for example in conll(data / "benchmark_only" / "conll2003" / "test.txt", source)]


def _documents(data: Path) -> list[str]:
    source = Source("redocred", "redocred", Part(()))
    return [example.text for example in redocred(data / "open" / "redocred" / "train_500docs.json", source)]


def _subtokens(bundle: str, texts: Sequence[str]) -> int:
    tokenizer = load_bundle(bundle).tokenizer
    return sum(len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False))


if __name__ == "__main__":
    main()
