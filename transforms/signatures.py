"""Signatures: who signs for an organisation, in the block that ends a contract, or below a letter, works for it.

    TENANT: FENNIMORE ROBOTICS, INC.        For Zeeduin Lines N.V.:             Ines Caldeira
    By: Hiroshi Tanabe                      Willem van der Maat, director       General Counsel
    Title: Chief Financial Officer                                              Halvard Marine ASA

Called by `stating`, as `telling` and `addresses` are: it is lines that say so, and no sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from transforms.patterns import JOBS, LEADER
from transforms.records import Analysis, Relation
from transforms.schema import Schema

#: The open sets hold three such signatures, all in credit agreements, and all three hold.
_SURE = 0.9
#: The relations that signatures and rosters tell, where the schema has them.
WORKS_FOR, LED_BY = "EMPLOYER", "LED_BY"
_LEADS = re.compile(rf"\s*(?:\n[^\n:]{{0,40}})?(?:,|\n\s*Title ?:)\s*(?:president and )?{LEADER}", re.IGNORECASE)
_APART, _BEFORE = 160, 60  # characters between both, and before the first
_SIGNED = r"(?:/ ?s ?/|_{3,}|-{3,}|\(seal\))"
#: "By: /s/ Ann Lee", or with what was not tagged, "By: ______ Name: Ann Lee"; behind the organisation and its part.
_BY = re.compile(
    rf"[.,]{{0,2}}(?:\s(?:as|a|an|doing business as) [^.:\n]{{1,60}})?\s*(?:by|signed by|per) ?: ?(?:{_SIGNED}\s*)*"
    rf"(?:[^:\n]{{0,60}}\s(?:print(?:ed)? )?name ?: ?(?:{_SIGNED}\s*)*)?",
    re.IGNORECASE,
)
#: "Agreed for Acme Ltd:", "Signed for and on behalf of Acme Ltd by".
_FOR = re.compile(
    r"(?:\A|.*\n)[ \t]*(?:(?:accepted|acknowledged|agreed|executed|signed)[a-z ]{0,30} )?"
    r"(?:for|on behalf of|for and on behalf of) (?:the )?\Z",
    re.IGNORECASE | re.DOTALL,
)
_PERSON_OF_FOR = re.compile(r"\s*(?::\s*|\n\s*|,? by(?:[ \t]*:)?\s+)", re.IGNORECASE)
#: "Ann Lee, director" and, in the next line, another.
_NEXT_PERSON = re.compile(r",[^\n,:]{2,60}\n[ \t]*")
#: What is below a name that begins a line: a title, and then the organisation.
_TITLE_BELOW = re.compile(
    rf",?[ \t]*\n[ \t]*(?=[^\n]*(?:{JOBS}|chair|chief|owner|partner))[^\n\d.:;]{{2,60}}\n[ \t]*", re.IGNORECASE
)
_ON_BEHALF = re.compile(r"(?:,[^\n.:]{1,60}?)?[,\s]\s*(?:for and )?on behalf of (?:the )?", re.IGNORECASE)
_LINE_BEGINS = re.compile(r"(?:\A|\n)[ \t]*(?:(?:signed )?by:? )?\Z", re.IGNORECASE)


def signed(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Relations between mentions (by index) of which one signs for the other; `types` are those of their entities."""
    if WORKS_FOR not in schema.relations:
        return
    kinds = {m: schema.kinds[name] for m, name in types.items()}
    named = [m for m, kind in kinds.items() if kind in ("Person", "Organisation")]
    named.sort(key=lambda m: analysis.mentions[m].start)
    signs_for: int | None = None  # the organisation for which the one before signs, where others may follow
    for one, other in pairwise(named):
        between = _between(analysis, one, other)
        before = analysis.document.text[max(0, analysis.mentions[one].start - _BEFORE) : analysis.mentions[one].start]
        pair = kinds[one], kinds[other]
        if pair == ("Organisation", "Person"):
            for_whom = _FOR.match(before) and _PERSON_OF_FOR.fullmatch(between)
            signs_for = one if for_whom else None
            if for_whom or _BY.fullmatch(between):
                yield Relation(other, WORKS_FOR, one, _SURE)
                if LED_BY in schema.relations and _LEADS.match(analysis.document.text, analysis.mentions[other].end):
                    yield Relation(one, LED_BY, other, _SURE)
        elif pair == ("Person", "Person") and signs_for is not None and _NEXT_PERSON.fullmatch(between):
            yield Relation(other, WORKS_FOR, signs_for, _SURE)
        else:
            signs_for = None
            below = pair == ("Person", "Organisation") and _LINE_BEGINS.search(before)
            if below and (_TITLE_BELOW.fullmatch(between) or _ON_BEHALF.fullmatch(between)):
                yield Relation(one, WORKS_FOR, other, _SURE)


def _between(analysis: Analysis, one: int, other: int) -> str:
    begin, end = analysis.mentions[one].end, analysis.mentions[other].start
    return analysis.document.text[begin:end] if end - begin <= _APART else "\0"
