"""Measure the sink: how fast it writes, whether it slows down or grows, and how it compares with other ways.

    python -m benchmarks.sink --statements 1000000 --entities 200000 --compare 20000 --graph /tmp/bench

The documents are generated; the graph is an embedded server of its own, in a new folder, which is wiped at the end.
Prints a Markdown table. Times are of writing alone: generating is not in them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click

from benchmarks import others
from benchmarks.generated import PER_DOCUMENT, batches, documents
from benchmarks.measuring import WARM_UP, Phase, measured, resident, spread
from kg_sink import server
from kg_sink.exporting import LABELS
from kg_sink.history import present
from kg_sink.migrations import prepare
from kg_sink.queries import run_query
from kg_sink.retracting import retract
from kg_sink.server import Connection
from transforms.records import Structured
from transforms.schema import Schema, load_schema

#: Documents a batch, for each way alike: 1,280 statements, about the half second that the pipeline's batches aim at.
BATCH = 64
#: Statements that each other way writes before it is timed, into the same server.
_WARMING = 2_000
_EVERY = 10

Way = Callable[[Connection, Schema], AbstractContextManager[others.Writer]]
WAYS: dict[str, Way] = {
    "sink": others.sink,
    "bare loop of MERGE": others.merging,
    "bare loop of CREATE": others.creating,
    "a MERGE a triple": others.plain,
    "neo4j-graphrag": others.graphrag,
}


@dataclass(frozen=True)
class Size:
    """How much is generated: statements, and the entities that they are drawn from."""

    statements: int
    entities: int
    seed: int

    def batches(self, documents_each: int = BATCH, seed: int | None = None) -> Iterator[list[Structured]]:
        """The documents in batches; with another seed, other documents."""
        count = -(-self.statements // PER_DOCUMENT)
        return batches(documents(count, self.seed if seed is None else seed, self.entities), documents_each)


@click.command(help=__doc__)
@click.option("--statements", default=1_000_000, show_default=True, help="How many the sink writes.")
@click.option("--entities", default=200_000, show_default=True, help="How many they are drawn from.")
@click.option("--compare", default=20_000, show_default=True, help="How many each way writes; 0 leaves it out.")
@click.option("--repeat", default=3, show_default=True, help="How often each way is measured, in turns.")
@click.option("--graph", type=click.Path(path_type=Path, file_okay=False), help="A new folder; by default a temporary.")
@click.option("--seed", default=1, show_default=True)
def main(statements: int, entities: int, compare: int, repeat: int, graph: Path | None, seed: int) -> None:
    """The command; its help is the module's."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = graph or Path(temporary)
        rows = long_run(folder / "kg", Size(statements, entities, seed)) if statements else []
        rows += comparison(folder / "kg", Size(compare, entities, seed), repeat) if compare else []
    click.echo("\n| measured | value |\n| --- | --- |")
    for name, value in rows:
        click.echo(f"| {name} | {value} |")


def long_run(folder: Path, size: Size) -> list[tuple[str, str]]:
    """Write, replay and retract; rows of the table.

    Raises:
        RuntimeError: the replay changed the graph.
    """
    schema = load_schema()
    with _server(folder) as started, others.sink(started.connection, schema) as write:
        new = _said(measured("new", size.batches(), write, started.pid))
        written = _counts(started.connection)
        replay = _said(measured("replay", size.batches(), write, started.pid))
        if _counts(started.connection) != written:
            raise RuntimeError(f"the replay changed the graph: {written} became {_counts(started.connection)}")
        bytes_used = ((status := server.status(folder)) and status.size) or 0
        every = (islice(batch, 0, None, _EVERY) for batch in size.batches(BATCH * _EVERY))
        gone = _said(
            measured("retraction", map(list, every), lambda batch: _retract(started.connection, batch), started.pid)
        )
        left = _counts(started.connection)
        rows = [row for phase in (new, replay, gone) for row in _phase_rows(phase)]
        return [
            *rows,
            ("graph", f"{bytes_used / 1e6:,.0f} MB on disk; {_listed(written)}"),
            ("graph after retraction", _listed(left)),
            ("writer's memory, most", f"{resident(peak=True):,.0f} MB"),
            ("server's memory, most", f"{resident(started.pid, peak=True):,.0f} MB"),
        ]


@dataclass(frozen=True)
class Result:
    """One way, once: statements a second, milliseconds of processor time a statement (both processes), what it made."""

    rate: float
    computed: float
    made: str


def comparison(folder: Path, size: Size, repeat: int) -> list[tuple[str, str]]:
    """Each way in turns, every time into a new server; rows of the table. What fails is n/a, with its error."""
    results: dict[str, list[Result]] = {name: [] for name in WAYS}
    errors: dict[str, str] = {}
    for turn in range(repeat):
        names = list(WAYS)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            try:
                results[name].append(_way(folder, name, size))
            except Exception as error:
                errors[name] = f"n/a: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
                click.echo(f"{name}: {errors[name]}")
            else:
                click.echo(f"{name}, {turn + 1} of {repeat}: {results[name][-1].rate:,.0f} statements/s")
    return [row for name in WAYS for row in _way_rows(name, results[name], errors.get(name), results["sink"])]


def _way_rows(name: str, results: list[Result], error: str | None, sink: list[Result]) -> list[tuple[str, str]]:
    """Rows of the table for one way. Ratios are of one turn each: other work of the machine falls on neighbours."""
    if error:
        return [(name, error)]
    rows = [
        (f"{name}: statements/s", f"{spread([r.rate for r in results])}; {results[-1].made}"),
        (f"{name}: processor time, ms a statement", spread([r.computed for r in results], 2)),
    ]
    pairs = list(zip(sink, results, strict=False)) if results is not sink else []
    if pairs:
        rows += [
            (f"sink / {name}, by the clock", spread([one.rate / other.rate for one, other in pairs], 2)),
            (f"sink / {name}, by processor time", spread([other.computed / one.computed for one, other in pairs], 2)),
        ]
    return rows


def _way(folder: Path, name: str, size: Size) -> Result:
    warming = Size(_WARMING, size.entities, size.seed)
    with _server(folder) as started, WAYS[name](started.connection, load_schema()) as write:
        # As many for each way, of other documents, so that what is timed is new to the graph.
        measured("warming", warming.batches(seed=size.seed + 1), write, started.pid)
        phase = measured(name, size.batches(), write, started.pid)
        count = "MATCH {} RETURN count(*) AS n"
        nodes, edges = (run_query(started.connection, count.format(kind))[0]["n"] for kind in ("(n)", "(a)-[r]->(b)"))
        return Result(phase.rate, phase.cost, f"{nodes:,} nodes, {edges:,} edges")


@contextmanager
def _server(folder: Path) -> Iterator[server.Started]:
    """A new server for a folder, with the sink's constraints, wiped afterwards."""
    started = server.start(folder)
    try:
        prepare(started.connection)
        yield started
    finally:
        server.wipe(folder)


def _retract(connection: Connection, batch: list[Structured]) -> None:
    retract(connection, [found.resolved.analysis.document.id for found in batch], present())


def _counts(connection: Connection) -> dict[str, int]:
    count = "MATCH (n:{}) RETURN count(n) AS n"
    return {label: run_query(connection, count.format(label))[0]["n"] for label in LABELS}


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {label}" for label, count in counts.items())


def _said(phase: Phase) -> Phase:
    click.echo(f"{time.strftime('%H:%M:%S')} {phase.name}: {phase.rate:,.0f} statements/s")
    return phase


def _phase_rows(phase: Phase) -> list[tuple[str, str]]:
    each = 1000 * statistics.median(phase.seconds)
    return [
        (
            f"{phase.name}: statements/s",
            f"{phase.rate:,.0f} ({phase.statements:,} statements of {phase.documents:,} documents, "
            f"{each:,.0f} ms the median batch)",
        ),
        (f"{phase.name}: processor time, ms a statement", f"{phase.cost:.2f}"),
        (
            f"{phase.name}: last tenth / first, after {WARM_UP:.0%} warm-up",
            f"{phase.slowdown(phase.seconds):.2f} by the clock, {phase.slowdown(phase.computed):.2f} by processor time",
        ),
        (f"{phase.name}: writer's memory, growth", f"{phase.growth:+,.1f} MB"),
    ]


if __name__ == "__main__":
    main()
