"""As of a time; what changed between two; what two models disagree about; graphs of an older version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kg_sink import server
from kg_sink.connection import GraphError, open_driver
from kg_sink.diffing import diff_models, diff_times
from kg_sink.exporting import canonical_export
from kg_sink.history import as_time
from kg_sink.merging import merge, undo
from kg_sink.migrations import VERSION, pending, prepare
from kg_sink.past_queries import about_then, entities_then, evidence_then, find_entities_then, runs, step_then
from kg_sink.queries import CHANGES, MERGED, find_entities, find_paths, run_query
from kg_sink.retracting import documents_meant, find_documents, retract
from kg_sink.writing import write
from tests.conftest import analysis
from transforms.matching import Match
from transforms.records import Analysis, Document, Relation, Structured
from transforms.resolving import resolve
from transforms.schema import load_schema
from transforms.stating import state

SCHEMA = load_schema()
MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (as_time(f"2026-03-0{day}") for day in (2, 3, 4, 5))


@pytest.fixture
def empty(graph: server.Connection) -> server.Connection:
    with open_driver(graph) as driver:
        driver.execute_query("MATCH (n) WHERE NOT n:TripleflowMeta DETACH DELETE n", database_=graph.database)
    return graph


def put(
    connection: server.Connection, place: str, now: str, model: str = "m@1", uri: str = "a", who: str = "Ann Lee"
) -> None:
    text = f"{who} likes {place}."
    found = analysis(text, [(who, "Person"), (place, "Location")], (Relation(0, "RESIDENCE", 1, 0.8),))
    document = Document(Document.make_id(uri, text), uri, "txt", uri, "en", text)
    structured = state(resolve(_with(found, document, model)), SCHEMA)
    _write(connection, structured, now)


def _with(found: Analysis, document: Document, model: str) -> Analysis:
    return replace(found, document=document, model=model)


def _write(connection: server.Connection, found: Structured, now: str, **how: bool) -> None:
    with open_driver(connection) as driver:
        write(driver, connection.database, SCHEMA, [found], now, **how)


def tails(rows: list[dict]) -> list[str]:
    return [row["tail"] for row in rows]


def test_queries_answer_as_the_graph_was(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Oslo", TUESDAY)
    retract(empty, [row["id"] for row in find_documents(empty, ["a"])], WEDNESDAY)
    with pytest.raises(GraphError, match="no entity"):
        find_entities_then(empty, "Ann Lee", THURSDAY)
    ann = find_entities_then(empty, "ann lee", MONDAY)[0]["id"]
    assert tails(about_then(empty, MONDAY, ann)) == ["Rome"]
    assert tails(about_then(empty, TUESDAY, ann)) == ["Oslo"]
    assert about_then(empty, WEDNESDAY, ann) == []
    assert {row["name"] for row in entities_then(empty, TUESDAY)} == {"Ann Lee", "Oslo"}
    assert entities_then(empty, as_time("2026-03-01")) == []
    (then,) = about_then(empty, MONDAY, ann)
    (evidence,) = evidence_then(empty, MONDAY, [then["statement"]])
    assert evidence["text"] == "Ann Lee likes Rome."
    rome = find_entities_then(empty, "Rome", MONDAY)[0]["id"]
    (path,) = find_paths(empty, ann, rome, step=lambda ids: step_then(empty, MONDAY, ids))
    assert path["statements"] == [then["statement"]]


def test_what_comes_back_stands_again(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    retract(empty, [row["id"] for row in find_documents(empty, ["a"])], TUESDAY)
    put(empty, "Rome", THURSDAY)
    ann = find_entities_then(empty, "Ann Lee", THURSDAY)[0]["id"]
    stood = [bool(about_then(empty, day, ann)) for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY)]
    assert stood == [True, False, False, True]


def test_a_forgotten_document_leaves_no_trace(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Rome", MONDAY, uri="b")
    put(empty, "Oslo", TUESDAY)
    for uri in ("a", "b"):
        retract(empty, [row["id"] for row in find_documents(empty, [uri])], WEDNESDAY, history=uri == "a")
    assert past_uris(empty) == ["a"]


def past_uris(connection: server.Connection) -> list[str]:
    query = "MATCH (p) WHERE p:PastEvidence OR p:PastMention RETURN DISTINCT p.uri AS uri ORDER BY uri"
    return [row["uri"] for row in run_query(connection, query)]


def test_forgetting_a_document_forgets_its_earlier_versions(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Rome", MONDAY, uri="ab")
    for uri in ("a", "ab"):
        put(empty, "Oslo", TUESDAY, uri=uri)
    retract(empty, [row["id"] for row in find_documents(empty, ["a"])], WEDNESDAY, history=False)
    assert past_uris(empty) == ["ab"]


def test_what_was_retracted_already_can_be_forgotten(empty: server.Connection) -> None:
    for uri in ("a", "a#b", "a/b", "ab"):
        put(empty, "Rome", MONDAY, uri=uri)
        put(empty, "Oslo", TUESDAY, uri=uri)
        retract(empty, [row["id"] for row in find_documents(empty, [uri])], WEDNESDAY)
    with pytest.raises(GraphError, match="no document of that name"):
        documents_meant(empty, ["a"])
    found = documents_meant(empty, ["a"], history=True)
    assert [row["uri"] for row in found] == ["a", "a", "a#b", "a#b", "a/b", "a/b"]
    retract(empty, [row["id"] for row in found], THURSDAY, history=False)
    assert past_uris(empty) == ["ab"]


def test_runs_stay_listed_when_what_they_brought_is_history(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Oslo", TUESDAY)
    put(empty, "Rome", TUESDAY, uri="b")
    assert [(row["time"], row["evidence"]) for row in runs(empty, 9)] == [(TUESDAY, 2), (MONDAY, 1)]
    assert [row["time"] for row in runs(empty, 1)] == [TUESDAY]


def test_diff_of_two_times(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Rome", MONDAY, uri="b")
    put(empty, "Oslo", WEDNESDAY)
    assert [(row["only"], row["tail"]) for row in diff_times(empty, MONDAY, THURSDAY)] == [(THURSDAY, "Oslo")]
    retract(empty, [row["id"] for row in find_documents(empty, ["b"])], THURSDAY)
    found = {(row["only"], row["tail"]) for row in diff_times(empty, MONDAY, THURSDAY)}
    assert found == {(MONDAY, "Rome"), (THURSDAY, "Oslo")}
    assert diff_times(empty, MONDAY, TUESDAY) == []


def test_another_model_adds_and_replaces_only_when_asked(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    text = "Ann Lee likes Rome."
    found = analysis(text, [("Ann Lee", "Person"), ("Rome", "Location")], (Relation(0, "BORN_IN", 1, 0.9),))
    document = Document(Document.make_id("a", text), "a", "txt", "a", "en", text)
    other = state(resolve(_with(found, document, "m@2")), SCHEMA)
    _write(empty, other, TUESDAY)
    found_now = {(row["only"], row["relation"]) for row in diff_models(empty, "m@1", "m@2")}
    assert found_now == {("m@1", "RESIDENCE"), ("m@2", "BORN_IN")}
    _write(empty, other, WEDNESDAY, replace_models=True)
    assert run_query(empty, "MATCH (v:Evidence) RETURN DISTINCT v.model AS model") == [{"model": "m@2"}]
    with pytest.raises(GraphError, match="nothing in the graph is by the model 'm@1'"):
        diff_models(empty, "m@1", "m@2")


def merged(connection: server.Connection, one: str, other: str, now: str) -> str:
    """Merge one person into another, both by name; the id of what is merged."""
    entity, into = (find_entities(connection, name)[0]["id"] for name in (one, other))
    merge(connection, [Match(entity, into, "Person", "test", 1.0)], now)
    return str(entity)


def test_a_merge_and_its_undoing_make_nothing_new(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Oslo", MONDAY, uri="b", who="Anne Lee")
    put(empty, "Rome", TUESDAY, uri="c", who="Anne Lee")
    ann = merged(empty, "Ann Lee", "Anne Lee", WEDNESDAY)

    def created() -> list[list[str]]:
        found = "MATCH (n) WHERE n:Entity OR n:Statement RETURN coalesce(n.name, n.relation) AS n, n.created AS at"
        return sorted([row["n"], row["at"]] for row in run_query(empty, found))

    assert created() == sorted([name, MONDAY] for name in ("Anne Lee", "Oslo", "Rome", "RESIDENCE", "RESIDENCE"))
    undo(empty, ann)
    assert run_query(empty, CHANGES.cypher, {"since": WEDNESDAY, "limit": 9}) == []
    assert ["Ann Lee", MONDAY] in created()


def test_what_is_gone_goes_by_the_names_of_today(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Rome", MONDAY, uri="b", who="ANN LEE")  # the better name, until it goes
    retract(empty, [row["id"] for row in find_documents(empty, ["b"])], WEDNESDAY)
    (person,) = entities_then(empty, TUESDAY, "Person")
    assert (person["name"], person["documents"]) == ("Ann Lee", 2)
    (stated,) = about_then(empty, TUESDAY, person["id"])
    assert (stated["head"], stated["evidence"]) == ("Ann Lee", 2)
    retract(empty, [row["id"] for row in find_documents(empty, ["a"])], WEDNESDAY)
    (gone,) = entities_then(empty, TUESDAY, "Person")
    assert (gone["name"], gone["documents"]) == ("ANN LEE", 2)


def likes(connection: server.Connection, who: str, at: str) -> list[tuple[str, str, int]]:
    found = about_then(connection, at, find_entities_then(connection, who, at)[0]["id"])
    return [(row["head"], row["tail"], row["evidence"]) for row in found]


def test_a_merge_and_its_undoing_hold_for_what_is_gone(empty: server.Connection) -> None:
    for uri, who in (("a", "Ann Lee"), ("b", "Ann Lee"), ("c", "Anne Lee"), ("d", "Ann Lee")):
        put(empty, "Rome", MONDAY, uri=uri, who=who)
    retract(empty, [row["id"] for row in find_documents(empty, ["a"])], TUESDAY)
    ann = merged(empty, "Ann Lee", "Anne Lee", TUESDAY)
    assert likes(empty, "Anne Lee", MONDAY) == [("Anne Lee", "Rome", 4)]
    assert likes(empty, ann, MONDAY) == [("Anne Lee", "Rome", 4)]
    (person,) = entities_then(empty, MONDAY, "Person")
    assert (person["name"], person["documents"]) == ("Anne Lee", 4)
    assert diff_times(empty, MONDAY, THURSDAY) == []
    retract(empty, [row["id"] for row in find_documents(empty, ["b"])], WEDNESDAY)
    undo(empty, ann)
    assert likes(empty, "Anne Lee", MONDAY) == [("Anne Lee", "Rome", 1)]
    assert likes(empty, "Ann Lee", MONDAY) == [("Ann Lee", "Rome", 3)]
    assert {row["documents"] for row in entities_then(empty, MONDAY, "Person")} == {1, 3}
    assert diff_times(empty, MONDAY, THURSDAY) == []


def test_an_entity_that_went_before_it_was_merged_is_found_under_what_it_is_now(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Oslo", MONDAY, uri="b", who="Anne Lee")
    ann = find_entities(empty, "Ann Lee")[0]["id"]
    retract(empty, [row["id"] for row in find_documents(empty, ["a"])], TUESDAY)
    with open_driver(empty) as driver:  # as older graphs have it
        driver.execute_query("MATCH (p:PastEvidence) REMOVE p.said_head, p.said_tail", database_=empty.database)
    merge(empty, [Match(ann, find_entities(empty, "Anne Lee")[0]["id"], "Person", "test", 1.0)], WEDNESDAY)
    retract(empty, [row["id"] for row in find_documents(empty, ["b"])], WEDNESDAY)
    for name in ("Ann Lee", "Anne Lee", ann):
        assert {tail for _, tail, _ in likes(empty, name, MONDAY)} == {"Rome", "Oslo"}
    assert likes(empty, "Anne Lee", MONDAY)[0][0] == "Anne Lee"
    undo(empty, ann)
    assert likes(empty, "Ann Lee", MONDAY) == [("Ann Lee", "Rome", 1)]


def test_who_was_merged_is_forgotten_with_the_last_document_that_says_the_name(empty: server.Connection) -> None:
    for uri, who in (("a", "Ann Lee"), ("b", "Ann Lee"), ("c", "Ann Lee"), ("d", "Anne Lee")):
        put(empty, "Rome", MONDAY, uri=uri, who=who)
    retract(empty, [row["id"] for row in find_documents(empty, ["a"])], TUESDAY)
    ann = merged(empty, "Ann Lee", "Anne Lee", TUESDAY)
    left = []
    for uri in ("b", "c", "a"):  # documents say the name, then history alone, then nothing
        found = find_documents(empty, [uri], history=True)
        retract(empty, [row["id"] for row in found], WEDNESDAY, history=False)
        left += run_query(empty, MERGED.cypher)
    assert [(row["id"], row["into"], row["entity"]) for row in left] == [
        (ann, "Anne Lee", name) for name in ("Ann Lee", "Ann Lee", None)
    ]
    put(empty, "Rome", THURSDAY, who="Ann Lee")
    assert run_query(empty, "MATCH (p:Person) RETURN p.name AS name") == [{"name": "Anne Lee"}]


def test_evidence_says_when_it_was_seen(empty: server.Connection) -> None:
    for now in (TUESDAY, MONDAY, WEDNESDAY, TUESDAY):
        put(empty, "Rome", now)
    query = "MATCH (v:Evidence) RETURN v.first_seen AS first, v.last_seen AS last"
    assert run_query(empty, query) == [{"first": TUESDAY, "last": WEDNESDAY}]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
def test_a_time_that_is_none(text: str) -> None:
    with pytest.raises(GraphError, match="write it as"):
        as_time(text)


def test_a_graph_of_version_1_is_brought_up(empty: server.Connection) -> None:
    put(empty, "Rome", MONDAY)
    put(empty, "Rome", MONDAY, uri="b")
    wanted = canonical_export(empty)
    with open_driver(empty) as driver:
        for query in (
            "MATCH (v:Evidence) SET v.created = v.first_seen "
            "REMOVE v.first_seen, v.last_seen, v.head, v.relation, v.tail",
            "MATCH ()-[m:MENTIONED_IN]->() REMOVE m.said, m.model, m.first_seen, m.last_seen",
            "MATCH (d:Document) REMOVE d.last_seen, d.source",
            "MATCH (s:Statement) REMOVE s.confidence",
            "MATCH (n:TripleflowMeta) DELETE n",
        ):
            driver.execute_query(query, database_=empty.database)
    assert [migration.version for migration in pending(empty)] == list(range(1, VERSION + 1))
    prepare(empty)
    assert pending(empty) == []
    (evidence,) = {row["v"]["first_seen"] for row in run_query(empty, "MATCH (v:Evidence) RETURN v")}
    assert evidence == MONDAY
    put(empty, "Rome", TUESDAY)
    put(empty, "Rome", TUESDAY, uri="b")
    assert canonical_export(empty) == wanted


def test_a_graph_of_a_later_version_is_left_alone(empty: server.Connection) -> None:
    with open_driver(empty) as driver:
        driver.execute_query("MATCH (n:TripleflowMeta) SET n.version = 99", database_=empty.database)
    try:
        with pytest.raises(GraphError, match="version 99"):
            prepare(empty)
    finally:
        with open_driver(empty) as driver:
            driver.execute_query(
                "MATCH (n:TripleflowMeta) SET n.version = $version", version=VERSION, database_=empty.database
            )
