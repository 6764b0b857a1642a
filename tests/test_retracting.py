"""A graph after any writes, replacements and retractions is the one that the last versions make by themselves."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg_sink import server
from kg_sink.connection import open_driver
from kg_sink.exporting import canonical_export
from kg_sink.migrations import prepare
from kg_sink.queries import run_query
from kg_sink.retracting import find_documents, retract, retract_in
from kg_sink.writing import write
from tests.conftest import analysis, tripleflow
from transforms.records import Document, Fact, Relation, Structured
from transforms.resolving import resolve
from transforms.schema import Schema, load_schema
from transforms.stating import state

SCHEMA = load_schema()
NOW, LATER = (f"2026-01-0{day}T00:00:00.000000+00:00" for day in (1, 2))
PEOPLE, FIRMS, PLACES = ("Ann Lee", "Bo Ek"), ("Acme", "Acme Ltd", "Contoso"), ("Rome", "Oslo")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Connection]:
    folder = tmp_path_factory.mktemp("retracting") / "kg"
    connection = server.start(folder).connection
    prepare(connection)
    yield connection
    server.wipe(folder)


def made(uri: str, version: int, parent: str | None = None) -> Structured:
    """A document's version: who works for whom and where, by chance but always the same."""
    chance = random.Random(f"{uri} {version}")
    person, firm, place = chance.choice(PEOPLE), chance.choice(FIRMS), chance.choice(PLACES)
    text = f"{person} works for {firm} in {place}. Version {version}."
    names = [(person, "Person"), (firm, "Organisation"), (place, "Location")]
    relations = (
        Relation(0, "EMPLOYER", 1, chance.choice((0.5, 0.7, 0.9))),
        Relation(1, "LOCATED_IN", 2, chance.choice((0.5, 0.7, 0.9))),
    )
    found = analysis(text, names, relations[: chance.randint(1, 2)])
    document = Document(Document.make_id(uri, text), uri, "txt", uri, "en", text, parent=parent)
    return state(resolve(replace(found, document=document)), SCHEMA)


def put(connection: server.Connection, *documents: Structured) -> None:
    with open_driver(connection) as driver:
        write(driver, connection.database, SCHEMA, documents, NOW)


def clear(connection: server.Connection) -> None:
    with open_driver(connection) as driver:
        driver.execute_query("MATCH (n) DETACH DELETE n", database_=connection.database)


STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.one_of(st.none(), st.integers(1, 3))), min_size=1, max_size=8
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_any_sequence_leaves_what_its_last_versions_make(
    empty: server.Connection, steps: list[tuple[str, int | None]]
) -> None:
    clear(empty)
    last: dict[str, Structured] = {}
    for uri, version in steps:
        if version is None:
            retract(empty, [row["id"] for row in find_documents(empty, [uri])], NOW)
            last.pop(uri, None)
        else:
            last[uri] = made(uri, version)
            put(empty, last[uri])
    found = canonical_export(empty)
    clear(empty)
    if last:
        put(empty, *reversed(last.values()))
    assert found == canonical_export(empty)


def test_an_attachment_goes_with_the_mail_that_lost_it(empty: server.Connection) -> None:
    clear(empty)
    mail = made("m.eml", 1)
    kept, lost = (made(f"m.eml#{name}", 1, mail.resolved.analysis.document.id) for name in ("kept.txt", "lost.txt"))
    put(empty, mail, kept, lost)
    changed = made("m.eml", 2)
    put(empty, changed, made("m.eml#kept.txt", 1, changed.resolved.analysis.document.id))
    uris = [row["uri"] for row in run_query(empty, "MATCH (d:Document) RETURN d.uri AS uri ORDER BY uri")]
    assert uris == ["m.eml", "m.eml#kept.txt"]
    assert [row["uri"] for row in find_documents(empty, ["m.eml"])] == uris
    retract(empty, [row["id"] for row in find_documents(empty, ["m.eml"])], NOW)
    assert canonical_export(empty) == []


def mailed(*facts: Fact) -> Structured:
    """A mail of which the headers say these."""
    text = "From: Ann Lee\nSubject: Rome\n\nWe meet."
    found = analysis(text, [])
    document = Document(Document.make_id("m.eml", text), "m.eml", "eml", "Rome", "en", text, facts=facts)
    return state(resolve(replace(found, document=document)), SCHEMA)


SENT = Fact((24, 28), "Message", "SENT_BY", (6, 13), "Person")


def test_what_headers_said_goes_when_they_say_nothing_any_more(empty: server.Connection) -> None:
    clear(empty)
    put(empty, mailed(SENT))
    assert run_query(empty, "MATCH (s:Statement) RETURN s.relation AS relation") == [{"relation": "SENT_BY"}]
    put(empty, mailed())
    found = canonical_export(empty)
    clear(empty)
    put(empty, mailed())
    assert found == canonical_export(empty)


@pytest.mark.parametrize("ends", [["Person"], ["Message"], ["Person", "Message"]])
def test_a_statement_that_lost_its_ends_goes_with_its_document(empty: server.Connection, ends: list[str]) -> None:
    clear(empty)
    put(empty, mailed(SENT))
    with open_driver(empty) as driver:
        for label in ends:
            driver.execute_query(f"MATCH (e:{label}) DETACH DELETE e", database_=empty.database)
    retract(empty, [row["id"] for row in find_documents(empty, ["m.eml"])], LATER)
    assert canonical_export(empty) == []


def registered(found: Structured, old: str, **entry: str) -> Structured:
    """As linked to a register of one entry, P-1, which is what the document calls `old`."""
    entities = tuple(
        replace(e, id="P-1", register_id="P-1", **entry) if e.name == old else e for e in found.resolved.entities
    )
    return state(replace(found.resolved, entities=entities), SCHEMA)


def stated(uri: str) -> Structured:
    text = f"Kari Halvorsen lives in Rome, as {uri} says."
    found = analysis(text, [("Kari Halvorsen", "Person"), ("Rome", "Location")], (Relation(0, "RESIDENCE", 1, 0.9),))
    document = Document(Document.make_id(uri, text), uri, "txt", uri, "en", text)
    return state(resolve(replace(found, document=document)), SCHEMA)


@pytest.mark.parametrize(
    "corrected",
    [{"name": "Kari Halvorsen"}, {"type": "Organisation"}, {"name": "Kari", "type": "Organisation"}],
    ids=lambda entry: " and ".join(entry),
)
def test_a_corrected_register_is_what_the_graph_says(empty: server.Connection, corrected: dict[str, str]) -> None:
    before = {"name": "Kari Anne Halvorsen Solberg", "type": "Person"}
    clear(empty)
    put(empty, *(registered(stated(uri), "Kari Halvorsen", **before) for uri in ("a", "b")))
    last = [registered(stated(uri), "Kari Halvorsen", **(before | corrected)) for uri in ("a", "b")]
    for found in last:
        put(empty, found)
    found_now = canonical_export(empty)
    with open_driver(empty) as driver:  # as graphs are that were written before this held
        old = "MATCH (e:Entity {id: 'P-1'}) SET e.name = $name"
        driver.execute_query(old, name=before["name"], database_=empty.database)
    put(empty, last[0])
    assert canonical_export(empty) == found_now
    clear(empty)
    put(empty, *last)
    assert found_now == canonical_export(empty)


def test_an_entity_of_another_type_keeps_what_other_documents_say(empty: server.Connection) -> None:
    clear(empty)
    one, other = (registered(stated(uri), "Kari Halvorsen", name="Kari") for uri in ("a", "b"))
    put(empty, one, other)
    before = canonical_export(empty)
    put(empty, registered(stated("a"), "Kari Halvorsen", name="Kari", type="Organisation"))
    retyped = [line.replace('"Person"', '"Organisation"') for line in before]
    assert {line for line in canonical_export(empty) if '"b"' in line} == {line for line in retyped if '"b"' in line}
    assert run_query(empty, "MATCH (e:Organisation)-[r]-() RETURN count(r) AS n") == [{"n": 4}]
    put(empty, one)
    assert canonical_export(empty) == before


def test_a_reader_never_sees_half_a_document(empty: server.Connection) -> None:
    clear(empty)
    put(empty, made("a", 1))
    half = (
        "MATCH (d:Document) OPTIONAL MATCH (v:Evidence)-[:FROM]->(d) RETURN count(DISTINCT d) AS d, count(v) > 0 AS v"
    )
    with (
        open_driver(empty) as driver,
        driver.session(database=empty.database) as session,
        session.begin_transaction() as transaction,
    ):
        retract_in(transaction, [row["id"] for row in find_documents(empty, ["a"])], NOW)
        assert run_query(empty, half) == [{"d": 1, "v": True}]
        transaction.rollback()  # as if cut off before the commit
    assert run_query(empty, half) == [{"d": 1, "v": True}]


def test_the_command_line_replaces_and_retracts(tmp_path: Path, schema: Schema) -> None:
    note, folder = tmp_path / "notes" / "note.txt", tmp_path / "kg"
    note.parent.mkdir()
    note.write_text("Kari Halvorsen was born in Bergen on 2 May 1961.")
    try:
        assert tripleflow("run", "notes", "--graph", "kg", cwd=tmp_path).code == 0
        note.write_text("Kari Halvorsen was born in Oslo on 3 June 1962.")
        assert tripleflow("run", "notes", "--graph", "kg", cwd=tmp_path).code == 0
        connection = server.start(folder).connection
        names = {row["name"] for row in run_query(connection, "MATCH (e:Entity) RETURN e.name AS name")}
        assert {"Kari Halvorsen", "Oslo", "1962-06-03"} <= names
        assert not names & {"Bergen", "1961-05-02"}
        note.unlink()
        wrong = tripleflow("retract", "notes/nota.txt", "--graph", "kg", cwd=tmp_path)
        assert wrong.code == 2
        assert "did you mean" in wrong.err
        assert "would be retracted" in tripleflow("retract", "notes", "--dry-run", "--graph", "kg", cwd=tmp_path).out
        assert canonical_export(connection)
        ran = tripleflow("retract", "notes", "--graph", "kg", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert "1 document" in ran.out
        assert canonical_export(connection) == []
        past = "MATCH (p) WHERE p:PastEvidence OR p:PastMention RETURN count(p) > 0 AS any"
        assert run_query(connection, past) == [{"any": True}]
        ran = tripleflow("retract", "notes", "--forget", "--graph", "kg", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert "1 document" in ran.out
        assert run_query(connection, past) == [{"any": False}]
        for name in ("notes/b.eml", "notes/b.eml#c.txt", "notes/d[1].eml", "notes/sub/e.eml", "notes/f.eml.txt"):
            put(connection, made(str(tmp_path / name), 1))
        assert tripleflow("retract", "notes/d[1].eml", "--graph", "kg", cwd=tmp_path).code == 0
        ran = tripleflow("retract", "notes/*.eml", "--graph", "kg", cwd=tmp_path)
        assert ran.code == 0, ran.err
        left = {row["uri"] for row in run_query(connection, "MATCH (d:Document) RETURN d.uri AS uri")}
        assert left == {str(tmp_path / "notes" / name) for name in ("sub/e.eml", "f.eml.txt")}
        ran = tripleflow("retract", "notes/*.eml", "--graph", "kg", cwd=tmp_path)
        assert ran.code == 2
        assert "the graph holds no document of that name" in ran.err
        ran = tripleflow("retract", "notes/**", "--forget", "--graph", "kg", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert run_query(connection, past) == [{"any": False}]
        put(connection, made("gs://bucket/reports/a.txt", 1))
        ran = tripleflow("retract", "gs://bucket/reports/", "--graph", "kg", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert canonical_export(connection) == []
    finally:
        server.wipe(folder)
