"""What a user types: the commands over a filled graph, and one clear line for every mistake."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image
from selenium import webdriver

from kg_sink import server
from kg_sink.migrations import prepare
from kg_sink.view import COLOURS
from pipelines.cli import cli, register_commands
from pipelines.running import split_arguments
from tests.conftest import SAMPLES, SampleRun, tripleflow
from transforms.bundle import SENTENCE_ENCODER
from transforms.letter_box import put_letter
from transforms.records import DeadLetter


def rows(run: SampleRun, *arguments: str) -> list[dict[str, object]]:
    ran = tripleflow("query", *arguments, "--graph", str(run.graph), "--format", "json", cwd=run.folder)
    assert ran.code == 0, ran.err
    found: list[dict[str, object]] = json.loads(ran.out)
    return found


def test_summary_names_what_was_done(sample_run: SampleRun) -> None:
    for text in ("documents by format", "statements by relation", "dead letters by cause: none", "seconds by stage"):
        assert text in sample_run.ran.out


def test_query_entities_by_type(sample_run: SampleRun) -> None:
    found = rows(sample_run, "entities", "--type", "Organisation", "--limit", "5")
    assert found[0]["name"] == "Halvorsen Marine Systems AS"
    assert {row["type"] for row in found} == {"Organisation"}


def test_query_about_any_spelling(sample_run: SampleRun) -> None:
    for spelling in ("ORG-0001", "halvorsen marine systems as", "Halvorsen Marine"):
        (found,) = rows(sample_run, "about", spelling)
        assert found["id"] == "ORG-0001"
        assert found["statements"]
        assert found["documents"]


def test_a_name_of_several_entities_says_so(sample_run: SampleRun) -> None:
    several = ("Ingrid Solberg", "--graph", str(sample_run.graph))
    ran = tripleflow("query", "about", *several, cwd=sample_run.folder)
    assert "Person Ingrid Solberg (PER-0001)" in ran.out
    assert "not Person Ingrid Solberg (PER-0003)" in ran.err
    assert "give an id for another" in ran.err
    assert "PER-0001" not in tripleflow("query", "about", "PER-0001", *several[1:], cwd=sample_run.folder).err
    refused = tripleflow("resolve", "--merge", "Kari Halvorsen", *several, cwd=sample_run.folder)
    assert refused.code == 2
    assert "'Ingrid Solberg' may be PER-0001 (Person Ingrid Solberg), PER-0003" in refused.err


def test_what_a_limit_cuts_is_said(sample_run: SampleRun) -> None:
    options = ("query", "entities", "--graph", str(sample_run.graph))
    assert "there are more than these 5" in tripleflow(*options, "--limit", "5", cwd=sample_run.folder).err
    assert "more" not in tripleflow(*options, "--limit", "5000", cwd=sample_run.folder).err


def test_query_paths_and_evidence(sample_run: SampleRun) -> None:
    path = rows(sample_run, "paths", "Halvorsen Marine", "Norway")[0]
    statements = path["statements"]
    assert isinstance(statements, list)
    for statement in statements:
        evidence = rows(sample_run, "evidence", statement)
        for row in evidence:
            assert row["text"]
            assert row["uri"]


def test_query_changes_and_counts(sample_run: SampleRun) -> None:
    assert rows(sample_run, "changes", "2020-01-01", "--limit", "3")
    assert rows(sample_run, "changes", "2999-01-01") == []
    counts = rows(sample_run, "counts")
    assert {row["what"] for row in counts} == {"documents", "entities", "statements", "evidence"}


def test_cypher_with_parameters_as_csv(sample_run: SampleRun) -> None:
    ran = tripleflow(
        "query", "--cypher", "MATCH (p:Person) RETURN p.name AS name ORDER BY name LIMIT $n", "--param", "n=3",
        "--format", "csv", "--graph", str(sample_run.graph), cwd=sample_run.folder,
    )  # fmt: skip
    assert len(list(csv.DictReader(io.StringIO(ran.out)))) == 3


def test_a_query_never_writes(sample_run: SampleRun) -> None:
    rows(sample_run, "--cypher", "CREATE (n:Entity {id: 'x-written'}) RETURN n.id AS id")
    assert rows(sample_run, "--cypher", "MATCH (n:Entity {id: 'x-written'}) RETURN n.id AS id") == []


def test_export_is_sorted_json_lines(sample_run: SampleRun, tmp_path: Path) -> None:
    out = tmp_path / "graph.jsonl"
    ran = tripleflow("graph", "export", "--graph", str(sample_run.graph), "--out", str(out), cwd=tmp_path)
    assert ran.code == 0, ran.err
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(lines)
    assert {json.loads(line)["kind"] for line in lines} == {"node", "edge"}


def test_what_is_written_out_has_its_folder_made_or_is_refused(sample_run: SampleRun, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for command in (("graph", "export"), ("view", "--limit", "3"), ("view", "--timeline")):
        ran = tripleflow(*command, "--graph", str(sample_run.graph), "--out", "new/x", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert (tmp_path / "new" / "x").read_text(encoding="utf-8")
        (tmp_path / "new" / "x").unlink()
    ran = tripleflow("graph", "export", "--graph", str(sample_run.graph), "--out", "file/x", cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.strip() == "tripleflow: --out file/x: File exists; name a file that can be written"


def test_a_port_that_is_taken_is_said_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Acme is in Rome.")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = tripleflow("run", "--watch", ".", "--metrics-port", port, cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.strip() == (
        f"tripleflow: --metrics-port {port}: Address already in use; give another, or 0 for any that is free"
    )
    assert not (tmp_path / "graph").exists()


def test_the_picture_opens_in_a_browser_without_a_network(
    sample_run: SampleRun, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    page = tmp_path / "graph.html"
    ran = tripleflow("view", "--graph", str(sample_run.graph), "--out", str(page), cwd=tmp_path)
    assert ran.code == 0, ran.err
    browser.get(page.as_uri())
    assert browser.title == "tripleflow"
    drawn: set[str] = set()
    deadline = time.monotonic() + 60  # the layout comes to rest when it does
    while len(drawn) < 4 and time.monotonic() < deadline:
        drawn = _colours(browser.get_screenshot_as_png())
    assert len(drawn) >= 4, f"nodes of these colours only: {drawn}"


def _colours(picture: bytes) -> set[str]:
    """The node colours that fill at least two hundred points."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    counts = {colour: count for count, colour in image.getcolors(image.width * image.height) or []}
    wanted = {c: (int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16)) for c in COLOURS}
    return {name for name, colour in wanted.items() if counts.get(colour, 0) > 200}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["rnu", "x"], "did you mean 'run'"),
        (["query", "entites"], "did you mean 'entities'"),
        (["run"], "no INPUT"),
        (["run", "samples", "--streeming"], "did you mean --streaming"),
        (["run", "samples", "--registre=x.csv"], "did you mean --register"),
        (["dead-letters", "replay", "--registre=x.csv"], "No such option"),
        (["dead-letters", "replay", "--streaming"], "No such option"),
        (["dead-letters", "replay", "a.txt"], "unexpected extra argument (a.txt)"),
        (["run", "no-such-folder"], "no such file or folder"),
        (["run", "samples", "--limit", "max_second=9"], "did you mean 'max_seconds'?"),
        (["run", "samples", "--limit", "max_pages=many"], "write it as max_pages=5000"),
        (["run", "samples", "--parquet", "samples/a.txt"], "--parquet samples/a.txt: Not a directory; name a folder"),
        (["run", "samples", "--dead-letters", "samples/a.txt/b"], "samples/a.txt: Not a directory; name a folder"),
        (["run", "samples", "--metrics-port", "0"], "--metrics-port: only a watch takes it; add --watch"),
        (["run", "samples", "--interval", "2"], "--interval: only a watch takes it; add --watch"),
        (["run", "samples", "--parquet", "/proc"], "--parquet /proc: "),
        (["query", "counts", "--graph", "nowhere"], "no graph there yet"),
        (["query", "counts", "--graph", "bolt://127.0.0.1:9"], "no graph server answers there"),
        (["query", "counts", "--graph", "http://127.0.0.1:9"], "not a graph's URI; write bolt://HOST:PORT"),
        (["query", "--graph", "x", "counts"], "stands before 'counts'"),
        (["run", "samples", "--model", str(SENTENCE_ENCODER)], "not for 'structure'"),
        (["graph", "status", "--graph", "bolt://x"], "embedded graph's folder"),
        (["models", "verify", "nowhere"], "manifest.json"),
        (["dead-letters", "show", "dead-0"], "no dead letter"),
    ],
)
def test_a_mistake_is_one_line_with_the_nearest_right_thing(arguments: list[str], hint: str, tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "a.txt").write_text("Acme is in Rome.")
    ran = tripleflow(*arguments, cwd=tmp_path)
    assert ran.code == 2
    assert hint in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert ran.err.startswith("tripleflow: ")
    assert not (tmp_path / "graph").exists()


def test_options_of_beam_are_known_by_all_their_names_and_flags_take_no_input() -> None:
    flags = ["--no_use_public_ips", "--use_public_ips", "--save_main_session", "--no_pipeline_type_check"]
    for flag in flags:
        assert split_arguments([flag, "docs"]) == (["docs"], [flag])
    valued = ["--experiment", "a", "--label", "b=c", "--extra_package=d.tar.gz", "--job-server-timeout", "9"]
    assert split_arguments([*valued, "docs"]) == (["docs"], valued)


def test_a_wrong_password_ends_before_any_model_runs(graph: server.Connection, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Acme is in Rome.")
    ran = tripleflow("run", "a.txt", "--graph", graph.uri, cwd=tmp_path)
    assert ran.code == 2
    assert "NEO4J_PASSWORD" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not (tmp_path / "dead-letters").exists()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[server.Connection]:
    """A graph with one document, and a user who may only read it."""
    folder = tmp_path / "kg"
    connection = server.start(folder).connection
    prepare(connection)
    server.stop(folder)
    groups, users = folder / "config" / "server-groups.json", folder / "config" / "server-users.jsonl"
    content = json.loads(groups.read_text())
    content["databases"]["*"]["groups"]["reader"] = {"access": [], "types": {"*": {"access": ["readRecord"]}}}
    groups.write_text(json.dumps(content))
    salt, rounds = "c2FsdA==", 65536
    hashed = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"only-to-read", salt.encode(), rounds, 32)).decode()
    password = f"PBKDF2WithHmacSHA256${rounds}${salt}${hashed}"
    with users.open("a") as file:
        file.write(json.dumps({"name": "reader", "databases": {"kg": ["reader"]}, "password": password}))
    found = server.start(folder).connection
    yield replace(found, user="reader", password="only-to-read")
    server.wipe(folder)


def test_a_server_that_may_only_be_read_ends_before_any_model_runs(
    reader: server.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("Acme is in Rome.")
    monkeypatch.setenv("NEO4J_USERNAME", reader.user)
    monkeypatch.setenv("NEO4J_PASSWORD", reader.password)
    monkeypatch.setenv("NEO4J_DATABASE", reader.database)
    assert tripleflow("query", "counts", "--graph", reader.uri, cwd=tmp_path).code == 0
    ran = tripleflow("run", "a.txt", "--graph", reader.uri, cwd=tmp_path)
    assert ran.code == 2
    assert "does not let this user write" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not (tmp_path / "dead-letters").exists()


@pytest.mark.parametrize(
    ("option", "content", "hint"),
    [
        (
            "--schema",
            "entities: {Person: {}}\nrelations: {KNOWS: {head: [Persn], tail: [Person]}}",
            "did you mean 'Person'",
        ),
        ("--schema", "relations: {}", "field 'entities' is missing"),
        ("--schema", "entities: {Person: {}}\nrelation: {}", "did you mean 'relations'?"),
        ("--schema", "entities: {'a b': {}}", "a name is a letter"),
        ("--register", "id,name,type\n1,Acme,Organization", "did you mean 'Organisation'"),
        ("--register", "id,name,type\n1,,Organisation", "row 2: field 'name'"),
        ("--register", "id,name,type\n1,A,Person\n1,B,Person", "stands in row 2 too"),
    ],
)
def test_bad_files_are_named_with_field_and_remedy(option: str, content: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Acme is in Rome.")
    path = tmp_path / ("s.yaml" if option == "--schema" else "r.csv")
    path.write_text(content)
    ran = tripleflow("run", "a.txt", option, path.name, cwd=tmp_path)
    assert ran.code == 2
    assert hint in ran.err
    assert path.name in ran.err


def test_letters_that_cannot_be_replayed_are_not_taken_for_none(tmp_path: Path) -> None:
    assert "no dead letters in dead-letters" in tripleflow("dead-letters", "replay", cwd=tmp_path).out
    for number, letter in enumerate(
        (
            DeadLetter.of("t/0/5", "read", ValueError("bad")).of_message("t/0/5"),
            DeadLetter.of(str(tmp_path / "gone.txt"), "read", ValueError("bad")),
        )
    ):
        put_letter(tmp_path / "dead-letters", f"run-{number}", {}, letter)
    ran = tripleflow("dead-letters", "replay", cwd=tmp_path)
    assert ran.code == 0
    assert "2 letters in dead-letters, none of which can be replayed" in ran.out
    assert "gone.txt: is not there any more" in ran.err


def test_tables_of_a_replay_are_of_one_run(tmp_path: Path) -> None:
    for name, options in (("a", {"register": "/r.csv"}), ("b", {})):
        (tmp_path / name).touch()
        letter = DeadLetter.of(str(tmp_path / name), "read", ValueError("bad"))
        put_letter(tmp_path / "dead-letters", "run-1", options, letter)
    ran = tripleflow("dead-letters", "replay", "--parquet", "tables", cwd=tmp_path)
    assert ran.code == 2
    assert "these were run apart; give --register" in ran.err


def test_query_timeline_and_its_picture(sample_run: SampleRun) -> None:
    found = rows(sample_run, "timeline", "--every", "year")
    assert [row["period"] for row in found] == sorted(str(row["period"]) for row in found)
    dated = sum(int(str(row["documents"])) for row in found)
    assert dated > 5
    written = rows(sample_run, "timeline", "--by", "written")
    assert sum(int(str(row["documents"])) for row in written) > dated
    options = ("--timeline", "--every", "year", "--out", "time.html", "--graph", str(sample_run.graph))
    drawn = tripleflow("view", *options, cwd=sample_run.folder)
    assert drawn.code == 0, drawn.err
    page = (sample_run.folder / "time.html").read_text()
    assert page.count("<rect") == 2 * len(found)
    assert f"{found[0]['period']}: {found[0]['documents']} documents" in page


def test_query_as_of_a_time(sample_run: SampleRun) -> None:
    (first, *_) = sorted(str(row["time"]) for row in rows(sample_run, "runs"))
    (now,) = rows(sample_run, "about", "ORG-0001")
    then = rows(sample_run, "about", "ORG-0001", "--as-of", first)
    statements = now["statements"]
    assert isinstance(statements, list)
    assert {row["statement"] for row in then} == {row["statement"] for row in statements}
    assert rows(sample_run, "about", "ORG-0001", "--as-of", "2020-01-01") == []
    assert rows(sample_run, "evidence", str(then[0]["statement"]), "--as-of", first)
    assert len(rows(sample_run, "entities", "--as-of", first, "--limit", "7")) == 7
    assert rows(sample_run, "paths", "Halvorsen Marine", "Norway", "--as-of", first)


def test_graph_migrate(sample_run: SampleRun) -> None:
    for option, text in ((("--dry-run",), "nothing to do"), ((), "has version")):
        ran = tripleflow("graph", "migrate", *option, "--graph", str(sample_run.graph), cwd=sample_run.folder)
        assert ran.code == 0, ran.err
        assert text in ran.out


def test_every_command_has_help_with_an_example() -> None:
    register_commands()
    pending = [(["--help"], cli)]
    seen = 0
    while pending:
        arguments, group = pending.pop()
        text = CliRunner().invoke(cli, arguments).output
        assert "Example" in text, arguments
        seen += 1
        for name, command in getattr(group, "commands", {}).items():
            pending.append(([*arguments[:-1], name, "--help"], command))
    assert seen > 15


def test_graph_commands(tmp_path: Path) -> None:
    for command, text in (
        ("status", "No graph runs"),
        ("start", "runs at bolt://127.0.0.1"),
        ("start", "already runs"),
        ("status", "and answers"),
        ("stop", "is stopped"),
        ("stop", "No graph runs"),
        ("wipe", "no graph any more"),
    ):
        ran = tripleflow("graph", command, "--graph", "kg", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert text in ran.out
    assert SAMPLES.exists()
