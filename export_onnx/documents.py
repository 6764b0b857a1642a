"""Relations of a whole document: pairs of its entities, pooled over their mentions, against the facts of its set.

A pair of entities holds a relation by the surest pair of their mentions, in whatever window, and that pair's
sentences are its evidence. The entities are given, as in Re-DocRED's own evaluation (Tan et al. 2022); facts whose
entities never stand near enough to each other count as missed. Evidence is scored as in DocRED (Yao et al. 2019), but
that of facts of which the set gives none is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from export_onnx.evaluation import Counts, runs_on_gold
from export_onnx.examples import Example, LabelSpace
from export_onnx.windows import TrainingWindow
from transforms.bundle import Bundle

#: (head entity, relation, tail entity) → (margin over its threshold, sentences of both mentions).
Found = dict[tuple[int, str, int], tuple[float, frozenset[int]]]


def score_documents(
    bundle: Bundle, examples: Sequence[tuple[Example, Sequence[TrainingWindow]]], space: LabelSpace
) -> dict[str, dict[str, float]]:
    """Scores of `facts`, and of the `evidence` of what was found; of no examples with facts, no scores.

    Examples come with their windows; those without facts are passed over.
    """
    documents = [(example, windows) for example, windows in examples if example.facts]
    if not documents:
        return {}
    owners = {id(window): place for place, (_, windows) in enumerate(documents) for window in windows}
    entities = [_entities(example) for example, _ in documents]
    found: list[Found] = [{} for _ in documents]
    everything = [window for _, windows in documents for window in windows]
    for group, _, _, logits in runs_on_gold(bundle, everything, space):
        if logits is None:
            continue
        for window, scores in zip(group, logits, strict=True):
            margins = scores[: len(window.pairs), 1:] - scores[: len(window.pairs), :1] - bundle.thresholds
            place = owners[id(window)]
            _pool(found[place], window, margins, entities[place], space)
    facts, evidence = Counts(), Counts()
    for (example, _), here in zip(documents, found, strict=True):
        count_found(example, here, facts, evidence)
    return {"facts": facts.scores(), "evidence": evidence.scores()}


def _entities(example: Example) -> Mapping[tuple[int, int], int]:
    return {place: number for number, mentions in enumerate(example.entities) for place in mentions}


def _pool(
    found: Found,
    window: TrainingWindow,
    margins: np.ndarray,
    entities: Mapping[tuple[int, int], int],
    space: LabelSpace,
) -> None:
    owner = [entities[span.start, span.end] for span in window.spans]
    sentence = [int(window.tokens.sentences[first]) for first, _ in window.mentions]
    for row, column in zip(*np.nonzero(margins > 0), strict=True):
        head, tail = window.pairs[row]
        key = (owner[head], space.relations[column], owner[tail])
        margin = float(margins[row, column])
        if owner[head] != owner[tail] and margin > found.get(key, (0.0, frozenset()))[0]:
            found[key] = margin, frozenset({sentence[head], sentence[tail]})


def count_found(example: Example, found: Found, facts: Counts, evidence: Counts) -> None:
    """Add what was found of one document to the counts."""
    true = {(fact.head, fact.relation, fact.tail): fact.evidence for fact in example.facts}
    facts.add(len(found.keys() & true.keys()), len(found), len(true))
    # Of facts without evidence the set does not say where they stand.
    told = {key: sentences for key, (_, sentences) in found.items() if true.get(key, True)}
    right = sum(len(sentences & true.get(key, frozenset())) for key, sentences in told.items())
    evidence.add(right, sum(map(len, told.values())), sum(map(len, true.values())))
