"""Which entities of a graph are one, and the command that merges them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kg_sink import server
from kg_sink.connection import open_driver
from kg_sink.exporting import canonical_export
from kg_sink.migrations import pending
from tests.conftest import tripleflow
from transforms.matching import Known, match
from transforms.register import Entry, Register
from transforms.schema import Kinds


def known(key: str, name: str, *spellings: str, kind: str = "Organisation", registered: bool = False) -> Known:
    return Known(key, kind, name, spellings, registered)


REGISTER = Register((Entry("ORG-1", "Acme Holdings", ("Acme",), "Organisation", ""),), Kinds())


def test_the_register_decides_first() -> None:
    (found,) = match([known("ent-1", "ACME Ltd"), known("ent-2", "Zenith")], REGISTER)
    assert (found.entity, found.into, found.reason, found.into_name) == ("ent-1", "ORG-1", "register", "Acme Holdings")


def test_a_shared_spelling_joins_two_but_not_three() -> None:
    two = [known("ent-1", "Nordic Lighting Group", "NLG"), known("ent-2", "NLG")]
    (found,) = match(two)
    assert (found.entity, found.into, found.reason) == ("ent-2", "ent-1", "spelling")
    assert match([*two, known("ent-3", "National Library of Ghana", "NLG")]) == []


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Halvorsen Marine Systems", "Halvorson Marine Systems", True),
        ("Regulation 2019/881", "Regulation 2019/882", False),
        ("Halvorsen Marine Systems", "Halvorsen Energy Systems", False),
    ],
)
def test_names_that_differ_in_a_letter_are_alike(one: str, other: str, alike: bool) -> None:
    found = match([known("ent-1", one), known("ent-2", other)])
    assert [m.reason for m in found] == (["alike"] if alike else [])
    assert all(m.score < 0.95 for m in found)


def test_types_do_not_mix_and_entries_of_the_register_stay_apart() -> None:
    assert match([known("ent-1", "Jordan", kind="Person"), known("ent-2", "Jordan", kind="Location")]) == []
    assert match([known("R-1", "Acme", registered=True), known("R-2", "Acme", registered=True)]) == []


def test_work_grows_with_the_entities_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    import transforms.matching as matching

    compared = 0

    def counting(one: str, other: str) -> float:
        nonlocal compared
        compared += 1
        return float(matching_ratio(one, other))

    matching_ratio = matching.ratio
    monkeypatch.setattr(matching, "ratio", counting)
    counts = []
    for size in (500, 1000, 2000):
        compared = 0
        match(
            [known(f"ent-{n}", f"Company {n * 7919 % 99991:05} {'abcdefghij'[n % 10]}{n} Holding") for n in range(size)]
        )
        counts.append(compared)
    assert counts[2] < 2000 * 60
    assert counts[2] <= 3 * counts[1] + 1000


def test_the_command_merges_lists_and_undoes(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("Kari Halvorsen was born in Bergen on 2 May 1961. She works for Acme Ltd.")
    (tmp_path / "two.txt").write_text("Karin Halvorsen was born in Oslo on 3 June 1962.")
    folder = tmp_path / "kg"
    try:
        assert tripleflow("run", "one.txt", "two.txt", "--graph", "kg", cwd=tmp_path).code == 0
        connection = server.start(folder).connection
        before = canonical_export(connection)
        with open_driver(connection) as driver:
            older = "MATCH (n:TripleflowMeta {id: 'graph'}) SET n.version = n.version - 1"
            driver.execute_query(older, database_=connection.database)
        dry = tripleflow("resolve", "--graph", "kg", "--dry-run", "--format", "json", cwd=tmp_path)
        assert dry.code == 0, dry.err
        assert any(row["reason"] == "alike" for row in json.loads(dry.out))
        pair = ("resolve", "--merge", "Karin Halvorsen", "Kari Halvorsen", "--graph", "kg", "--format", "json")
        dry = tripleflow(*pair, "--dry-run", cwd=tmp_path)
        assert dry.code == 0, dry.err
        assert canonical_export(connection) == before
        assert tripleflow("resolve", "--merged", "--graph", "kg", cwd=tmp_path).code == 0
        assert len(pending(connection)) == 1  # what only reads leaves an older graph as it is
        ran = tripleflow(*pair, cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert ran.out == dry.out
        (merged,) = json.loads(ran.out)
        about = tripleflow("query", "about", merged["id"], "--graph", "kg", "--format", "json", cwd=tmp_path)
        assert {row["tail"] for row in json.loads(about.out)[0]["statements"]} >= {"Bergen", "Oslo"}
        again = tripleflow("run", "one.txt", "two.txt", "--graph", "kg", cwd=tmp_path)
        assert again.code == 0, again.err
        listed = tripleflow("resolve", "--merged", "--graph", "kg", "--format", "json", cwd=tmp_path)
        assert [row["id"] for row in json.loads(listed.out)] == [merged["id"]]
        both = tripleflow("resolve", "--dry-run", "--undo", merged["id"], "--graph", "kg", cwd=tmp_path)
        assert both.code == 2
        assert "leave one of them out" in both.err
        assert tripleflow("resolve", "--undo", merged["id"], "--graph", "kg", cwd=tmp_path).code == 0
        assert canonical_export(connection) == before
        wrong = tripleflow("resolve", "--undo", "ent-nobody", "--graph", "kg", cwd=tmp_path)
        assert wrong.code == 2
        assert "no entity was merged" in wrong.err
        register = tmp_path / "register.csv"
        register.write_text("id,name,aliases,type\nP-1,Kari Halvorsen,Karin Halvorsen,Person\n")
        ran = tripleflow("resolve", "--register", "register.csv", "--graph", "kg", "--format", "json", cwd=tmp_path)
        assert {row["into"] for row in json.loads(ran.out)} == {"Kari Halvorsen"}
        fresh = tripleflow("run", "one.txt", "two.txt", "--register", "register.csv", "--graph", "kg", cwd=tmp_path)
        assert fresh.code == 0, fresh.err
    finally:
        server.wipe(folder)
