"""Profiles: what an organisation's own document says of it by its layout: that it is of this one goes without saying.

    Principal subsidiaries              | Shareholder | Stake |       Head office: Kaiveien 14, Bergen
    - Sakurano America, Inc.            | Karim Haddad | 55 % |

Called by `stating`, as `dealings` is; `standins` knows whose document it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from transforms.cells import Cell, has_columns, rows
from transforms.countries import is_country
from transforms.patterns import is_numbered_street
from transforms.records import Analysis, Relation
from transforms.schema import Schema
from transforms.standins import first_organisations, subject

#: No open set holds any.
_SURE = 0.8
#: The heads of columns that list whom it deals with: a relation, and whether it is its head.
_COLUMNS = (
    (re.compile(r"\**(?:buyer|client|customer)s?\**", re.IGNORECASE), "SUPPLIES", True),
    (re.compile(r"\**(?:contractor|supplier|vendor)s?\**", re.IGNORECASE), "SUPPLIES", False),
    (re.compile(r"\**(?:share|stock)holders?\**", re.IGNORECASE), "OWNED_BY", True),  # an "Owner" may be of a task
    (re.compile(r"\**subsidiar(?:y|ies)\**", re.IGNORECASE), "PARENT_ORGANISATION", False),
)
_SUBSIDIARIES = re.compile(
    r"^[ \t#*\d.]*(?:exhibit \d+\.? )?(?:(?:list of|main|operating|our|principal) )*subsidiaries\b[^\n.:]{0,40}"
    r"[ \t*:]*\n",
    re.IGNORECASE | re.MULTILINE,
)
_ITEM = re.compile(r"(?:[ \t]*\n)?[ \t]*(?:[-–•*]|\(?\w[.)])?[ \t]*")
_MOST = 60  # subsidiaries in one list
_SEAT = re.compile(
    r"\b(?:head|main|principal|registered) offices?[\s*|]*(?::|\bat\b|\bin\b|\bis at\b|\bis in\b|\|)?,?[\s*|]*"
    r"(?:[^\n,|]{3,40},\s{1,6})?(?:[A-Z]{0,2}-?\d[\w -]{2,8} )?\Z",
    re.IGNORECASE,
)
_BEFORE = 120  # characters


def profiled(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Relations of the organisation whose document it is (mentions, by index); `types` are those of the entities."""
    text = analysis.document.text
    seats = [*_seats(analysis, types, schema)]
    lists = [found.end() for found in _SUBSIDIARIES.finditer(text)]
    own = subject(analysis, types, schema) if seats or lists or has_columns(text) else None
    if own is None:
        return
    yield from (Relation(own, "HEADQUARTERS", m, _SURE) for m in seats)
    named = [m for m, name in types.items() if schema.kinds[name] in ("Organisation", "Person")]
    starts = sorted((analysis.mentions[m].start, m) for m in named)
    for other, name, is_head in _in_tables(text, starts):
        yield Relation(own, name, other, _SURE) if is_head else Relation(other, name, own, _SURE)
    by_start = {start: m for start, m in starts if schema.kinds[types[m]] == "Organisation"}
    for begin in lists:
        yield from (Relation(m, "PARENT_ORGANISATION", own, _SURE) for m in _items(text, begin, by_start))


def _seats(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[int]:
    """Towns behind "Head office" in a sentence that names no organisation before."""
    place, text = schema.type_of_label.get("Location"), analysis.document.text
    firsts = first_organisations(analysis, types, schema)
    for m, name in types.items():
        mention = analysis.mentions[m]
        if name == place and analysis.mentions[firsts.get(mention.sentence, m)].start >= mention.start:
            found = _SEAT.search(text, max(0, mention.start - _BEFORE), mention.start)
            if found and not (is_numbered_street(mention.text) or is_country(mention.text)):
                yield m


def _in_tables(text: str, starts: Sequence[tuple[int, int]]) -> Iterator[tuple[int, str, bool]]:
    """Whom the columns of tables list, with the relation, and whether the document's organisation is its head."""
    heads: list[tuple[Cell, str, bool]] = []
    for cells in rows(text) if has_columns(text) else ():
        titles = [
            (cell, name, is_head)
            for cell in cells
            for pattern, name, is_head in _COLUMNS
            if pattern.fullmatch(text, cell.start, cell.end)
        ]
        if titles or len(cells) == 1:
            heads = titles if len(cells) > 1 else []
            continue
        for cell in cells:
            inside = cell.inside(starts)
            for head, name, is_head in heads if inside else ():
                if head.is_above(cell):
                    yield inside[0][1], name, is_head


def _items(text: str, begin: int, by_start: Mapping[int, int]) -> Iterator[int]:
    """What begins the items of a list, until one begins with something else."""
    for _ in range(_MOST):
        item = _ITEM.match(text, begin)
        if item is None or item.end() not in by_start:
            return
        yield by_start[item.end()]
        stop = text.find("\n", item.end())
        if stop < 0:
            return
        begin = stop + 1
