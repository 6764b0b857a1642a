"""Tell: what the phrases of a schema say between mentions of one sentence (`phrases` says how they are written).

Called by `stating`, when the type of each mention's entity is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from transforms.phrases import context
from transforms.records import Analysis, Mention, Relation
from transforms.schema import Schema

#: Characters that two mentions may be apart, and that are read before and after them.
_APART, _AROUND = 150, 60
#: Of 128 facts that the default schema's phrases tell of Re-DocRED's documents, 110 hold, read one by one; its
#: annotators say 74 (`benchmarks.phrases`).
_SURE = 0.85
_PRONOUN = re.compile(r"\W{0,2}(?:he|she)\b", re.IGNORECASE)


def tell(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> list[Relation]:
    """Relations between mentions (by index) that stand in a phrase of the schema.

    `types` are those of the mentions' entities. "He" or "She" at the beginning of a sentence stands for the person
    whom the sentence before names first.
    """
    found: list[Relation] = []
    for first, second, around in _near(analysis, types, schema) if schema.wordings else ():
        for wording in schema.wordings:
            head, tail = (first, second) if wording.head_first else (second, first)
            if schema.allows(wording.relation, types[head], types[tail]) and wording.fits(around):
                found.append(Relation(head, wording.relation, tail, _SURE))
    return found


def _near(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[tuple[int, int, str]]:
    """Pairs of mentions of one sentence near each other, in the order of the text, with their surroundings."""
    text, spoken_of = analysis.document.text, -1
    for (begin, stop), inside in zip(analysis.sentences, _by_sentence(analysis, types), strict=True):
        places = [(m, analysis.mentions[m].start, analysis.mentions[m].end) for m in inside]
        pronoun = _PRONOUN.match(text, begin, stop)
        if pronoun is None:
            spoken_of = next((m for m in inside if schema.kinds[types[m]] == "Person"), -1)
        elif spoken_of >= 0:
            places.insert(0, (spoken_of, pronoun.end() - len(pronoun[0].lstrip()), pronoun.end()))
        for number, (first, start, end) in enumerate(places):
            before, gaps = text[max(begin, start - _AROUND) : start], []
            for (_, _, left), (second, right, last) in pairwise(places[number:]):
                gaps.append(text[left:right])
                if right - end > _APART:
                    break
                yield first, second, context(before, gaps, text[last : min(stop, last + _AROUND)])


def _by_sentence(analysis: Analysis, types: Mapping[int, str]) -> list[list[int]]:
    """The mentions of each sentence that have a type, in their order; of nested ones, the outer."""
    inside: list[list[int]] = [[] for _ in analysis.sentences]
    end = -1
    for m, mention in sorted(enumerate(analysis.mentions), key=_place):
        if m in types and mention.start >= end:
            inside[mention.sentence].append(m)
            end = mention.end
    return inside


def _place(numbered: tuple[int, Mention]) -> tuple[int, int]:
    return numbered[1].start, -numbered[1].end
