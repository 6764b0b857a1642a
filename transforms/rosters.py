"""Rosters: people with their jobs, in brackets or cells, in a document whose heading names the organisation.

    THORNBECK CASTINGS LIMITED
    Present: Margaret Osei-Bonsu (Chair), Callum Thorne (Managing Director)

Called by `stating`, as `telling` is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping

from transforms.patterns import JOBS, LEADER, WHICH
from transforms.records import Analysis, Relation
from transforms.schema import Schema
from transforms.signatures import LED_BY, WORKS_FOR
from transforms.standins import heading

#: No open set holds any; less sure than a signature, since a guest's job may stand without his company.
_SURE = 0.7
_JOB = rf"(?:{WHICH} ){{0,4}}(?:{JOBS}|{LEADER})"
_IN_BRACKETS = re.compile(rf"[ \t]*\([ \t]*(?:the )?({_JOB})[^()\n]{{0,60}}\)", re.IGNORECASE)
_IN_CELL_BEHIND = re.compile(rf"[ \t]*\|[ \t]*({_JOB})[^|\n]{{0,60}}(?=\||\n|\Z)", re.IGNORECASE)
_BEHIND = re.compile(rf",\s({_JOB})[^,;.\n(]{{0,30}}(?=[;.\n(]|\Z)(?!\n(?:at|for|of) )", re.IGNORECASE)
_IN_COLUMN_BEHIND = re.compile(rf"[ \t]{{2,}}(?:\d\d[ \t]{{2,}})?({_JOB})[^\n]{{0,60}}", re.IGNORECASE)
#: "(Purchasing)", of those who are present; "Raised by Ann Lee, Purchasing".
_DEPARTMENT = re.compile(
    r"(?:[ \t]*\(|,[ \t])((?:accounts|engineering|finance|hr|human resources|it|legal|logistics|marketing|operations"
    r"|procurement|production|purchasing|quality|sales))(?:\)|(?=[ \t]*(?:\n|\Z)))",
    re.IGNORECASE,
)
_AFTER = (_IN_BRACKETS, _DEPARTMENT, _IN_CELL_BEHIND, _IN_COLUMN_BEHIND, _BEHIND)
_LABEL = re.compile(rf"(?:\A|.*\n)[ \t*]*({_JOB})[^:\n]{{0,30}}:[ \t*]*\Z", re.IGNORECASE | re.DOTALL)
_IN_CELL_BEFORE = re.compile(rf"(?:\A|.*\n|.*\|)[ \t]*({_JOB})[^|\n]*\|[ \t]*\Z", re.IGNORECASE | re.DOTALL)
_LEADS = re.compile(LEADER, re.IGNORECASE)
_ADDRESSED = re.compile(
    r"\b(?:attention|attn|cc|dear|to)\b[:.]?[ \t]+(?:\w+\.? )?\Z", re.IGNORECASE
)  # a guest, or whose letter it is
_BEFORE = 80  # characters


def listed(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Relations between people and the organisation in the heading (mentions, by index).

    `types` are those of the mentions' entities. A line that names another organisation is left to the phrases.
    """
    own = heading(analysis, types, schema)
    if own is None:
        return
    ends = [found.start() for found in re.finditer(r"\n", analysis.document.text)]
    line = {m: bisect_left(ends, analysis.mentions[m].start) for m in types}
    organisations = (m for m, name in types.items() if schema.kinds[name] == "Organisation")
    taken = {line[m] for m in organisations if analysis.mentions[m].text != analysis.mentions[own].text}
    for m, name in types.items():
        job = _job_of(analysis, m) if schema.kinds[name] == "Person" and line[m] not in taken else None
        if job is None:
            continue
        if WORKS_FOR in schema.relations:
            yield Relation(m, WORKS_FOR, own, _SURE)
        if LED_BY in schema.relations and _LEADS.match(job):
            yield Relation(own, LED_BY, m, _SURE)


def _job_of(analysis: Analysis, m: int) -> str | None:
    text, person = analysis.document.text, analysis.mentions[m]
    before = text[max(0, person.start - _BEFORE) : person.start]
    if _ADDRESSED.search(before):
        return None
    behind = (pattern.match(text, person.end) for pattern in _AFTER)
    found = (*behind, _IN_CELL_BEFORE.match(before), _LABEL.match(before))
    return next((job[1] for job in found if job), None)
