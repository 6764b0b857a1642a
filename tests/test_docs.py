"""What the documentation says can be typed does what it says."""

from __future__ import annotations

import re
import shlex

import pytest

from kg_sink.connection import resolve_target
from kg_sink.queries import run_query
from pipelines.cli import cli, register_commands
from pipelines.observing import Metrics
from tests.conftest import ROOT, SampleRun

MODEL = (ROOT / "docs" / "graph-model.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```cypher\n(.*?)```", MODEL, re.S)


@pytest.mark.parametrize("cypher", QUERIES)
def test_the_queries_of_the_graph_model_find_something_in_the_samples(sample_run: SampleRun, cypher: str) -> None:
    assert run_query(resolve_target(str(sample_run.graph)), cypher)


def test_the_graph_is_as_its_model_says(sample_run: SampleRun) -> None:
    connection = resolve_target(str(sample_run.graph))
    assert len(QUERIES) == 5
    for row in run_query(connection, "MATCH (n) UNWIND keys(n) AS key RETURN DISTINCT labels(n) AS labels, key"):
        assert f"`{row['key']}`" in MODEL, row
    edges = run_query(connection, "MATCH ()-[r]->() UNWIND keys(r) AS key RETURN DISTINCT type(r) AS type, key")
    for row in edges:
        assert f"`{row['key']}`" in MODEL, row


def test_the_commands_of_the_readme_exist() -> None:
    register_commands()
    lines = [line for block in re.findall(r"```(?:sh|bash)\n(.*?)```", README, re.S) for line in block.splitlines()]
    typed = [line for line in lines if line.startswith("tripleflow ")]
    assert len(typed) >= 5
    for line in typed:
        words = shlex.split(line, comments=True)[1:]
        group = cli
        while words and hasattr(group, "commands") and words[0] in group.commands:
            group = group.commands[words.pop(0)]
        assert group is not cli, line
        known = {option for parameter in group.params for option in parameter.opts}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, line
    for name in re.findall(r"^\| `tripleflow ([a-z-]+)", README, re.M):
        assert name in cli.commands
    for path in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_series_of_the_metrics_are_documented_by_their_names() -> None:
    served = {family.name for family in Metrics().registry.collect()}
    named = {name.removesuffix("_total") for name in re.findall(r"`(tripleflow_\w+)`", DEPLOY)}
    assert named == served
    for name in re.findall(r"tripleflow_\w+(?=[{\[ ])", DEPLOY):
        assert name.removesuffix("_total") in served, name
