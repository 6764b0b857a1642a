"""Kill things, and see whether the graph is the one that an undisturbed run makes.

    python -m benchmarks.faults --rounds 100

A round runs `tripleflow run` into a new graph; at a random moment one fault strikes. Then the same command is run
again until it ends well, as its user would, and the canonical export is compared with that of an undisturbed run.
Rounds take turns between the samples and generated documents. Exits with 1 when a round differs.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import pyarrow.parquet as pq

from benchmarks.cuttable import Cuttable
from benchmarks.generated import texts
from kg_sink import server
from kg_sink.connection import resolve_target
from kg_sink.exporting import canonical_export

ROOT = Path(__file__).parent.parent
#: How often a command is tried again after a fault; it should need one.
_TRIES = 4
_STATEMENTS = 6  # of a generated document: a page or so
_FULL_AT = (20_000, 200_000)  # bytes that a full disk still takes


@dataclass(frozen=True)
class Corpus:
    """What a round runs over, and what an undisturbed run makes of it, in how many seconds."""

    name: str
    arguments: tuple[str, ...]
    export: list[str] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Place:
    """A round's folder: its graph, tables and dead letters, and the command over them."""

    def __init__(self, folder: Path, corpus: Corpus) -> None:
        self.folder, self.corpus = folder, corpus
        self.graph, self.tables = folder / "kg", folder / "tables"

    def start(
        self, *, target: str | None = None, environment: dict[str, str] | None = None, limit: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start the job; `limit` is the size that no file of it may pass (bytes)."""
        command = [sys.executable, "-m", "pipelines.cli", "run", *self.corpus.arguments]
        command += ["--graph", target or str(self.graph), "--parquet", str(self.tables)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
                start_new_session=True,
                preexec_fn=_limited(limit) if limit else None,
            )

    def complete(self) -> int:
        """Run until it ends well; how many tries that took."""
        for number in range(1, _TRIES + 1):
            if self.start().wait() == 0:
                return number
        raise RuntimeError(f"the job failed {_TRIES} times; see {self.folder / 'log'}")

    def export(self) -> list[str]:
        """What the graph holds."""
        return canonical_export(resolve_target(str(self.graph)))

    def rows(self) -> dict[str, int]:
        """Rows of each table."""
        counts: Counter[str] = Counter()
        for path in self.tables.glob("*.parquet"):
            counts[path.name.partition("-")[0]] += pq.read_metadata(path).num_rows
        return dict(counts)


Fault = Callable[[Place, random.Random], None]


def _limited(limit: int) -> Callable[[], None]:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return limited


def _moment(place: Place, chance: random.Random, job: subprocess.Popen[bytes]) -> None:
    """Wait for a random moment of the job's time, or until it has ended."""
    with suppress(subprocess.TimeoutExpired):
        job.wait(chance.uniform(0, place.corpus.seconds))


def kill_pipeline(place: Place, chance: random.Random) -> None:
    """SIGKILL to the job and all its processes."""
    job = place.start()
    _moment(place, chance, job)
    with suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGKILL)
    job.wait()


def kill_server(place: Place, chance: random.Random) -> None:
    """SIGKILL to the graph server while the job runs."""
    job = place.start()
    _moment(place, chance, job)
    running = server.status(place.graph)
    if running:
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGKILL)
    job.wait()


def cut_connection(place: Place, chance: random.Random) -> None:
    """The network to the graph is cut, and restored after a while."""
    connection = server.start(place.graph).connection
    host, _, port = connection.uri.removeprefix("bolt://").partition(":")
    relay = Cuttable(host, int(port))
    environment = {"NEO4J_USERNAME": connection.user, "NEO4J_PASSWORD": connection.password}
    environment["NEO4J_DATABASE"] = connection.database
    job = place.start(target=f"bolt://127.0.0.1:{relay.port}", environment=environment)
    _moment(place, chance, job)
    relay.cut()
    with suppress(subprocess.TimeoutExpired):
        job.wait(chance.uniform(0.5, 8))
    relay.restore()
    job.wait()
    relay.close()


def fill_disk(place: Place, chance: random.Random) -> None:
    """No file of the job can grow over some size, as on a disk that is full: the tables, in the first place."""
    server.start(place.graph)  # its files may grow: the fault is the tables'
    place.start(limit=chance.randint(*_FULL_AT)).wait()


def start_twice(place: Place, chance: random.Random) -> None:
    """The same job twice at once, as two schedulers do it."""
    first = place.start()
    with suppress(subprocess.TimeoutExpired):
        first.wait(chance.uniform(0, place.corpus.seconds / 2))
    second = place.start()
    first.wait()
    second.wait()


FAULTS: tuple[Fault, ...] = (kill_pipeline, kill_server, cut_connection, fill_disk, start_twice)


@contextmanager
def placed(corpus: Corpus) -> Iterator[Place]:
    """A new place for a round; everything is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tripleflow-faults-"))
    try:
        yield Place(folder, corpus)
    finally:
        if (folder / "kg").exists():
            server.wipe(folder / "kg")
        shutil.rmtree(folder)


def undisturbed(corpus: Corpus) -> Corpus:
    """The corpus, with what a run makes of it when nothing happens."""
    with placed(corpus) as place:
        begin = time.monotonic()
        place.complete()
        return replace(corpus, seconds=time.monotonic() - begin, export=place.export(), tables=place.rows())


def one_round(corpus: Corpus, fault: Fault, chance: random.Random) -> str:
    """A round: empty if the graph and the tables are those of an undisturbed run, else what differs."""
    with placed(corpus) as place:
        fault(place, chance)
        place.complete()
        found, rows = place.export(), place.rows()
    if found != corpus.export:
        missing, more = set(corpus.export) - set(found), set(found) - set(corpus.export)
        return f"{len(missing)} lines missing, {len(more)} too many: {[*sorted(missing), *sorted(more)][:2]}"
    return "" if rows == corpus.tables else f"tables hold {rows}, not {corpus.tables}"


@click.command()
@click.option("--rounds", default=100, show_default=True)
@click.option("--documents", default=500, show_default=True, help="Generated documents.")
@click.option("--seed", default=1, show_default=True)
def main(rounds: int, documents: int, seed: int) -> None:
    """Run the rounds; exit with 1 when one differs."""
    chance = random.Random(seed)
    differing = 0
    with tempfile.TemporaryDirectory(prefix="tripleflow-generated-") as folder:
        texts(Path(folder), documents, seed, documents, _STATEMENTS)
        samples = (str(ROOT / "samples" / "documents"), "--register", str(ROOT / "samples" / "register.csv"))
        corpora = [undisturbed(Corpus("samples", samples)), undisturbed(Corpus("generated", (folder,)))]
        for corpus in corpora:
            print(f"{corpus.name}: {len(corpus.export)} nodes and edges in {corpus.seconds:.0f} s", flush=True)
        struck: Counter[str] = Counter()
        for number in range(rounds):
            corpus, fault = corpora[number % 2], FAULTS[number // 2 % len(FAULTS)]
            difference = one_round(corpus, fault, chance)
            struck[fault.__name__] += 1
            differing += bool(difference)
            print(f"{number + 1}: {corpus.name}, {fault.__name__}: {difference or 'equal'}", flush=True)
    shown = ", ".join(f"{name} {count}" for name, count in sorted(struck.items()))
    print(f"{rounds - differing} of {rounds} rounds equal ({shown})")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
