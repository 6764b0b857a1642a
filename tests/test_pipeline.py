"""The whole pipeline, over the samples: real files, real models, a real Bolt server."""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import defaultdict
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from neo4j import GraphDatabase

from kg_sink import server
from kg_sink.connection import resolve_target
from kg_sink.exporting import canonical_export
from kg_sink.queries import run_query
from pipelines import structure
from samples.score import score
from tests.broken import make_broken
from tests.conftest import ROOT, SAMPLES, SampleRun, tripleflow
from transforms.bundle import DEFAULT_BUNDLE
from transforms.letter_box import put_letter, read_letters
from transforms.records import DeadLetter
from transforms.schema import DEFAULT_SCHEMA
from transforms.stating import LONGEST

SEVEN = {"txt", "md", "html", "pdf", "docx", "eml", "image"}


def table(run: SampleRun, name: str) -> list[dict[str, Any]]:
    rows = [row for path in sorted(run.tables.glob(f"{name}-*")) for row in pq.read_table(path).to_pylist()]
    assert rows
    return rows


def test_every_format_gives_statements_whose_evidence_holds_both_mentions(sample_run: SampleRun) -> None:
    documents = {row["id"]: row for row in table(sample_run, "documents")}
    by_format: dict[str, int] = defaultdict(int)
    for row in table(sample_run, "evidence"):
        document = documents[row["document"]]
        passage = document["text"][row["start"] : row["end"]]
        if len(passage) <= LONGEST:
            assert row["text"] == passage
        else:  # two parties that a contract names pages apart: what is between is left out
            begin, end = row["text"][: LONGEST // 2 - 1], row["text"][-(LONGEST // 2) :]
            assert (begin, end) == (passage[: len(begin)], passage[-len(end) :])
            assert row["text"] == f"{begin}…{end}"
        for side in ("head", "tail"):
            assert row["start"] <= row[f"{side}_start"] < row[f"{side}_end"] <= row["end"]
        by_format[document["format"]] += 1
    assert by_format.keys() >= SEVEN
    assert {"jsonl", "parquet"} <= by_format.keys()


def test_every_format_gives_statements_that_a_model_made(sample_run: SampleRun) -> None:
    documents = {row["id"]: row["format"] for row in table(sample_run, "documents")}
    made = {
        documents[row["document"]] for row in table(sample_run, "evidence") if not row["model"].startswith("headers")
    }
    assert made >= SEVEN


def test_mentions_stand_where_they_say(sample_run: SampleRun) -> None:
    texts = {row["id"]: row["text"] for row in table(sample_run, "documents")}
    for row in table(sample_run, "mentions"):
        assert texts[row["document"]][row["start"] : row["end"]] == row["text"]


def test_scores_against_gold_do_not_fall(sample_run: SampleRun) -> None:
    found = score(sample_run.tables)
    assert found["entities"].f1 > 70
    assert found["links"].f1 > 70
    assert found["relations"].f1 > 15


def test_the_graph_holds_what_the_tables_hold(sample_run: SampleRun) -> None:
    connection = resolve_target(str(sample_run.graph))
    for label, name in (("Document", "documents"), ("Statement", "statements"), ("Evidence", "evidence")):
        (row,) = run_query(connection, f"MATCH (n:{label}) RETURN count(n) AS n")
        assert row["n"] == len({r["id"] for r in table(sample_run, name)})
    (row,) = run_query(connection, "MATCH (n:Entity) RETURN count(n) AS n")
    assert row["n"] == len({r["entity"] for r in table(sample_run, "mentions")})
    orphans = "MATCH (s:Statement) WHERE NOT (s)<-[:SUPPORTS]-(:Evidence) RETURN count(s) AS n"
    assert run_query(connection, orphans) == [{"n": 0}]
    edges = "MATCH (:Entity)-[r]->(:Entity) RETURN count(r) AS n"
    assert run_query(connection, edges)[0]["n"] == len({r["id"] for r in table(sample_run, "statements")})


def test_attachments_are_linked_to_their_mail(sample_run: SampleRun) -> None:
    rows = run_query(
        resolve_target(str(sample_run.graph)),
        "MATCH (a:Document)-[:ATTACHED_TO]->(m:Document) RETURN a.uri AS attachment, m.uri AS mail, m.format AS format",
    )
    assert len(rows) >= 4
    for row in rows:
        assert row["attachment"].startswith(row["mail"] + "#")
        assert row["format"] == "eml"


def test_the_same_run_twice_and_with_two_workers_gives_equal_graphs(sample_run: SampleRun, tmp_path: Path) -> None:
    connection = resolve_target(str(sample_run.graph))
    first = canonical_export(connection)
    arguments = ("run", str(SAMPLES / "documents"), "--register", str(SAMPLES / "register.csv"))
    again = tripleflow(*arguments, "--graph", str(sample_run.graph), cwd=tmp_path)
    assert again.code == 0, again.err
    assert canonical_export(connection) == first
    other = tmp_path / "two workers"
    try:
        ran = tripleflow(*arguments, "--graph", str(other), "--workers", "2", "--log", "json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        events = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
        assert len(ran.err.splitlines()) - len(events) < 9  # of Beam, as workers start, and of the progress bar
        (row,) = run_query(connection, "MATCH (d:Document) RETURN count(d) AS n")
        assert len({event["uri"] for event in events if event["event"] == "written"}) == row["n"]
        assert canonical_export(resolve_target(str(other))) == first
    finally:
        server.wipe(other)


def test_broken_inputs_are_dead_letters_and_lose_nothing_else(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    broken = make_broken(inputs / "broken", 200)
    good = sorted(path for path in (SAMPLES / "documents").rglob("*") if path.is_file())
    for path in good:
        shutil.copy(path, inputs / f"{path.parent.name}-{path.name}")
    graph = tmp_path / "kg"
    try:
        ran = tripleflow("run", str(inputs), "--graph", str(graph), cwd=tmp_path)
        assert ran.code == 0, ran.err
        connection = resolve_target(str(graph))
        uris = {row["uri"] for row in run_query(connection, "MATCH (d:Document) RETURN d.uri AS uri")}
    finally:
        server.wipe(graph)
    files = {uri.split("#")[0] for uri in uris}
    assert files == {str(inputs / f"{path.parent.name}-{path.name}") for path in good}
    letters = [filed.letter for filed in read_letters(tmp_path / "dead-letters")]
    assert {letter.replay["input"] for letter in letters} == {str(path) for path in broken}
    assert all(letter.cause and letter.stage == "read" for letter in letters)
    # In kilobytes; of the largest process that this one waited for.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 4_000_000


def test_a_run_in_which_everything_fails_says_so(tmp_path: Path, graph: server.Connection) -> None:
    (tmp_path / "empty.txt").write_text("")
    folder = tmp_path / "kg"
    try:
        ran = tripleflow("run", "empty.txt", "--graph", str(folder), cwd=tmp_path)
    finally:
        server.wipe(folder)
    assert ran.code == 1
    assert "every document failed" in ran.err
    listed = tripleflow("dead-letters", "list", "--format", "json", cwd=tmp_path)
    (letter,) = json.loads(listed.out)
    assert "empty" in letter["cause"]
    shown = tripleflow("dead-letters", "show", letter["id"], cwd=tmp_path)
    assert json.loads(shown.out)[0]["uri"] == str(tmp_path / "empty.txt")


def test_dead_letters_are_replayed_once_the_cause_is_mended(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("")
    (tmp_path / "other.txt").write_text("")
    (tmp_path / "long.txt").write_text("Acme Ltd is based in Rotterdam. " * 5)
    names, folder = ("note.txt", "other.txt", "long.txt"), tmp_path / "kg"
    try:
        assert tripleflow("run", *names, "--limit", "max_chars=90", "--graph", str(folder), cwd=tmp_path).code == 1
        causes = {Path(filed.letter.uri).name: filed.letter.cause for filed in read_letters(tmp_path / "dead-letters")}
        assert set(causes) == set(names)
        assert "over the limit of 90: split the file or raise max_chars" in causes["long.txt"]
        (tmp_path / "note.txt").write_text("Acme Ltd is based in Rotterdam, the Netherlands.")
        replay = ("dead-letters", "replay", "--limit", "max_chars=900", "--graph", str(folder))
        ran = tripleflow(*replay, cwd=tmp_path)
        assert ran.code == 0, ran.err
        rows = run_query(resolve_target(str(folder)), "MATCH (d:Document) RETURN d.uri AS uri ORDER BY uri")
        assert rows == [{"uri": str(tmp_path / name)} for name in ("long.txt", "note.txt")]
        (left,) = read_letters(tmp_path / "dead-letters")
        assert left.letter.uri == str(tmp_path / "other.txt")
        # A plain run drops the letters of what it reads, and of nothing else.
        (tmp_path / "other.txt").write_text("Ben Ochieng works for Acme Ltd.")
        assert tripleflow("run", "note.txt", "--graph", str(folder), cwd=tmp_path).code == 0
        assert read_letters(tmp_path / "dead-letters") == [left]
        put_letter(
            tmp_path / "dead-letters", "run-1", {}, DeadLetter.of("g", "read", ValueError(), f"{tmp_path}/g.txt")
        )
        assert tripleflow("run", "*.txt", "--graph", str(folder), cwd=tmp_path).code == 0
        assert read_letters(tmp_path / "dead-letters") == []
    finally:
        server.wipe(folder)


def test_a_replay_says_of_a_file_what_its_run_said(tmp_path: Path) -> None:
    good, folder = json.dumps({"body": "Kari Halvorsen was born in Bergen on 2 May 1961."}), tmp_path / "kg"
    rows, dead = tmp_path / "rows.jsonl", tmp_path / "dead-letters"
    rows.write_text(f"{good}\n{{no JSON\n")
    for name in ("first", "other"):
        (tmp_path / f"{name}.csv").write_text(f"id,name,type\nP-{name},Kari Halvorsen,Person\n")
    shutil.copy(DEFAULT_SCHEMA, tmp_path / "mine.yaml")
    shutil.copytree(DEFAULT_BUNDLE, tmp_path / "model")
    before = {"register": "first.csv", "schema": "mine.yaml", "model": "model"}
    options = [text for name, value in before.items() for text in (f"--{name}", value)]
    replay = ("dead-letters", "replay")
    # A message cannot be read again, and hinders nothing.
    message = DeadLetter.of("topic/0/5", "read", ValueError("no JSON")).of_message("topic/0/5")
    put_letter(dead, "run-1", {}, message)

    def known() -> list[dict[str, Any]]:
        return run_query(resolve_target(str(folder)), "MATCH (p:Person) RETURN p.register_id AS id")

    try:
        ran = tripleflow("run", "rows.jsonl", *options, "--text-column", "body", "--graph", "kg", cwd=tmp_path)
        assert ran.code == 0, ran.err
        _, filed = read_letters(dead)
        kept = {name: str(tmp_path / value) for name, value in {**before, "graph": "kg"}.items()}
        assert filed.letter.replay == {"input": str(rows), "text_column": "body", **kept}
        assert known() == [{"id": "P-first"}]
        ran = tripleflow(*replay, "--register", "other.csv", cwd=tmp_path)  # given now, it goes before
        assert ran.code == 0, ran.err
        assert known() == [{"id": "P-other"}]
        rows.write_text(f"{good}\n")
        ran = tripleflow(*replay, cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert known() == [{"id": "P-other"}]
        assert [left.letter for left in read_letters(dead)] == [message]
        assert not (tmp_path / "graph").exists()
    finally:
        server.wipe(folder)


def test_rows_and_attachments_go_that_their_file_lost_and_that_did_not_fail(tmp_path: Path) -> None:
    good, nameless = json.dumps({"text": "Acme Ltd is based in Rotterdam."}), "{"
    mail = EmailMessage()
    mail["From"] = "Kari Halvorsen <kari@acme.example>"
    mail.set_content("The figures are attached.")
    alone = mail.as_bytes()
    mail.add_attachment("Acme Ltd is based in Rotterdam.", filename="a.txt")

    def row(name: str, text: str | None = "Kari Halvorsen works for Acme Ltd.") -> str:
        return json.dumps({"id": name, "text": text})

    (tmp_path / "m.eml").write_bytes(mail.as_bytes())
    (tmp_path / "v.jsonl").write_text("\n".join([row("a"), row("b"), row("c")]))
    (tmp_path / "w.jsonl").write_text("\n".join([row("a"), row("b"), good]))
    folder = tmp_path / "kg"
    try:
        assert tripleflow("run", "*.eml", "*.jsonl", "--graph", "kg", cwd=tmp_path).code == 0
        (tmp_path / "m.eml").write_bytes(alone)
        (tmp_path / "v.jsonl").write_text("\n".join([row("a"), row("c", None)]))
        (tmp_path / "w.jsonl").write_text("\n".join([row("a"), nameless]))
        assert tripleflow("run", "*.eml", "*.jsonl", "--graph", "kg", cwd=tmp_path).code == 0
        rows = run_query(resolve_target(str(folder)), "MATCH (d:Document) RETURN d.uri AS uri ORDER BY uri")
    finally:
        server.wipe(folder)
    # "w.jsonl#b" may be the row that cannot be read.
    left = ["m.eml", "v.jsonl#a", "v.jsonl#c", "w.jsonl#a", "w.jsonl#b", "w.jsonl#row-3"]
    assert [Path(row["uri"]).name for row in rows] == left


def test_the_job_runs_as_a_module(tmp_path: Path, graph: server.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("Kari Halvorsen was born in Bergen on 2 May 1961.")
    monkeypatch.setenv("NEO4J_USERNAME", graph.user)
    monkeypatch.setenv("NEO4J_PASSWORD", graph.password)
    monkeypatch.setenv("NEO4J_DATABASE", graph.database)
    command = [sys.executable, "-m", "pipelines.structure", f"--input={tmp_path}/*.txt", f"--graph={graph.uri}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "apitools" not in done.stderr
    found = run_query(graph, "MATCH (p:Person {name: 'Kari Halvorsen'}) RETURN p.name AS name")
    assert found == [{"name": "Kari Halvorsen"}]


def test_the_module_refuses_what_is_nearly_an_option(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # caplog's handler stays
    assert structure.main(["--input=*.txt", "--dead-letters=lost"]) == 2
    assert "no option --dead-letters; did you mean --dead_letters?" in caplog.text
    structure.check_names(["--flink_master=host:1", "--limit", "max_seconds=9"])  # a runner's own goes through


def test_the_module_says_in_a_line_that_the_graph_was_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("Kari Halvorsen was born in Bergen on 2 May 1961.")
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    monkeypatch.chdir(tmp_path)
    impatient = partial(GraphDatabase.driver, max_transaction_retry_time=1)
    monkeypatch.setattr(GraphDatabase, "driver", impatient)
    check = structure.check

    def losing(options: PipelineOptions) -> structure.Job:
        job = check(options)
        server.stop(tmp_path / "kg")
        return job

    monkeypatch.setattr(structure, "check", losing)
    try:
        assert structure.main(["--input=a.txt", "--graph=kg"]) == 2
    finally:
        server.wipe(tmp_path / "kg")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "root"]
    assert "the graph stopped answering" in line


def test_odd_names_lose_nothing(tmp_path: Path) -> None:
    inputs, folder = tmp_path / "in", tmp_path / "kg"
    inputs.mkdir()
    (inputs / "b[1].txt").write_text("Kari Halvorsen was born in Bergen on 2 May 1961.")
    (inputs / "a\u2028b.txt").write_text("")
    Path(os.fsdecode(bytes(inputs) + b"/\xe9t\xe9.txt")).write_text("Acme is in Rome.")
    try:
        assert tripleflow("run", "in", "--graph", "kg", cwd=tmp_path).code == 0
        ran = tripleflow("run", "in/b[1].txt", "--graph", "kg", "--dead-letters", "none", cwd=tmp_path)
        assert ran.code == 0, ran.err
        rows = run_query(resolve_target(str(folder)), "MATCH (d:Document) RETURN d.uri AS uri")
    finally:
        server.wipe(folder)
    assert rows == [{"uri": str(inputs / "b[1].txt")}]
    causes = sorted(filed.letter.cause for filed in read_letters(tmp_path / "dead-letters"))
    assert len(causes) == 2
    assert any("not UTF-8" in cause for cause in causes)


def test_a_run_that_is_interrupted_says_nothing_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "run", str(SAMPLES / "documents"), "--parquet", "tables"]
    try:
        with subprocess.Popen(
            [*command, "--graph", "kg"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, process_group=0,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
        ) as run:  # fmt: skip
            while run.poll() is None and not list(tmp_path.glob("dead-letters/beam-temp-*")):
                time.sleep(0.05)
            os.killpg(run.pid, signal.SIGINT)
            said = run.communicate()[1]
    finally:
        server.wipe(tmp_path / "kg")
    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("beam-temp-*"))


def test_a_run_reads_nothing_that_it_wrote(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Kari Halvorsen was born in Bergen on 2 May 1961.")
    (tmp_path / "empty.txt").write_text("")
    try:
        for replaced in (False, True):
            ran = tripleflow("run", ".", "--graph", "kg", "--parquet", "tables", cwd=tmp_path)
            assert ran.code == 0, ran.err
            assert ("--parquet tables: the tables of an earlier run are replaced\n" in ran.err) == replaced
        rows = run_query(resolve_target(str(tmp_path / "kg")), "MATCH (d:Document) RETURN d.uri AS uri")
    finally:
        server.wipe(tmp_path / "kg")
    assert rows == [{"uri": str(tmp_path / "a.txt")}]
    assert [filed.letter.uri for filed in read_letters(tmp_path / "dead-letters")] == [str(tmp_path / "empty.txt")]


def test_options_of_beam_pass_through(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Kari Halvorsen was born in Bergen on 2 May 1961.")
    folder = tmp_path / "kg"
    try:
        options = ("--streaming", "--runner", "DirectRunner", "--job_name=check")
        ran = tripleflow("run", "a.txt", *options, "--graph", str(folder), cwd=tmp_path)
    finally:
        server.wipe(folder)
    assert ran.code == 0, ran.err
    assert "BORN_IN 1" in ran.out


def test_what_beam_ships_to_its_workers_holds_schemas_and_models(tmp_path: Path) -> None:
    # As Beam calls it for --setup_file where the package `build` is not installed.
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns(".*", "build", "graph", "out", "*.egg-info", "samples", "tests")
    shutil.copytree(ROOT, tree, ignore=ignored)
    command = [sys.executable, "setup.py", "-q", "sdist", "--dist-dir", str(tmp_path)]
    subprocess.run(command, cwd=tree, capture_output=True, timeout=300, check=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    shipped = [path for path in (ROOT / "transforms").glob("*/**/*") if path.suffix in {".onnx", ".yaml", ".json"}]
    assert len(shipped) >= 7
    assert names >= {path.relative_to(ROOT).as_posix() for path in shipped}
