"""A fault of each kind, at a moment that a seed decides: the graph is the one that an undisturbed run makes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from benchmarks.faults import FAULTS, Corpus, Fault, one_round, undisturbed
from benchmarks.generated import texts


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("faults") / "in"
    texts(folder, 25, seed=3, entities=100)
    made = undisturbed(Corpus("generated", (str(folder),)))
    assert len(made.export) > 500
    assert made.tables["evidence"] > 0
    return made


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_graph_is_that_of_an_undisturbed_run(corpus: Corpus, fault: Fault) -> None:
    assert one_round(corpus, fault, random.Random(fault.__name__)) == ""


def test_a_difference_is_seen(corpus: Corpus) -> None:
    other = replace(corpus, export=corpus.export[:-1])
    assert "0 lines missing, 1 too many" in one_round(other, lambda place, chance: None, random.Random(1))
