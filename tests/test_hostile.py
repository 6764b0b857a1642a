"""Documents that mean harm: all is stored as it is written, and nothing of it is carried out."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from apache_beam.pvalue import TaggedOutput
from click.testing import CliRunner
from neo4j import GraphDatabase
from neo4j.exceptions import ServiceUnavailable, SessionExpired
from selenium import webdriver

from benchmarks.cuttable import Cuttable
from kg_sink import server
from kg_sink.connection import GraphError, open_driver
from kg_sink.migrations import prepare
from kg_sink.queries import find_entities, find_paths, run_query
from kg_sink.retracting import retract
from kg_sink.writing import WriteJob, _WriteDoFn, write
from pipelines.cli import cli, main, register_commands
from tests.conftest import tripleflow
from tests.hostile import FIRM, NAMES, WORDS, crowd, hostile, uri_of
from tests.test_graph_stays_right import SCHEMA, Both
from transforms.letter_box import read_letters
from transforms.matching import Match
from transforms.records import Structured
from transforms.resolving import resolve
from transforms.schema import RESERVED, Schema
from transforms.stating import state


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An embedded graph that holds all the hostile documents, beside the model of what it should hold."""
    folder = tmp_path_factory.mktemp("hostile") / "kg"
    connection = server.start(folder).connection
    prepare(connection)
    both = Both(connection)
    before = frame(connection)
    documents = [hostile(name, number, SCHEMA) for number, name in enumerate(NAMES)]
    for found in documents:
        both.model.write(found, False)
    put(both, documents)
    yield Served(folder, both, before)
    server.wipe(folder)


@dataclass
class Served:
    folder: Path
    both: Both
    before: dict[str, list[str]]


def put(both: Both, documents: list[Structured]) -> None:
    with open_driver(both.connection) as driver:
        write(driver, both.connection.database, SCHEMA, documents, both.now())


def frame(connection: server.Connection) -> dict[str, list[str]]:
    """What a graph is apart from its data: constraints, indexes; and the names of labels and relationship types."""
    queries = ("SHOW CONSTRAINTS", "SHOW INDEXES", "CALL db.labels()", "CALL db.relationshipTypes()")
    return {
        query: sorted(str(row.get("name") or next(iter(row.values()))) for row in run_query(connection, query))
        for query in queries
    }


def test_all_is_stored_as_it_is_written_and_nothing_is_carried_out(served: Served) -> None:
    served.both.check()  # every property of every node and edge, and no node more or less
    after = frame(served.both.connection)
    assert after["SHOW CONSTRAINTS"] == served.before["SHOW CONSTRAINTS"]
    assert after["SHOW INDEXES"] == served.before["SHOW INDEXES"]
    assert set(after["CALL db.labels()"]) <= RESERVED | {"Person", "Organisation"}
    assert set(after["CALL db.relationshipTypes()"]) <= RESERVED | {"EMPLOYER"}


def test_hostile_names_are_found_and_shown(served: Served) -> None:
    for name in NAMES:
        assert find_entities(served.both.connection, name)[0]["name"] == name
    assert find_entities(served.both.connection, FIRM)[0]["documents"] == len(NAMES)
    with pytest.raises(GraphError, match="no entity"):
        find_entities(served.both.connection, "') RETURN e.id AS id //")


def steers(character: str) -> bool:
    """Whether a terminal carries a character out, or turns around what follows it."""
    turns = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return unicodedata.category(character) in ("Cc", "Cs") or unicodedata.bidirectional(character) in turns


def ask(served: Served, *arguments: str) -> str:
    register_commands()
    ran = CliRunner().invoke(cli, [*arguments, "--graph", str(served.folder)])
    assert ran.exit_code == 0, (arguments, ran.output, ran.exception)
    assert not [c for c in ran.output if steers(c) and c != "\n"], arguments
    return ran.output


@pytest.mark.parametrize("name", [NAMES[0], NAMES[9], NAMES[10], NAMES[17]])
def test_commands_with_hostile_arguments_and_answers(served: Served, name: str) -> None:
    (found,) = json.loads(ask(served, "query", "about", name, "--format", "json"))
    assert found["name"] == name
    assert found["documents"][0]["names"] == [name]
    statement = found["statements"][0]["statement"]
    first = name.split()[0]
    for arguments in (
        ("query", "about", name), ("query", "about", name, "--as-of", "2999-01-01"), ("query", "paths", name, FIRM),
        ("query", "entities", "--name", name), ("query", "evidence", statement), ("query", "counts"),
        ("query", "--cypher", "MATCH (e:Entity {name: $name}) RETURN e.name AS `a\x1b[1m`", "--param", f"name={name}"),
        ("diff", f"{name}@1", f"{NAMES[1]}@1"), ("retract", "--dry-run", uri_of(NAMES.index(name), name)),
    ):  # fmt: skip
        shown = ask(served, *arguments)
        assert first in shown or arguments[0] == "diff"
    served.both.check()


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "about", "a\udcff"),
        ("query", "about", "\x1b[31mnobody"),
        ("query", "evidence", "\x1b[31m'}) DETACH DELETE n //"),
        ("query", "--cypher", "RETURN $n AS n", "--param", f"n={2**63}"),
        ("query", "--cypher", "RETURN \x9b`", "--param", "n=NaN"),
        ("query", "changes", "99999-01-01"),
        ("resolve", "--undo", "\x1b`"),
        ("resolve", "--merge", "\x1b", "x"),
        ("retract", "/in/\x1b[31m"),
        ("diff", "`@1", "x@1"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_said_in_a_line(
    served: Served, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tripleflow", *arguments, "--graph", str(served.folder)])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert said.startswith("tripleflow: ")
    assert not any(map(steers, said.removesuffix("\n")))


def test_hostile_entities_merge_part_and_go(served: Served) -> None:
    both = served.both
    ask(served, "resolve", "--merge", NAMES[1], NAMES[0])
    goes, stays = (
        next(e for found in by_model.values() for e in found.resolved.entities if e.name == name)
        for name in (NAMES[1], NAMES[0])
        for by_model in both.model.documents.values()
        if any(e.name == name for found in by_model.values() for e in found.resolved.entities)
    )
    both.model.merges[goes.id] = Match(goes.id, stays.id, "Person", "asked for", 1.0)
    both.check()
    assert NAMES[1].split()[0] in ask(served, "resolve", "--merged")
    ask(served, "resolve", "--undo", goes.id)
    del both.model.merges[goes.id]
    both.check()
    both.retract(uri_of(1, NAMES[1]))
    both.check()


def test_a_page_carries_nothing_out(served: Served, browser: webdriver.Chrome, tmp_path: Path) -> None:
    page = tmp_path / "graph.html"
    script = next(name for name in NAMES if name.startswith("Script"))
    ask(served, "view", script, "--hops", "2", "--out", str(page))
    for name in NAMES:
        if "<" in name:
            assert name not in page.read_text(encoding="utf-8")
    browser.get(page.as_uri())
    assert browser.title == script
    assert browser.execute_script("return window.hit === undefined && !document.querySelector('img[src=x]')")
    assert browser.execute_script("return JSON.parse(document.getElementById('neo4j-viz-data').text).nodes.length") > 2


def test_a_document_that_cannot_be_sent_harms_no_other(served: Served) -> None:
    good, other, third = (hostile(name, 100 + n, SCHEMA) for n, name in enumerate(NAMES[:3]))
    entity = replace(other.resolved.entities[0], number=10**400)
    broken = replace(other, resolved=replace(other.resolved, entities=(entity, *other.resolved.entities[1:])))
    analysed = third.resolved.analysis
    half = replace(analysed, document=replace(analysed.document, title="half \ud800"))
    lone = replace(third, resolved=replace(third.resolved, analysis=half))
    work = _WriteDoFn(WriteJob(served.both.connection, SCHEMA, served.both.now()))
    work.setup()
    try:
        results = list(work.process([broken, good, lone]))
    finally:
        work.teardown()
    assert [r for r in results if not isinstance(r, TaggedOutput)] == [good]
    assert [r.value.stage for r in results if isinstance(r, TaggedOutput)] == ["write", "write"]
    served.both.model.write(good, False)
    served.both.check()
    served.both.retract(good.resolved.analysis.document.uri)
    served.both.check()


def test_a_graph_that_goes_while_documents_are_tried_one_by_one_is_no_fault_of_theirs(served: Served) -> None:
    one, other = (hostile(name, 150 + n, SCHEMA) for n, name in enumerate(NAMES[:2]))
    connection = served.both.connection
    host, _, port = connection.uri.removeprefix("bolt://").partition(":")
    relay = Cuttable(host, int(port))
    work = _WriteDoFn(WriteJob(connection, SCHEMA, served.both.now()))
    uri, auth = f"bolt://127.0.0.1:{relay.port}", (connection.user, connection.password)
    work._driver = GraphDatabase.driver(uri, auth=auth, max_transaction_retry_time=0)
    try:
        results = work._one_by_one([one, other])
        assert next(results) == one
        relay.cut()
        with pytest.raises((ServiceUnavailable, SessionExpired)):
            next(results)
    finally:
        work.teardown()
        relay.close()
    served.both.retract(one.resolved.analysis.document.uri)


def test_one_document_twice_in_a_batch(served: Served) -> None:
    one, other = (hostile(NAMES[3], 200, SCHEMA), hostile(NAMES[4], 200, SCHEMA))
    document = replace(other.resolved.analysis.document, uri=one.resolved.analysis.document.uri)
    newer = replace(
        other, resolved=replace(other.resolved, analysis=replace(other.resolved.analysis, document=document))
    )
    put(served.both, [one, one, newer, newer])
    served.both.model.write(newer, False)
    served.both.check()
    served.both.retract(document.uri)
    served.both.check()


def test_a_hundred_thousand_mentions_in_one_document(served: Served, schema: Schema) -> None:
    names = [f"{word.title()} Crowd" for word in WORDS[:1_000]] * 100
    found = state(resolve(crowd(names, "Person", related=1_000), schema), schema)
    assert sum(len(entity.mentions) for entity in found.resolved.entities) == 100_000
    assert len(found.resolved.entities) == len(found.statements) == 1_000
    fewer = replace(found, resolved=replace(found.resolved, entities=found.resolved.entities[:600]))
    left = {entity.id for entity in fewer.resolved.entities}
    kept = [s for s in found.statements if {s.head, s.tail} <= left]
    fewer = replace(
        fewer,
        statements=tuple(kept),
        evidence=tuple(piece for piece in found.evidence if piece.statement in {s.id for s in kept}),
    )
    for version in (found, fewer):
        put(served.both, [version])
        put(served.both, [version])
        served.both.model.write(version, False)
        served.both.check()
    served.both.retract("crowd.txt")
    served.both.check()


def test_an_entity_in_thousands_of_documents(served: Served) -> None:
    hub = [hostile(f"Worker {number}", 10_000 + number, SCHEMA) for number in range(5_000)]
    for first in range(0, len(hub), 500):
        put(served.both, hub[first : first + 500])
    assert find_entities(served.both.connection, FIRM)[0]["documents"] > 5_000
    retract(served.both.connection, [found.resolved.analysis.document.id for found in hub[:100]], served.both.now())
    assert find_entities(served.both.connection, FIRM)[0]["documents"] >= 4_900
    (path, *_) = find_paths(served.both.connection, *(
        find_entities(served.both.connection, f"Worker {n}")[0]["id"] for n in (4_998, 4_999)
    ))  # fmt: skip
    assert path["hops"] == 2


def test_a_run_over_hostile_files(tmp_path: Path) -> None:
    inputs, graph = tmp_path / "in", tmp_path / "kg"
    inputs.mkdir()
    names = ["`}) DETACH DELETE n --.txt", "$rows {0} [bold].txt", "\x1b[31m\nx.txt", "\u202etxt.exe.txt"]
    for name in names:
        (inputs / name).write_text("Acme Ltd is based in Rotterdam, the Netherlands.")
    (inputs / "[").mkdir()
    (inputs / "[" / "nothing] \x1b[31m.pdf").write_bytes(b"no PDF")
    (inputs / "line.txt").write_text("Acme Ltd " * 150_000)
    rows: list[object] = [
        {
            "id": "'}) DETACH DELETE n //",
            "title": "\x1b[2J\u202e",
            "date": "99999-01-01",
            "text": "Acme Ltd is in Oslo.",
        },
        {"id": "same", "title": {"a": 1}, "date": 10**400, "text": "Acme Ltd has an office in Bergen.\x00"},
        {"id": "same", "title": "x" * 100_000, "date": "0000-00-00", "text": "Acme Ltd has an office in Leeds.\ud800"},
        {"id": 2**70, "text": "Acme Ltd makes winches."},
        {"id": "list", "text": ["Acme"]},
        {"id": "column", "[/b] \x1b[31m": "Acme"},
        {"id": "unseen", "text": "\u200b \x00"},
        {"id": "empty", "text": " \x00\n"},
        [],
    ]
    (inputs / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n" + "[" * 100_000)
    register = [
        {"id": "ORG`1", "name": NAMES[0], "type": "Organisation", "aliases": ["Acme Ltd", NAMES[9], "$id"]},
        {"id": "'}) DELETE n //", "name": "\x1b[31mRotterdam\n", "type": "Location", "description": NAMES[15] * 1_000},
    ]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, register)))
    arguments = ("--register", "r.jsonl", "--parquet", "tables", "--graph", str(graph))
    try:
        ran = tripleflow("run", str(inputs), *arguments, cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert not [c for c in ran.out if steers(c) and c != "\n"]
        connection = server.connect_running(graph)
        uris = {row["uri"] for row in run_query(connection, "MATCH (d:Document) RETURN d.uri AS uri")}
        ids = ("'}) DETACH DELETE n //", "same", "same (2)", str(2**70), "unseen")
        assert uris == {*(str(inputs / name) for name in names), *(f"{inputs}/rows.jsonl#{key}" for key in ids)}
        (found,) = find_entities(connection, "acme ltd")
        assert (found["id"], found["name"], found["register_id"]) == ("ORG`1", NAMES[0], "ORG`1")
        listed = tripleflow("dead-letters", "list", cwd=tmp_path)
        assert not [c for c in listed.out if steers(c) and c != "\n"]
        letters = [filed.letter for filed in read_letters(tmp_path / "dead-letters")]
        assert {letter.stage for letter in letters} == {"read"}
        assert len(letters) == 7, [letter.cause for letter in letters]
        gone = tripleflow("retract", *(str(inputs / name) for name in names), "--graph", str(graph), cwd=tmp_path)
        assert gone.code == 0, gone.err
        left = run_query(connection, "MATCH (d:Document) RETURN d.uri AS uri")
        assert {row["uri"] for row in left} == {uri for uri in uris if "#" in uri}
    finally:
        server.wipe(graph)
