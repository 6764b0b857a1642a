"""Measure what pages cost: time, CPU, memory and graph, by the real job into a new embedded graph.

    python -m benchmarks.sizing --pages 1500

A page is a plain text of about 400 words: sentences of the samples, drawn at random from a seed. So what is said is
as in business documents, but the same few names come again and again; a real collection has more entities a page.
Prints what was measured, and what a million pages a day come to at that cost.
"""

from __future__ import annotations

import logging
import os
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
from apache_beam.options.pipeline_options import PipelineOptions

from kg_sink import server
from kg_sink.queries import run_query
from pipelines import structure
from pipelines.summary import totals
from transforms.reading import SUPPORTED, read_blob
from transforms.records import Blob, Document
from transforms.segmenting import sentences

SAMPLES = Path(__file__).parent.parent / "samples"
WORDS = 400  # of a page
_WARMING = 100  # pages that are not measured: what is loaded and compiled on first use
_DAY = 86_400  # seconds


@dataclass(frozen=True)
class Usage:
    """What a process used so far: CPU seconds, with its ended children's, and its peak of memory in bytes."""

    cpu: float
    peak: int


def usage(pid: int) -> Usage:
    """Read it from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return Usage(sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK"), peak * 1024)


def sample_sentences() -> list[str]:
    """The sentences of all samples that need no OCR, with at least five words."""
    found = []
    for path in sorted((SAMPLES / "documents").rglob("*")):
        if path.is_file() and SUPPORTED.get(path.suffix, "image") != "image":
            for item in read_blob(Blob(path.name, path.read_bytes())):
                if isinstance(item, Document) and not item.ocr:
                    found += [" ".join(item.text[start:end].split()) for start, end in sentences(item.text)]
    return [text for text in found if len(text.split()) >= 5]


def write_pages(folder: Path, first: int, count: int, drawn_from: list[str]) -> None:
    """Write pages number `first` and on; each depends on its number alone."""
    folder.mkdir()
    for number in range(first, first + count):
        chance = random.Random(number)
        page: list[str] = [f"Page {number}"]
        words = 0
        while words < WORDS:
            page.append(chance.choice(drawn_from))
            words += len(page[-1].split())
        (folder / f"page-{number:07}.txt").write_text("\n\n".join(page), encoding="utf-8")


def run(pages: Path, graph: Path) -> dict[str, dict[str, int]]:
    """Run the main job over a folder; returns its counts."""
    options = PipelineOptions([f"--input={pages}", f"--graph={graph}", f"--dead_letters={graph.parent / 'dead'}"])
    return totals(structure.run(options, structure.check(options)))


def bytes_of(folder: Path) -> int:
    """Bytes on the disk of all files below a folder."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Graph:
    """How much a graph holds."""

    nodes: int
    edges: int
    entities: int

    @classmethod
    def of(cls, connection: server.Connection) -> Graph:
        """Count."""
        queries = ("MATCH (n)", "MATCH ()-[n]->()", "MATCH (n:Entity)")
        return cls(*(run_query(connection, f"{query} RETURN count(n) AS n")[0]["n"] for query in queries))


@click.command()
@click.option("--pages", default=1_500, show_default=True, type=click.IntRange(1))
def main(pages: int) -> None:
    """Measure, print, wipe."""
    logging.basicConfig(level=logging.ERROR)
    drawn_from = sample_sentences()
    with tempfile.TemporaryDirectory(prefix="tripleflow-sizing-") as name:
        folder, graph = Path(name), Path(name) / "graph"
        write_pages(folder / "warming", 0, _WARMING, drawn_from)
        write_pages(folder / "pages", _WARMING, pages, drawn_from)
        started = server.start(graph)
        try:
            run(folder / "warming", graph)
            _measure(folder / "pages", graph, started, pages, len(drawn_from))
        finally:
            server.wipe(graph)


def _measure(folder: Path, graph: Path, started: server.Started, pages: int, sentences_known: int) -> None:
    before = usage(os.getpid()), usage(started.pid)
    begin = time.perf_counter()
    counted = run(folder, graph)
    seconds = time.perf_counter() - begin
    worker, served = usage(os.getpid()), usage(started.pid)
    held = Graph.of(started.connection)
    server.stop(graph)  # what is in memory only is written
    stored = bytes_of(graph / "databases") / (pages + _WARMING)
    done = sum(counted["documents"].values())
    cpu = [(after.cpu - earlier.cpu) / pages for after, earlier in zip((worker, served), before, strict=True)]
    statements = sum(counted["statements"].values())
    print(f"machine        {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the end")
    print(f"pages          {done:,} of {pages:,}, of {WORDS} words, from {sentences_known:,} sentences")
    print(f"time           {seconds:.0f} s, {pages / seconds:.1f} pages/s")
    print(f"CPU            worker {cpu[0]:.3f} s a page, graph server {cpu[1]:.3f} s a page")
    print(f"memory (peak)  worker {worker.peak / 1e6:.0f} MB, graph server {served.peak / 1e6:.0f} MB")
    print(f"graph          {stored / 1e3:.1f} kB a page; {held.nodes:,} nodes, {held.edges:,} edges")
    print(f"               {held.entities:,} entities, {statements / pages:.1f} statements a page")
    stages = {name: micros / 1e6 for name, micros in counted["microseconds"].items()}
    print("stages (s)     " + ", ".join(f"{name} {value:.0f}" for name, value in stages.items()))
    rate = 1e6 / _DAY
    print(f"a million pages a day are {rate:.1f} pages/s:")
    print(f"               {rate * cpu[0]:.1f} cores for workers, {rate * cpu[1]:.1f} cores for the graph")
    print(f"               {stored * 1e6 / 1e9:.1f} GB of graph for each million pages")


if __name__ == "__main__":
    main()
