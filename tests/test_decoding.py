from __future__ import annotations

import itertools

import numpy as np
import pytest

from transforms.decoding import CrfScores, labelled_spans, marginals, part_sentences, viterbi

LABELS = ("O", "B-A", "I-A", "B-B", "I-B")


@pytest.fixture
def crf() -> CrfScores:
    rng = np.random.default_rng(3)
    moves = rng.normal(size=(5, 5)).astype(np.float32)
    start = rng.normal(size=5).astype(np.float32)
    start[[2, 4]] = -1e4
    for column, allowed in ((2, (1, 2)), (4, (3, 4))):
        for row in range(5):
            if row not in allowed:
                moves[row, column] = -1e4
    return CrfScores(LABELS, start, moves)


def _paths(crf: CrfScores, emissions: np.ndarray) -> dict[tuple[int, ...], float]:
    scores = {}
    for path in itertools.product(range(5), repeat=len(emissions)):
        score = crf.start[path[0]] + sum(emissions[w, label] for w, label in enumerate(path))
        scores[path] = float(score + sum(crf.moves[a, b] for a, b in itertools.pairwise(path)))
    return scores


def test_viterbi_and_marginals_equal_enumeration(crf: CrfScores) -> None:
    emissions = np.random.default_rng(5).normal(size=(3, 4, 5)).astype(np.float32)
    words = np.array([4, 2, 1])
    given = emissions.copy()
    paths, found = viterbi(crf, emissions, words), marginals(crf, emissions, words)
    assert (viterbi(crf, emissions[:1], words[:1]) == paths[:1]).all()
    assert (emissions == given).all()
    for row, count in enumerate(words):
        scores = _paths(crf, emissions[row, :count])
        best = max(scores, key=scores.__getitem__)
        assert tuple(paths[row, :count]) == best
        assert not paths[row, count:].any()
        top = max(scores.values())
        total = sum(np.exp(s - top) for s in scores.values())
        for word, label in itertools.product(range(count), range(5)):
            expected = sum(np.exp(s - top) for p, s in scores.items() if p[word] == label) / total
            assert found[row, word, label] == pytest.approx(expected, abs=1e-4)


def test_no_mention_runs_on_into_the_next_sentence(crf: CrfScores) -> None:
    emissions = np.zeros((2, 4, 5), dtype=np.float32)
    emissions[:, 0, 1] = emissions[:, 1:, 2] = 9.0  # B-A I-A I-A I-A
    words = np.array([4, 3])
    assert viterbi(crf, emissions, words).tolist() == [[1, 2, 2, 2], [1, 2, 2, 0]]
    part_sentences(crf, emissions, [np.array([0, 0, 1, 1]), np.array([3, 3, 3])])
    paths = viterbi(crf, emissions, words)
    assert paths[0, 2] not in (2, 4)
    assert paths[0, :2].tolist() == [1, 2]
    assert paths[1].tolist() == [1, 2, 2, 0]
    assert marginals(crf, emissions, words)[0, 2, [2, 4]].max() < 1e-6


def test_labelled_spans() -> None:
    found = labelled_spans(
        LABELS, np.array([[1, 2, 1, 0, 3, 4, 4, 3], [2, 1, 2, 2, 0, 0, 0, 4], [0] * 8, [3, *[4] * 7]])
    )
    first = [(0, 2, "A"), (2, 3, "A"), (4, 7, "B"), (7, 8, "B")]
    assert found == [first, [(1, 4, "A")], [], [(0, 8, "B")]]  # what goes on with no beginning is none


def test_what_is_likely_but_forbidden_leaves_probabilities(crf: CrfScores) -> None:
    emissions = np.full((1, 3, 5), -500.0, dtype=np.float32)
    emissions[:, :, 2] = 0.0  # I-A, which nothing begins
    found = marginals(crf, emissions, np.array([3]))
    assert np.isfinite(found).all()
    assert found.sum(axis=2) == pytest.approx(1.0, abs=1e-5)
    assert found[0, 0, 2] < 1e-6
