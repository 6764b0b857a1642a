"""Stand-ins: what stands for an organisation or a person in a document that has said whom it means.

    Grönvall Papper AB (the "Supplier") …  The Supplier's subsidiary Grönvall Bruk AB …
    THORNBECK CASTINGS LIMITED [a heading] …  the Company …  our finance director, Rajiv Deshpande …

Called by `telling`, whose phrases are looked for beside them. Roles are `roles`' to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain

from transforms.correspondents import writing
from transforms.records import Analysis
from transforms.roles import roles
from transforms.schema import Schema
from transforms.signatures import WORKS_FOR, signed

#: A mention (by index) and where something stands for it.
Place = tuple[int, int, int]
_HEADING_BEFORE = re.compile(
    r"[\s#*_]*(?:(?:about|(?:company )?profile:?) "
    r"|[^\n:]{0,60}\b(?:board|directors|meeting|members|report|shareholders) of )?",
    re.IGNORECASE,
)
_HEADING_BEHIND = re.compile(r"[ \t*_.,]*(?:\n|\Z)")
#: What a press release ends in, and what a company's profile begins with.
_ABOUT = re.compile(
    r"^[ \t#*_]*(?:(?i:about us|our (?:company|history|story)|who we are)[ \t#*_]*\n\s*(?:The )?|About[ \t]+(?:the )?)",
    re.MULTILINE,
)
_OUR = re.compile(r"\b(?:[Oo]ur|[Ww]e|us)\b")
_THE_COMPANY = re.compile(r"\b(?:[Tt]he|THE) (?:Company|COMPANY)\b")


def stand_ins(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Place]:
    """Where roles, "the Company" and "our" stand for a mention; `types` are those of the mentions' entities."""
    text = analysis.document.text
    known = {role: t.mention for role, t in roles(analysis, schema.kinds).items() if t.mention in types}
    if known:
        for found in re.finditer(rf"\b(?:[Tt]he )?({'|'.join(known)})\b(?![\"”]| [A-Z])", text):
            yield known[found[1]], *found.span()
    patterns = (_OUR,) if "Company" in known else (_OUR, _THE_COMPANY)
    spans = [found.span() for pattern in patterns for found in pattern.finditer(text)]
    own = principal(analysis, types, schema) if spans else None
    if own is not None:
        yield from ((own, *span) for span in spans)


def principal(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> int | None:
    """The organisation whose document it is: whose name is its heading, or for whom the sender of a mail writes."""
    text = analysis.document.text
    senders = {text[slice(*fact.tail)] for fact in analysis.document.facts if fact.relation == "SENT_BY"}
    rules = (signed, writing) if senders else ()
    for relation in chain.from_iterable(rule(analysis, types, schema) for rule in rules):
        if relation.name == WORKS_FOR and analysis.mentions[relation.head].text in senders:
            return relation.tail
    return heading(analysis, types, schema)


def subject(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> int | None:
    """The organisation whose affairs a document tells of: of an auditor's letter the Company, of a memo the Target."""
    known = roles(analysis, schema.kinds)
    called = (known[role].mention for role in ("Company", "COMPANY", "Target") if role in known)
    found = next((m for m in called if types.get(m) and schema.kinds[types[m]] == "Organisation"), None)
    return principal(analysis, types, schema) if found is None else found


def heading(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> int | None:
    """The organisation (a mention, by index) in the first line, or that the last is about, or that is the Company."""
    text = analysis.document.text
    named = [m for m, name in types.items() if schema.kinds[name] == "Organisation"]
    first = min(named, key=lambda m: analysis.mentions[m].start, default=None)
    alone = (
        first is not None
        and _HEADING_BEFORE.fullmatch(text, 0, analysis.mentions[first].start)
        and _HEADING_BEHIND.match(text, analysis.mentions[first].end)
    )
    if alone:
        return first
    about = {found.end() for found in _ABOUT.finditer(text)}
    if (own := next((m for m in named if analysis.mentions[m].start in about), None)) is not None:
        return own
    company = roles(analysis, schema.kinds).get("Company")
    return company.mention if company and company.mention in types else None


def first_organisations(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> dict[int, int]:
    """Of each sentence (by index) that names organisations, the first (a mention, by index)."""
    firsts: dict[int, int] = {}
    for m, name in types.items():
        if schema.kinds[name] == "Organisation":
            first = firsts.setdefault(analysis.mentions[m].sentence, m)
            if analysis.mentions[m].start < analysis.mentions[first].start:
                firsts[analysis.mentions[m].sentence] = m
    return firsts
