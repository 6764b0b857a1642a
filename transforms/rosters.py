"""Rosters: people with their jobs, in brackets or cells, in a document whose heading names the organisation.

    THORNBECK CASTINGS LIMITED
    Present: Margaret Osei-Bonsu (Chair), Callum Thorne (Managing Director)

Called by `stating`, as `telling` is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from transforms.cells import has_columns
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
#: "the terminal manager, Rajesh Pillay"; who is called by a profession may be anybody's.
_JOB_BEFORE = re.compile(
    rf"(?:.*\W)?((?:{WHICH} |\w+ ){{0,2}}(?!accountant|analyst|consultant|lawyer|professor|secretary|trustee)"
    rf"(?:{JOBS}|{LEADER}|supervisor)),? \Z",
    re.IGNORECASE | re.DOTALL,
)
_OF_OTHERS = re.compile(r"\b(?:her|his|their|whose|your)\b[^.,;:]{0,40},?\s?\Z", re.IGNORECASE)
_LABEL = re.compile(rf"(?:\A|.*\n)[ \t*]*({_JOB})[^:\n]{{0,30}}:[ \t*]*\Z", re.IGNORECASE | re.DOTALL)
_IN_CELL_BEFORE = re.compile(rf"(?:\A|.*\n|.*\|)[ \t]*({_JOB})[^|\n]*\|[ \t]*\Z", re.IGNORECASE | re.DOTALL)
_LEADS = re.compile(LEADER, re.IGNORECASE)
#: A guest, or whose letter it is.
_ADDRESSED = re.compile(r"\b(?:attention|attn|cc|dear|to)\b[:.]?[ \t]+(?:\w+\.? )?\Z", re.IGNORECASE)
#: "Present:", and, before the name, others with their jobs: until an empty line, or who only attended.
_PRESENT = re.compile(
    r"(?:\A|\n)[ \t*_#|-]*(?:(?:board members?|directors?|members?) )?"
    r"(?:absent|apologies|excused|present)\b[^:\n]{0,30}:"
    r"(?:(?!\n[ \t]*\n|:|attend)[^.;])*\Z",
    re.IGNORECASE,
)
_PRESENT_ROOM, _LINE = 400, 400  # characters before a name; and of its line, on either side
_BEFORE = 80  # characters


def listed(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Relations between people and the organisation in the heading (mentions, by index).

    `types` are those of the mentions' entities. A line that names another organisation is left to the phrases.
    """
    own = heading(analysis, types, schema)
    if own is None:
        return
    own_name = analysis.mentions[own].text
    organisations = (analysis.mentions[m] for m, name in types.items() if schema.kinds[name] == "Organisation")
    others = sorted(mention.start for mention in organisations if mention.text != own_name)
    for m, kind in types.items():
        if schema.kinds[kind] != "Person" or _is_between(others, *_around(analysis, m)):
            continue
        job = _job_of(analysis, m)
        if WORKS_FOR in schema.relations and (job or _is_present(analysis, m)):
            yield Relation(m, WORKS_FOR, own, _SURE)
        if LED_BY in schema.relations and job and _LEADS.match(job):
            yield Relation(own, LED_BY, m, _SURE)


def _around(analysis: Analysis, m: int) -> tuple[int, int]:
    """The line of a mention, or of a line without columns what its sentence has of it."""
    text, mention = analysis.document.text, analysis.mentions[m]
    begin, end = max(0, mention.start - _LINE), min(len(text), mention.end + _LINE)
    begin, stop = max(begin, text.rfind("\n", begin, mention.start) + 1), text.find("\n", mention.end, end)
    end = end if stop < 0 else stop
    if has_columns(text[begin:end]):
        return begin, end
    sentence = analysis.sentences[mention.sentence]
    return max(begin, sentence[0]), min(end, sentence[1])


def _is_between(places: Sequence[int], begin: int, end: int) -> bool:
    return bisect_left(places, begin) < bisect_left(places, end)


def _is_present(analysis: Analysis, m: int) -> bool:
    """Whether the minutes say that a person was at the meeting, or sent apologies: the board is of the company."""
    before = analysis.document.text[max(0, analysis.mentions[m].start - _PRESENT_ROOM) : analysis.mentions[m].start]
    return _PRESENT.search(before) is not None


def _job_of(analysis: Analysis, m: int) -> str | None:
    text, person = analysis.document.text, analysis.mentions[m]
    before = text[max(0, person.start - _BEFORE) : person.start]
    if _ADDRESSED.search(before) or _OF_OTHERS.search(before):
        return None
    behind = (pattern.match(text, person.end) for pattern in _AFTER)
    found = (*behind, *(pattern.match(before) for pattern in (_IN_CELL_BEFORE, _LABEL, _JOB_BEFORE)))
    return next((job[1] for job in found if job), None)
