"""Roles: what a document calls its parties, and who takes which of them.

    Acme Ltd (the "Supplier") … Bravo AS (the "Customer")       LANDLORD: Bluestem Properties, LLC
    Moravské pivovary a.s. as Borrower                          Bill to:
    "Lender" means Donaubank AG                                 Saltmarsh Theatre Trust

Called by `dealings`, which knows what the takers of two roles are to each other; by `standins`, where a role stands for
its taker; and by `resolving`, to which a role is no name.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from transforms.names import has_legal_form
from transforms.records import Analysis
from transforms.schema import Kinds

#: What contracts call their parties; a name that is defined in the same way is `agreeing`'s to know.
ROLES = frozenset(
    {"adviser", "advisor", "agent", "auditor", "bank", "borrower", "buyer", "carrier", "charterer"}
    | {"client", "company", "consultant", "contractor", "customer", "distributor", "employee", "employer", "executive"}
    | {"franchisee", "franchisor", "guarantor", "hirer", "issuer", "landlord", "lender", "lessee", "lessor", "licensee"}
    | {"licensor", "manufacturer", "owner", "parent", "principal", "provider", "publisher", "purchaser"}
    | {"reseller", "seller", "service provider", "subcontractor", "supplier", "target", "tenant", "vendor"}
)
#: A pattern of one of them, or of several who share it.
ROLE = rf"(?:{'|'.join(sorted(ROLES, key=len, reverse=True))})s?"
_DEFINED = re.compile(
    rf"\((?:each an? |the )?(?:[^()\"“”]{{0,30}}\bthe )?\s*[\"“]\**(?:the )?({ROLE})\**[\"”][^()]{{0,60}}\)",
    re.IGNORECASE,
)
_REACH = 300  # characters from the name to the definition
_DESCRIBED = re.compile(
    r"[.,]*\s\(?(?:an?|established|having|incorporated|organi[sz]ed|registered|whose|with (?:an?|its|registered))\s"
)
_MEANS = re.compile(rf"[\"“](?:the )?({ROLE})[\"”]\s(?:means|shall mean|is)\s(?:the )?", re.IGNORECASE)
_AS = re.compile(rf",?\s\(?(?:as|AS)\s(?:the )?((?i:{ROLE}))\b(?=\)?\s*(?:[,.;\n]|and\b|\Z))")
#: Labels that say what a role would.
_CALLED = {
    **dict.fromkeys(("bill to", "billed to", "invoice to", "invoiced to", "ordered by", "sold to"), "customer"),
    **dict.fromkeys(("legal adviser", "legal advisers", "legal counsel", "lawyers", "solicitors"), "adviser"),
    "sold by": "supplier",
}
#: At the beginning of a line or of a column, which a colon or another column follows.
_LABEL = re.compile(
    r"(?:^ ?|[\t|] ?|  )(?! )(?:\d{1,2}[.)] {1,3})?[*#>]{0,3} ?"
    rf"(?P<cell>(?:the |to )?\(?(?P<label>{'|'.join(_CALLED)}|{ROLE})(?!\w)\)?)"
    r"[ \t*]{0,60}(?:[:|]|$|(?=  |\t))[ \t*|]{0,100}",
    re.IGNORECASE | re.MULTILINE,
)
#: What is behind a label that leaves the name to the next line.
_IS_EMPTY = re.compile(r"[ *]?:?\**(?:[ |]?$|[ |]? {2}|[ |]?\t)", re.MULTILINE)
_LINE_BELOW = re.compile(r"[^\n]*\n(?:[ \t]*\n)*")
_LONGEST_LINE = 300  # characters
_COLUMN = 2  # characters that a name may be out of its label's column


class Taken(NamedTuple):
    """A role, and the mention (by index) that takes it.

    Attributes:
        role: in small letters, of one.
        written: as the document writes it.
        is_party: a contract says so of its parties; a label or a definition of terms may say it of anybody.
    """

    role: str
    written: str
    mention: int
    is_party: bool = False


def roles(analysis: Analysis, kinds: Kinds) -> dict[str, Taken]:
    """Role, as it is written → who takes it: "Supplier" of 'Acme Ltd, Leeds (the "Supplier")'."""
    found: dict[str, Taken] = {}
    for taken in (*_defined(analysis, kinds), *_labelled(analysis, kinds)):
        found.setdefault(taken.written, taken)
    return found


def _defined(analysis: Analysis, kinds: Kinds) -> Iterator[Taken]:
    text = analysis.document.text
    named = sorted((m.start, i) for i, m in enumerate(analysis.mentions) if kinds[m.type] in ("Person", "Organisation"))
    last = 0
    for defined in _DEFINED.finditer(text):
        first = bisect_left(named, (max(last, defined.start() - _REACH),))
        before = [mention for _, mention in named[first : bisect_left(named, (defined.start(),))]]
        last = defined.end()
        if before:
            # 'Acme Ltd, a subsidiary of Bravo plc (the "Supplier")' is Acme.
            described = (mention for mention in before if _DESCRIBED.match(text, analysis.mentions[mention].end))
            formed = (mention for mention in reversed(before) if has_legal_form(analysis.mentions[mention].text))
            yield _taken(defined[1], next(described, next(formed, before[-1])), is_party=True)
    for _, mention in named:
        if given := _AS.match(text, analysis.mentions[mention].end):
            yield _taken(given[1], mention, is_party=True)
    starts = dict(named)
    for means in _MEANS.finditer(text):
        if means.end() in starts:
            yield _taken(means[1], starts[means.end()])


def _taken(written: str, mention: int, *, is_party: bool = False) -> Taken:
    role = written.lower()
    return Taken(role if role in ROLES else role.removesuffix("s"), written, mention, is_party)


def _labelled(analysis: Analysis, kinds: Kinds) -> Iterator[Taken]:
    """Roles of organisations behind or below a label; who stands there as a person may only work for the party."""
    text = analysis.document.text
    starts = {m.start: i for i, m in enumerate(analysis.mentions) if kinds[m.type] == "Organisation"}
    for label in _LABEL.finditer(text) if starts else ():
        place = next((place for place in _places_of(text, label) if place in starts), None)
        if place is not None:
            written = label["label"]
            yield _taken(_CALLED.get(written.lower(), written).title(), starts[place])


def _places_of(text: str, label: re.Match[str]) -> Iterator[int]:
    """Where the name may begin to which a label belongs: behind it, or in the next line, in its column."""
    yield label.end()
    begin, end = label.span("cell")
    if not _IS_EMPTY.match(text, end):
        return
    line = text.rfind("\n", max(0, begin - _LONGEST_LINE), begin) + 1
    column = begin - line
    below = _LINE_BELOW.match(text, end) if column <= _LONGEST_LINE else None
    if below:
        yield from (below.end() + column + shift for shift in sorted(range(-_COLUMN, _COLUMN + 1), key=abs))
