"""Tell: what the phrases of a schema say between mentions of one sentence (`phrases` says how they are written).

Called by `stating`, when the type of each mention's entity is known. What a sentence begins with may stand for a
mention of the one before: "He" for a person, "The company" for an organisation; so does the line above that is a
person's name and no more, as in a signature, and what the document says to stand for a party (`standins`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter

from transforms.patterns import title_end
from transforms.phrases import context
from transforms.records import Analysis, Relation
from transforms.schema import Schema
from transforms.standins import Place, stand_ins

#: Characters that two mentions may be apart, and that are read before and after them; mentions between them.
_APART, _AROUND, _BETWEEN = 150, 60, 3
#: Of 258 facts that the default schema's phrases tell of Re-DocRED's documents, 229 hold, read one by one; its
#: annotators say 179 (`benchmarks.phrases`).
_SURE = 0.89
_FIRST = (
    r"\W{0,2}(?:(?:earlier|later|now|previously|then|today"
    r"|(?:after|before|from|in|since|until) [\w ]{1,30}?),? )?"
)
_PRONOUNS = {
    "Person": re.compile(rf"{_FIRST}(he|she|his|her)\b", re.IGNORECASE),
    "Organisation": re.compile(rf"{_FIRST}(its?|the (?:company|firm|group|business|bank|foundation))\b", re.IGNORECASE),
}
_ENDS_IN_S = re.compile(r"\A['’](?=\s)")  # "Juniper Falls' founder"
_ENDS_IN_STOP = re.compile(r"\A\.(?=[ ,)]*[,)a-z])")  # "Acme Ltd. was dissolved": the full stop is the form's
_DEFINITION = re.compile(r"\s?\([^()\"“”]{0,20}[\"“][^()]{1,60}[\"”]\)")  # 'Acme Ltd (the "Target") was founded'
_POSSESSIVE = ("his", "her", "its", "our")


def tell(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> list[Relation]:
    """Relations between mentions (by index) that stand in a phrase of the schema.

    `types` are those of the mentions' entities. "He" or "Its" at the beginning of a sentence stands for the person or
    the organisation that the sentence before names first.
    """
    if not schema.has_phrases:
        return []
    found: list[Relation] = []
    pairs: list[Sequence[Place]]
    others = sorted(stand_ins(analysis, types, schema), key=itemgetter(1))
    for places, begin, stop in _sentences(analysis, types, schema):
        pairs = [places[one : other + 1] for one, other in _near(places)]
        here = others[bisect_left(others, begin, key=itemgetter(1)) : bisect_left(others, stop, key=itemgetter(1))]
        pairs += [pair for standing in here for pair in _with(places, standing, _is_our(analysis, standing))]
        for between in pairs:
            first, second = between[0][0], between[-1][0]
            wordings = schema.between(types[first], types[second])
            around = _around(analysis.document.text, between, begin, stop) if wordings else ""
            for wording in wordings.fitting(around):
                head, tail = (first, second) if wording.head_first else (second, first)
                found.append(Relation(head, wording.relation, tail, _SURE))
    return found


def _with(places: Sequence[Place], standing: Place, is_our: bool) -> Iterator[Sequence[Place]]:
    """The pairs of what stands for a mention and the mentions near it, with those between; none if one covers it."""
    place = bisect_left(places, standing[1], key=itemgetter(1))
    before, behind = places[max(0, place - 1 - _BETWEEN) : place], places[place : place + 1 + _BETWEEN]
    if any(start < standing[2] and standing[1] < end for _, start, end in (*before, *behind)):
        return
    near, at = [*before, standing, *behind], len(before)
    # "heads our sales team": it is not the organisation that "our" is the end of.
    ends = () if is_our else (at,)
    yield from (near[one : other + 1] for one, other in _near(near) if one == at or other in ends)


def _is_our(analysis: Analysis, standing: Place) -> bool:
    return analysis.document.text[standing[1] : standing[2]].lower() == "our"


def _sentences(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[tuple[list[Place], int, int]]:
    """Each sentence's mentions that have a type, in their order, of nested ones the outer; and where it stands."""
    inside: list[list[Place]] = [[] for _ in analysis.sentences]
    end, text = -1, analysis.document.text
    for m, mention in sorted(enumerate(analysis.mentions), key=lambda row: (row[1].start, -row[1].end)):
        if m in types and mention.start >= end:
            inside[mention.sentence].append((m, mention.start, mention.end))
            end = mention.end
    spoken_of: dict[str, int] = {}
    above: list[Place] = []
    for (begin, stop), places in zip(analysis.sentences, inside, strict=True):
        named = {schema.kinds[types[m]]: m for m, *_ in reversed(places)}
        signed = [(m, begin, begin) for m, *_ in above]
        above = places if _is_name_alone(text, begin, stop, places) and "Person" in named else []
        for kind, pattern in _PRONOUNS.items():
            pronoun = pattern.match(text, begin, stop) if kind in spoken_of else None
            # "After Ann left, she": it is Ann.
            before = [m for m, start, _ in places if pronoun and start < pronoun.start(1)]
            if pronoun and all(schema.kinds[types[m]] != kind for m in before):
                signed = [(spoken_of[kind], *pronoun.span(1))]
                named[kind] = spoken_of[kind]
        spoken_of = named
        yield sorted([*signed, *places], key=itemgetter(1)), begin, stop


def _is_name_alone(text: str, begin: int, stop: int, places: Sequence[Place]) -> bool:
    """Whether a line holds one mention, its titles, and nothing else."""
    return (
        len(places) == 1 and title_end(text, begin, stop) >= places[0][1] and not text[places[0][2] : stop].strip(" .,")
    )


def _near(places: Sequence[Place]) -> Iterator[tuple[int, int]]:
    """Pairs (by index) with few mentions and little text between them."""
    for one, (_, _, end) in enumerate(places):
        for other in range(one + 1, min(one + 2 + _BETWEEN, len(places))):
            if places[other][1] - end > _APART:
                break
            yield one, other


def _around(text: str, places: Sequence[Place], begin: int, stop: int) -> str:
    """The surroundings of the first and the last of some mentions of a sentence."""
    start, end = places[0][1], places[-1][2]
    gaps = [text[left:right] for (_, _, left), (_, right, _) in pairwise(places)]
    gaps = [_DEFINITION.sub("", gap) for gap in gaps]
    gaps = [_ENDS_IN_STOP.sub("", _ENDS_IN_S.sub("'s", gap)) for gap in gaps]
    if text[start : places[0][2]].lower() in _POSSESSIVE:
        gaps[0] = f"'s {gaps[0]}"
    elif start == places[0][2]:  # in the line above
        gaps[0] = f", {gaps[0]}"
    return context(text[max(begin, start - _AROUND) : start], gaps, text[end : min(stop, end + _AROUND)])
