"""Real parts, made once: the shipped bundle, the default schema, an embedded graph, and a run over the samples."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium import webdriver

from kg_sink import server
from kg_sink.migrations import prepare
from transforms.bundle import Bundle, load_bundle
from transforms.linking import Linker, make_linker
from transforms.records import Analysis, Document, Mention, Relation
from transforms.register import load_register
from transforms.resolving import resolve
from transforms.schema import Schema, load_schema
from transforms.segmenting import sentences
from transforms.sentence_encoder import SentenceEncoder, load_sentence_encoder
from transforms.stating import Rule, state

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"


@pytest.fixture(scope="session")
def schema() -> Schema:
    return load_schema()


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle()


@pytest.fixture(scope="session")
def encoder() -> SentenceEncoder:
    return load_sentence_encoder()


@pytest.fixture(scope="session")
def linker(schema: Schema, encoder: SentenceEncoder) -> Linker:
    return make_linker(load_register(SAMPLES / "register.csv", schema), encoder)


def analysis(text: str, names: list[tuple[str, str]], relations: tuple[Relation, ...] = ()) -> Analysis:
    """An analysis in which each name is mentioned at its next place in the text."""
    spans = sentences(text)
    mentions, position = [], 0
    for name, kind in names:
        start = text.index(name, position)
        position = start + len(name)
        sentence = next(i for i, (a, b) in enumerate(spans) if a <= start < b)
        mentions.append(Mention(start, position, kind, name, 0.9, sentence))
    return Analysis(Document("doc-1", "a.txt", "txt", "a", "en", text), tuple(spans), tuple(mentions), relations, "m@1")


_MARKED = re.compile(r"<(\w+):(.*?)>")


def analysed(marked: str) -> Analysis:
    """An analysis of a text whose mentions are marked: `<Place:Bergen>`."""
    return analysis(_MARKED.sub(r"\2", marked), [(name, kind) for kind, name in _MARKED.findall(marked)])


def told_by(rule: Rule, marked: str, schema: Schema) -> list[tuple[str, str, str]]:
    """(head, relation, tail) of what a rule tells of marked mentions."""
    made = analysed(marked)
    found = rule(made, {number: mention.type for number, mention in enumerate(made.mentions)}, schema)
    return [(made.mentions[r.head].text, r.name, made.mentions[r.tail].text) for r in found]


def pairs_told_by(rule: Rule, relation: str, marked: str, schema: Schema) -> list[tuple[str, str]]:
    """(head, tail) of what a rule tells, which has to be of one relation."""
    found = told_by(rule, marked, schema)
    assert all(name == relation for _, name, _ in found)
    return [(head, tail) for head, _, tail in found]


def stated(made: Analysis, schema: Schema) -> set[str]:
    """ "Ann Lee EMPLOYER Acme" of each statement that an analysis comes to."""
    resolved = resolve(made, schema)
    names = {entity.id: entity.name for entity in resolved.entities}
    return {f"{names[s.head]} {s.relation} {names[s.tail]}" for s in state(resolved, schema).statements}


@dataclass(frozen=True)
class Ran:
    """A finished `tripleflow` command."""

    code: int
    out: str
    err: str


def tripleflow(*arguments: str, cwd: Path) -> Ran:
    """Run the command line as a user does, in a process of its own."""
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Connection]:
    """An empty embedded graph, with its constraints."""
    folder = tmp_path_factory.mktemp("graph") / "kg"
    connection = server.start(folder).connection
    prepare(connection)
    yield connection
    server.wipe(folder)


@dataclass(frozen=True)
class SampleRun:
    """`tripleflow run samples/documents`, once."""

    folder: Path
    graph: Path
    tables: Path
    ran: Ran


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleRun]:
    folder = tmp_path_factory.mktemp("samples")
    graph, tables = folder / "kg", folder / "tables"
    ran = tripleflow(
        "run", str(SAMPLES / "documents"), "--register", str(SAMPLES / "register.csv"),
        "--graph", str(graph), "--parquet", str(tables), cwd=folder,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    yield SampleRun(folder, graph, tables, ran)
    server.wipe(graph)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A real browser that can reach no other machine."""
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no Chromium and ChromeDriver on this machine: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--window-size=1400,1000", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(argument)
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()
