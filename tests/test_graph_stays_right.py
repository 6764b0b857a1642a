"""Any sequence of writes, replays, changes, retractions, merges and undone merges leaves what a plain model leaves."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg_sink import server
from kg_sink.connection import GraphError, open_driver
from kg_sink.exporting import canonical_export
from kg_sink.merging import gather, merge, undo
from kg_sink.migrations import prepare
from kg_sink.retracting import find_documents, retract
from kg_sink.writing import write
from tests.conftest import analysis
from tests.graph_model import GraphModel
from transforms.matching import Match
from transforms.records import Document, Relation, Structured
from transforms.resolving import resolve
from transforms.schema import load_schema
from transforms.stating import state

SCHEMA = load_schema()
PEOPLE, FIRMS, PLACES = ("Ann Lee", "Bo Ek", "Bo Ekman"), ("Acme", "Acme Ltd", "Contoso"), ("Rome", "Oslo")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Connection]:
    folder = tmp_path_factory.mktemp("right") / "kg"
    connection = server.start(folder).connection
    prepare(connection, SCHEMA)
    yield connection
    server.wipe(folder)


def made(uri: str, version: int, model: str) -> Structured:
    """A document's version as a model sees it, by chance but always the same."""
    chance = random.Random(f"{uri} {version}")
    person, firm, place = chance.choice(PEOPLE), chance.choice(FIRMS), chance.choice(PLACES)
    text = f"{person} works for {firm} in {place}. Version {version}."
    chance = random.Random(f"{uri} {version} {model}")
    relations = (
        Relation(0, "EMPLOYER", 1, chance.choice((0.5, 0.7, 0.9))),
        Relation(1, "LOCATED_IN", 2, chance.choice((0.5, 0.7, 0.9))),
        Relation(0, "RESIDENCE", 2, 0.6),
    )
    names = [(person, "Person"), (firm, "Organisation"), (place, "Location")]
    found = analysis(text, names, tuple(chance.sample(relations, chance.randint(0, 3))))
    document = Document(Document.make_id(uri, text), uri, "txt", uri, "en", text)
    return state(resolve(replace(found, document=document, model=model)), SCHEMA)


URIS = st.sampled_from(["a", "b", "c"])
STEPS = st.one_of(
    st.tuples(st.just("write"), URIS, st.integers(1, 3), st.sampled_from(["m@1", "m@2"]), st.booleans()),
    st.tuples(st.just("replay"), st.integers(0, 5)),
    st.tuples(st.just("retract"), URIS),
    st.tuples(st.just("merge"), st.integers(0, 30), st.integers(0, 30)),
    st.tuples(st.just("register"), st.integers(0, 30)),
    st.tuples(st.just("undo"), st.integers(0, 30)),
)


class Both:
    """The real graph, and the model that says what it should be."""

    def __init__(self, connection: server.Connection) -> None:
        self.connection, self.model, self.clock = connection, GraphModel(), 0
        with open_driver(connection) as driver:
            driver.execute_query("MATCH (n) DETACH DELETE n", database_=connection.database)

    def now(self) -> str:
        self.clock += 1
        return f"2026-01-01T00:00:{self.clock:02}.000000+00:00"

    def write(self, uri: str, version: int, model: str, replace_models: bool) -> None:
        found = made(uri, version, model)
        self.model.write(found, replace_models)
        self._put(found, replace_models)

    def replay(self, which: int) -> None:
        stored = [found for by_model in self.model.documents.values() for found in by_model.values()]
        if stored:
            self._put(stored[which % len(stored)], False)

    def _put(self, found: Structured, replace_models: bool) -> None:
        with open_driver(self.connection) as driver:
            write(driver, self.connection.database, SCHEMA, [found], self.now(), replace_models=replace_models)

    def retract(self, uri: str) -> None:
        self.model.retract(uri)
        retract(self.connection, [row["id"] for row in find_documents(self.connection, [uri])], self.now())

    def merge(self, one: int, other: int) -> None:
        live = sorted(self.model.entities().items())
        if not live:
            return
        (entity, kind), (into, other_kind) = live[one % len(live)], live[other % len(live)]
        if entity != into and kind == other_kind and entity.startswith("ent-"):
            self._merge(Match(entity, into, kind, "test", 1.0))

    def register(self, one: int) -> None:
        live = [(key, kind) for key, kind in sorted(self.model.entities().items()) if key.startswith("ent-")]
        if live:
            entity, kind = live[one % len(live)]
            self._merge(Match(entity, f"REG-{kind}", kind, "register", 1.0, f"REG-{kind}", f"The {kind}"))

    def _merge(self, one: Match) -> None:
        self.model.merges[one.entity] = one
        merge(self.connection, [one, one], self.now())  # again changes nothing

    def undo(self, which: int) -> None:
        merged = sorted(self.model.merges)
        if merged:
            del self.model.merges[merged[which % len(merged)]]
            undo(self.connection, merged[which % len(merged)])

    def check(self) -> None:
        lines = [line for line in canonical_export(self.connection) if '"labels": ["Alias"]' not in line]
        assert lines == self.model.lines()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=14))
def test_the_graph_equals_the_model_after_each_step(empty: server.Connection, steps: list[tuple]) -> None:
    both = Both(empty)
    for name, *arguments in steps:
        getattr(both, name)(*arguments)
        both.check()


def test_the_model_sees_a_wrong_graph(empty: server.Connection) -> None:
    both = Both(empty)
    both.write("a", 1, "m@1", False)
    with open_driver(empty) as driver:
        driver.execute_query("MATCH (e:Person) SET e.name = 'Someone Else'", database_=empty.database)
    with pytest.raises(AssertionError):
        both.check()


def test_a_register_entry_is_not_merged_away(empty: server.Connection) -> None:
    both = Both(empty)
    both.write("a", 1, "m@1", False)
    both.register(0)
    (merged,) = both.model.merges.values()
    kind = merged.type
    with pytest.raises(GraphError, match="register"):
        merge(empty, [Match(merged.into, "ent-1", kind, "test", 1.0)], both.now())
    with pytest.raises(GraphError, match="no entity was merged"):
        undo(empty, "ent-nobody")


def test_what_was_written_under_an_old_id_is_gathered(empty: server.Connection) -> None:
    both = Both(empty)
    both.write("a", 1, "m@1", False)
    both.register(0)
    (merged,) = both.model.merges
    with open_driver(empty) as driver:
        # As a job leaves it that looked the id up before the merge.
        driver.execute_query("MATCH (a:Alias) SET a.id = 'elsewhere'", database_=empty.database)
        both.replay(0)
        driver.execute_query("MATCH (a:Alias) SET a.id = $id", id=merged, database_=empty.database)
    assert gather(empty, both.now()) == 1
    both.check()
    assert gather(empty, both.now()) == 0


def test_writers_that_meet_lose_nothing(empty: server.Connection) -> None:
    """Each has documents of its own, about the same few entities, which it writes, changes and retracts."""
    both = Both(empty)
    lasts: list[dict[str, Structured]] = [{} for _ in range(4)]

    def work(number: int) -> None:
        chance = random.Random(number)
        for step in range(25):
            uri, now = f"{number}/{chance.randint(1, 3)}", f"2026-01-01T00:00:{step:02}.000000+00:00"
            if chance.random() < 0.4 and uri in lasts[number]:
                retract(empty, [lasts[number].pop(uri).resolved.analysis.document.id], now)
            else:
                found = lasts[number][uri] = made(uri, chance.randint(1, 4), "m@1")
                with open_driver(empty) as driver:
                    write(driver, empty.database, SCHEMA, [found], now)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for last in lasts:
        for found in last.values():
            both.model.write(found, False)
    both.check()
