"""Folders that are watched: what comes, changes and goes reaches the graph once, through kills and new models."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from kg_sink import server
from kg_sink.connection import GraphError, open_driver, resolve_target
from kg_sink.exporting import canonical_export
from kg_sink.queries import run_query
from kg_sink.sources import begin_sources, read_sources
from pipelines import structure
from pipelines.observing import Metrics
from pipelines.watching import open_watch
from tests.conftest import tripleflow
from tests.watching import RunningWatch
from transforms.bundle import DEFAULT_BUNDLE, SCHEMA, digest
from transforms.letter_box import read_letters
from transforms.reading.watching import Watcher, being_written

TEXT = "Kari Halvorsen was born in {} on 2 May 1961."


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "in").mkdir()
    yield tmp_path
    if (tmp_path / "kg").exists():
        server.wipe(tmp_path / "kg")


def uris(folder: Path) -> dict[str, str]:
    rows = run_query(resolve_target(str(folder / "kg")), "MATCH (d:Document) RETURN d.uri AS uri, d.last_seen AS seen")
    return {row["uri"].rpartition("/")[2]: row["seen"] for row in rows}


def places(folder: Path) -> set[str]:
    return {
        row["name"] for row in run_query(resolve_target(str(folder / "kg")), "MATCH (e:Location) RETURN e.name AS name")
    }


def test_files_come_change_and_go_and_a_restart_reads_nothing_again(place: Path) -> None:
    inbox = place / "in"
    with RunningWatch(place, "in", "--graph", "kg", "--metrics-port", "0") as watch:
        (inbox / "a.txt").write_text(TEXT.format("Bergen"))
        watch.written("a.txt")
        (inbox / "b.jsonl").write_text("".join(json.dumps({"text": TEXT.format(p)}) + "\n" for p in ("Rome", "Oslo")))
        watch.written("b.jsonl#row-2")
        assert places(place) == {"Bergen", "Rome", "Oslo"}
        so_far = len(watch.events)
        (inbox / "a.txt").write_text(TEXT.format("Trondheim"))
        (inbox / "b.jsonl").write_text(json.dumps({"text": TEXT.format("Rome")}) + "\n")
        (inbox / "bad.pdf").write_text("no PDF")
        watch.written("a.txt", so_far)
        watch.wait_for("failed", lambda e: e["uri"].endswith("bad.pdf"))
        url = watch.wait_for("metrics")["url"]
        counted = urllib.request.urlopen(url).read().decode()
        watch.wait_for("round", lambda e: e["dead"] == 1)
        so_far = len(watch.events)
        (inbox / "c.txt").write_text(TEXT.format("Leeds"))
        watch.written("c.txt", so_far)
        assert places(place) == {"Trondheim", "Rome", "Leeds"}
        (inbox / "a.txt").unlink()
        assert watch.wait_for("withdrawn")["documents"] == 1
        assert watch.stop() == 0
    assert 'tripleflow_documents_total{format="txt"}' in counted
    seen = uris(place)
    assert set(seen) == {"b.jsonl#row-1", "c.txt"}
    with RunningWatch(place, "in", "--graph", "kg") as watch:
        assert watch.wait_for("watching")["known"] == 3
        (inbox / "d.txt").write_text(TEXT.format("York"))
        watch.written("d.txt")
        assert [event["uri"] for event in watch.events if event["event"] == "written"] == [str(inbox / "d.txt")]
        watch.stop()
    assert seen.items() <= uris(place).items()
    assert [filed.letter.uri for filed in read_letters(place / "dead-letters")] == [str(inbox / "bad.pdf")]


def test_a_watch_reads_nothing_that_it_wrote_and_drops_letters_of_what_went(place: Path) -> None:
    inbox = place / "in"
    with RunningWatch(inbox, ".", "--graph", "../kg", "--dead-letters", "dead") as watch:
        (inbox / "bad.pdf").write_text("no PDF")
        watch.wait_for("round", lambda e: e["dead"] == 1)
        (inbox / "a.txt").write_text(TEXT.format("Bergen"))
        watch.written("a.txt")
        (inbox / "b.txt").write_text(TEXT.format("Rome"))
        watch.written("b.txt")
        assert [filed.letter.uri for filed in read_letters(inbox / "dead")] == [str(inbox / "bad.pdf")]
        (inbox / "bad.pdf").unlink()
        watch.wait_for("withdrawn")
        assert watch.stop() == 0
    assert list(uris(place)) == ["a.txt", "b.txt"]
    assert sum(event["files"] for event in watch.events if event["event"] == "round") == 3
    assert read_letters(inbox / "dead") == []


def test_what_happened_while_it_was_killed_is_made_good(place: Path) -> None:
    inbox = place / "in"
    for number in range(12):
        (inbox / f"{number}.txt").write_text(TEXT.format("Bergen") + f" Number {number}.")
    with RunningWatch(place, "in", "--graph", "kg") as watch:
        watch.wait_for("written")
        watch.kill()
    server.start(place / "kg")
    (inbox / "3.txt").unlink()
    (inbox / "4.txt").write_text(TEXT.format("Oslo"))
    with RunningWatch(place, "in", "--graph", "kg") as watch:
        watch.written("/4.txt")
        watch.wait_for("watching")
        (inbox / "last.txt").write_text(TEXT.format("Rome"))
        watch.written("last.txt")
        if "3.txt" in uris(place):
            watch.wait_for("withdrawn")
        watch.stop()
    try:
        found = canonical_export(resolve_target(str(place / "kg")))
        fresh = tripleflow("run", "in", "--graph", "fresh", cwd=place)
        assert fresh.code == 0, fresh.err
        assert found == canonical_export(resolve_target(str(place / "fresh")))
    finally:
        server.wipe(place / "fresh")


def test_what_was_begun_and_went_before_it_was_finished_is_withdrawn(place: Path) -> None:
    path = place / "in" / "a.txt"
    path.write_text(TEXT.format("Bergen"))
    assert tripleflow("run", str(path), "--graph", "kg", cwd=place).code == 0
    begin_sources(resolve_target(str(place / "kg")), [str(path)])
    path.unlink()
    with RunningWatch(place, "in", "--graph", "kg") as watch:
        watch.wait_for("withdrawn")
        watch.stop()
    assert not uris(place)


def test_a_killed_graph_server_is_started_again(place: Path) -> None:
    with RunningWatch(place, "in", "--graph", "kg") as watch:
        watch.wait_for("watching")
        server.stop(place / "kg")
        (place / "in" / "a.txt").write_text(TEXT.format("Bergen"))
        watch.written("a.txt")
        server.stop(place / "kg")
        (place / "in" / "a.txt").unlink()
        watch.wait_for("withdrawn")
        assert watch.stop() == 0
    assert places(place) == set()


def test_a_new_model_is_taken_and_a_broken_one_refused(place: Path) -> None:
    model, inbox = place / "model", place / "in"
    shutil.copytree(DEFAULT_BUNDLE, model)
    with RunningWatch(place, "in", "--graph", "kg", "--model", "model") as watch:
        (inbox / "a.txt").write_text(TEXT.format("Bergen"))
        first = watch.written("a.txt")["model"]
        manifest = json.loads((model / "manifest.json").read_text())
        manifest["version"] = "another"
        (model / "manifest.json").write_text(json.dumps(manifest))
        taken = watch.wait_for("model taken")["model"]
        (inbox / "b.txt").write_text(TEXT.format("Rome"))
        assert watch.written("b.txt")["model"] == taken == f"{manifest['name']}@another" != first
        (model / "model.onnx").write_bytes((model / "model.onnx").read_bytes()[:-1])
        manifest["version"] = "broken"
        (model / "manifest.json").write_text(json.dumps(manifest))
        assert "SHA-256" in watch.wait_for("model refused")["cause"]
        (inbox / "c.txt").write_text(TEXT.format("Oslo"))
        assert watch.written("c.txt")["model"] == taken
        shutil.copy(DEFAULT_BUNDLE / "model.onnx", model)
        assert watch.wait_for("model taken", lambda e: "broken" in e["model"])
        (model / SCHEMA).write_text("entities: {Ship: {labels: [Product]}}")
        manifest["files"][SCHEMA] = digest(model / SCHEMA)
        (model / "manifest.json").write_text(json.dumps(manifest))
        assert watch.wait_for("model refused", lambda e: "another schema" in e["cause"])
        watch.stop()


def test_a_file_that_ends_the_pipeline_again_and_again_is_given_up(place: Path) -> None:
    inbox = place / "in"
    (inbox / "poison.txt").write_text(TEXT.format("Bergen"))
    (inbox / "good.txt").write_text(TEXT.format("Rome"))
    with RunningWatch(place, "in", "--graph", "kg") as watch:
        watch.written("good.txt")
        watch.stop()
    with open_driver(resolve_target(str(place / "kg"))) as driver:
        # As if five watches had begun it and been killed over it.
        driver.execute_query(
            "MATCH (s:Source) WHERE s.id ENDS WITH 'poison.txt' SET s.tries = 5, s.stamp = null", database_="kg"
        )
    with RunningWatch(place, "in", "--graph", "kg") as watch:
        assert "ended the pipeline" in watch.wait_for("failed")["cause"]
        (inbox / "next.txt").write_text(TEXT.format("Oslo"))
        watch.written("next.txt")
        watch.stop()
    assert [filed.letter.uri for filed in read_letters(place / "dead-letters")] == [str(inbox / "poison.txt")]


def test_rounds_that_fail_while_the_process_lives_count_against_no_file(
    graph: server.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("USERNAME", graph.user), ("PASSWORD", graph.password), ("DATABASE", graph.database)):
        monkeypatch.setenv(f"NEO4J_{name}", value)
    paths = {str(tmp_path / "in" / f"{number}.txt") for number in range(4)}
    (tmp_path / "in").mkdir()
    for path in paths:
        Path(path).write_text(TEXT.format("Bergen"))
    dead = tmp_path / "dead"
    watch = open_watch(
        PipelineOptions([f"--input={tmp_path}/in", f"--graph={graph.uri}", f"--dead_letters={dead}"]), 0.05, Metrics()
    )
    dead.touch()  # no folder: neither a run nor a dead letter can be written
    stop, seen, run = threading.Event(), [], structure.run

    def tries() -> dict[str, int]:
        return {path: count for path, (_, count) in read_sources(graph).items() if path in paths}

    def failing(options: PipelineOptions, job: structure.Job) -> Any:
        seen.append(tries())
        if len(seen) == 5:
            stop.set()
        if len(seen) in (1, 5):
            raise GraphError("the graph stopped answering")
        return run(options, job)

    monkeypatch.setattr(structure, "run", failing)
    watch.run(stop)
    # All four, the graph lost; all four, then two, then one, that cannot even be buried; all four, and the stop.
    assert [sum(found.values()) for found in seen] == [4, 4, 2, 1, 4]
    assert {count for found in seen for count in found.values()} == {0, 1}
    assert tries() == dict.fromkeys(paths, 0)


def test_options_that_a_watch_cannot_keep(place: Path) -> None:
    for option in (("--parquet", "tables"), ("--workers", "2")):
        ran = tripleflow("run", "--watch", "in", *option, "--graph", "kg", cwd=place)
        assert ran.code == 2
        assert option[0] in ran.err


def test_a_file_is_read_when_it_rests(tmp_path: Path) -> None:
    watcher = Watcher([f"{tmp_path}/**"], {})
    path = tmp_path / "a.txt"
    with path.open("w") as file:
        file.write("half")
        file.flush()
        assert being_written(str(path))
        assert [watcher.poll().read for _ in range(3)] == [{}, {}, {}]
        file.write(" and half")
    assert not being_written(str(path))
    watcher.poll()
    changes = watcher.poll()
    assert list(changes.read) == [str(path)]
    watcher.done(changes)
    assert watcher.poll().read == {}
    path.unlink()
    assert watcher.poll().gone == frozenset()
    assert watcher.poll().gone == {str(path)}


def test_a_writer_that_comes_while_it_is_asked_for_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.touch()
    asked = "import sys\nfrom transforms.reading.watching import being_written\nprint(flush=True)\n"
    asked += "while True: being_written(sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", asked, path], stdout=subprocess.PIPE) as asking:
        try:
            assert asking.stdout
            asking.stdout.readline()
            for _ in range(20_000):
                path.open("r+").close()
            assert asking.poll() is None
        finally:
            asking.kill()


def test_a_folder_that_is_not_there_has_lost_nothing(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "a.txt").write_text("a")
    watcher = Watcher([f"{inbox}/**"], {str(inbox / "a.txt"): "1:1"})
    inbox.rename(tmp_path / "elsewhere")
    for _ in range(3):
        with pytest.raises(OSError, match="mounted"):
            watcher.poll()
    inbox.mkdir()  # an empty mount point
    with pytest.raises(OSError, match="mounted"):
        watcher.poll()
