"""Signatures: who signs for an organisation, in the block that ends a contract, or below a letter, works for it.

    TENANT: FENNIMORE ROBOTICS, INC.        For Zeeduin Lines N.V.:             Ines Caldeira
    By: Hiroshi Tanabe                      Willem van der Maat, director       General Counsel
    Title: Chief Financial Officer                                              Halvard Marine ASA

Called by `stating`, as `telling` and `addresses` are: it is lines that say so, and no sentence.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from transforms.cells import Cell, has_columns, rows
from transforms.names import TITLES
from transforms.patterns import JOBS, LEADER
from transforms.records import Analysis, Relation
from transforms.roles import ROLE, roles
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
_PERSON_OF_FOR = re.compile(r"\.?\s*(?::\s*|\n\s*|,? by(?:[ \t]*:)?\s+)", re.IGNORECASE)
#: "Ann Lee, director" and, in the next line, another.
_NEXT_PERSON = re.compile(r",[^\n,:]{2,60}\n[ \t]*")
#: What is below a name that begins a line: a title, and then the organisation.
_TITLE_BELOW = re.compile(
    rf",?[ \t]*\n[ \t>]*(?=[^\n]*(?:{JOBS}|chair|chief|owner|partner))[^\n\d.:;]{{2,60}}\n[ \t>]*", re.IGNORECASE
)
#: "Ann Lee, Partner" and, in the next line, of what.
_TITLE_BEHIND = re.compile(rf",[ \t]+(?=[^\n]*(?:{JOBS}|owner|partner))[^\n\d.:;]{{2,60}}\n[ \t>]*", re.IGNORECASE)
_ON_BEHALF = re.compile(r"(?:,[^\n.:]{1,60}?)?[,\s]\s*(?:for and )?on behalf of (?:the )?", re.IGNORECASE)
_OF_WHOM = (_TITLE_BELOW, _TITLE_BEHIND, _ON_BEHALF)
_LINE_BEGINS = re.compile(r"(?:\A|\n)[ \t>]*(?:(?:signed )?by:? )?\Z", re.IGNORECASE)
#: Below a closing, a line says whatever it does of the one who signs.
_CLOSINGS = "best|cheers|cordially|faithfully|greetings|regards|sincerely|thanks|truly|wishes|yours"
_CLOSED = re.compile(
    rf"(?:\A|\n)[ \t>]*(?:\w+ ){{0,3}}(?:{_CLOSINGS})(?: yours| / [^\n]{{0,30}})?[ \t,.!]*\n.*\Z",
    re.IGNORECASE | re.DOTALL,
)
_ANYTHING_BELOW = re.compile(r",?[ \t]*\n(?:[ \t>]*[^\n\d.:;@]{2,60}\n){0,2}[ \t>]*")
_TITLES = rf"(?:(?:{'|'.join(sorted(TITLES))})\.? )*"
#: "Acme Ltd / Attn: Ms Ann Lee", if nothing stands beside it.
_TO = re.compile(r"(?:\A|\n)[ \t>*]*(?:to:?[ \t]+)?\Z", re.IGNORECASE)
_ATTENTION = re.compile(
    rf"[.,]?\s*\n?[ \t>]*\(?(?:attention|attn|att|for the attention of)\b[.:]*[ \t]+{_TITLES}", re.IGNORECASE
)
_SIGNS_FOR = re.compile(r"\**(?:(?:executed|signed)\W )?for (?:and on behalf of )?(?:the )?\**", re.IGNORECASE)
#: What may stand before a name in such a column.
_NAMES = re.compile(
    rf"\**(?:(?P<to>(?:attention|attn|for the attention of)\b)|(?:by|name|signed))?[.: _]*{_TITLES}", re.IGNORECASE
)
_LINES = 8  # from the organisation to the name
#: "For the Owners", "To the Buyer:", "Notices to the Buyer are for the attention of", and then a name.
_FOR_ROLE = re.compile(
    r"(?:(?:\A|[\n|]|  )[ \t>*]*(?:(?:accepted|agreed|notices?|signed) )?(?:for|to)(?: and on behalf of)? (?:the )?"
    rf"({ROLE})\b[ \t:,]*\s?(?:by:? )?|\b(?:for|to) (?:the )?({ROLE})\b[^.\n]{{0,60}}\battention(?: of)?:? )"
    rf"{_TITLES}\Z",
    re.IGNORECASE,
)


def signed(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Relations between mentions (by index) of which one signs for the other; `types` are those of their entities."""
    if WORKS_FOR not in schema.relations:
        return
    kinds = {m: schema.kinds[name] for m, name in types.items()}
    named = [m for m, kind in kinds.items() if kind in ("Person", "Organisation")]
    named.sort(key=lambda m: analysis.mentions[m].start)
    yield from _for_roles(analysis, kinds, schema)
    yield from _in_columns(analysis, kinds, schema)
    signs_for: int | None = None  # the organisation for which the one before signs, where others may follow
    for one, other in pairwise(named):
        between = _between(analysis, one, other)
        before = analysis.document.text[max(0, analysis.mentions[one].start - _BEFORE) : analysis.mentions[one].start]
        pair = kinds[one], kinds[other]
        if pair == ("Organisation", "Person"):
            for_whom = _FOR.match(before) and _PERSON_OF_FOR.fullmatch(between)
            signs_for = one if for_whom else None
            if for_whom or _BY.fullmatch(between) or (_ATTENTION.fullmatch(between) and _TO.search(before)):
                yield from _working(analysis, other, one, schema)
        elif pair == ("Person", "Person") and signs_for is not None and _NEXT_PERSON.fullmatch(between):
            yield Relation(other, WORKS_FOR, signs_for, _SURE)
        else:
            signs_for = None
            below = pair == ("Person", "Organisation") and _LINE_BEGINS.search(before)
            closed = below and _CLOSED.search(before) and _ANYTHING_BELOW.fullmatch(between)
            if closed or (below and any(pattern.fullmatch(between) for pattern in _OF_WHOM)):
                yield Relation(one, WORKS_FOR, other, _SURE)


class _Head(NamedTuple):
    """An organisation (a mention, by index) in a column, and whether somebody signs for it there."""

    cell: Cell
    organisation: int
    signs: bool


def _in_columns(analysis: Analysis, kinds: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Who signs, or takes letters, in the column of an organisation that stands above him, beside another column."""
    text = analysis.document.text
    if not has_columns(text):
        return
    named = sorted((analysis.mentions[m].start, m) for m, kind in kinds.items() if kind in ("Person", "Organisation"))
    above: deque[list[_Head]] = deque(maxlen=_LINES)
    signing = False  # "For and on behalf of", in the line above the names
    for cells in rows(text):
        heads = []
        for cell in cells:
            inside = cell.inside(named)
            if len(inside) != 1:
                continue
            start, m = inside[0]
            before, behind = text[cell.start : start], text[analysis.mentions[m].end : cell.end]
            if kinds[m] == "Organisation":
                signs = signing or _SIGNS_FOR.fullmatch(before) is not None
                if len(cells) > 1 and not behind.strip(" .*:") and (signs or not before.strip(" *")):
                    heads.append(_Head(cell, m, signs))
            elif who := _NAMES.fullmatch(before):
                head = next((head for line in reversed(above) for head in line if head.cell.is_above(cell)), None)
                if head and (head.signs or who["to"]):
                    yield from _working(analysis, m, head.organisation, schema)
        above.append(heads)
        if cells:
            signing = all(_SIGNS_FOR.fullmatch(text[cell.start : cell.end] + " ") for cell in cells)


def _working(analysis: Analysis, person: int, organisation: int, schema: Schema) -> Iterator[Relation]:
    yield Relation(person, WORKS_FOR, organisation, _SURE)
    if LED_BY in schema.relations and _LEADS.match(analysis.document.text, analysis.mentions[person].end):
        yield Relation(organisation, LED_BY, person, _SURE)


def _for_roles(analysis: Analysis, kinds: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Who signs for a party by its role, or takes its letters: "For the Owners   Ann Lee", "To the Buyer: Ann Lee"."""
    text = analysis.document.text
    taken = {t.written.casefold(): t.mention for t in roles(analysis, schema.kinds).values()}
    for m, kind in kinds.items() if taken else ():
        start = analysis.mentions[m].start
        found = _FOR_ROLE.search(text, max(0, start - _APART), start) if kind == "Person" else None
        party = taken.get((found[1] or found[2]).casefold()) if found else None
        if party is not None and kinds.get(party) == "Organisation":
            yield from _working(analysis, m, party, schema)


def _between(analysis: Analysis, one: int, other: int) -> str:
    begin, end = analysis.mentions[one].end, analysis.mentions[other].start
    return analysis.document.text[begin:end] if end - begin <= _APART else "\0"
