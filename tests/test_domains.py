"""The worked domains: their bundles over their samples, into one graph, with what their pages say can be asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg_sink import server
from kg_sink.connection import resolve_target
from kg_sink.queries import run_query
from tests.conftest import ROOT, SAMPLES, tripleflow
from transforms.bundle import BUNDLES, load_bundle, verify

DOMAINS = ("courier-address", "medical-events")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("domains")
    for name in DOMAINS:
        ran = tripleflow("run", str(SAMPLES / "domains" / name), "--graph", "kg", "--model", name, cwd=folder)
        assert ran.code == 0, ran.err
    yield folder / "kg"
    server.wipe(folder / "kg")


def rows(graph: Path, cypher: str) -> list[dict[str, object]]:
    return run_query(resolve_target(str(graph)), cypher)


@pytest.mark.parametrize("name", DOMAINS)
def test_what_the_page_asks_is_answered(name: str, graph: Path) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    cyphers = re.findall(r"```cypher\n(.*?)```", page, re.S)
    asked = re.findall(r"^tripleflow query (.*)$", page, re.M)
    assert cyphers
    assert asked
    for cypher in cyphers:
        assert rows(graph, cypher)
    for words in asked:
        ran = tripleflow("query", *words.replace('"', "").split(), "--graph", str(graph), "--format", "json", cwd=graph)
        assert ran.code == 0, ran.err
        assert len(ran.out) > 10, words


def test_the_parts_of_an_address_are_joined_to_it(graph: Path) -> None:
    cypher = (
        "MATCH (a:Address)-[:ADDRESS_NUMBER]->(n), (a)-[:PLACE_NAME]->(p), (a)-[:ZIP_CODE]->(z) "
        "RETURN n.name AS number, p.name AS place, z.name AS zip"
    )
    found = {(row["number"], row["place"], row["zip"]) for row in rows(graph, cypher)}
    assert {("715", "Long Beach", "90802"), ("1900", "Tacoma", "98421")} <= found


def test_two_reports_of_one_drug_are_two_events(graph: Path) -> None:
    cypher = (
        "MATCH (e:AdverseEvent)-[:DRUG]->(d:Drug) WHERE toLower(d.name) = 'valtremol' "
        "RETURN d.id AS drug, collect(DISTINCT e.id) AS events, collect(DISTINCT e.name) AS triggers"
    )
    (found,) = rows(graph, cypher)
    assert len(found["events"]) >= 2  # type: ignore[arg-type]
    evidence = (
        "MATCH (v:Evidence)-[:SUPPORTS]->(s:Statement {relation: 'EFFECT'}) RETURN v.text AS text, v.model AS model"
    )
    assert all(row["model"] == "medical-events@2" for row in rows(graph, evidence))


@pytest.mark.parametrize("name", [path.name for path in sorted(BUNDLES.iterdir())])
def test_what_ships_says_what_it_was_trained_on(name: str) -> None:
    manifest = verify(BUNDLES / name)
    assert manifest.get("licence") == "Apache-2.0"
    for source in manifest.get("data"):
        assert source["licence"] != "not said"
        assert source["source"]


def test_a_bundle_that_ships_is_found_by_its_name() -> None:
    assert load_bundle("medical-events").manifest.path == BUNDLES / "medical-events"
