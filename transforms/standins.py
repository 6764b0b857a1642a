"""Stand-ins: what stands for an organisation or a person in a document that has said whom it means.

    Grönvall Papper AB (the "Supplier") …  The Supplier's subsidiary Grönvall Bruk AB …
    THORNBECK CASTINGS LIMITED [a heading] …  the Company …  our finance director, Rajiv Deshpande …

Called by `telling`, whose phrases are looked for beside them, and by `resolving`, to which a role is no name.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping

from transforms.records import Analysis
from transforms.schema import Kinds, Schema
from transforms.signatures import signed

#: A mention (by index) and where something stands for it.
Place = tuple[int, int, int]
#: What contracts call their parties; a name that is defined in the same way is `agreeing`'s to know.
_ROLES = (
    "Agent|Borrower|Buyer|Client|Company|Consultant|Contractor|Customer|Distributor|Employee|Employer|Executive|Guarantor"
    "|Issuer|Landlord|Lender|Lessee|Lessor|Licensee|Licensor|Parent|Purchaser|Seller|Supplier|Target|Tenant|Vendor"
)
_DEFINED = re.compile(
    rf"\((?:each an? |the )?(?:[^()\"“”]{{0,30}}\bthe )?\s*[\"“](?:the )?({_ROLES})[\"”][^()]{{0,60}}\)", re.IGNORECASE
)
_REACH = 300  # characters from the name to the definition
_HEADING_BEFORE = re.compile(
    r"[\s#*_]*(?:(?:about|(?:company )?profile:?) "
    r"|[^\n:]{0,60}\b(?:board|directors|meeting|members|report|shareholders) of )?",
    re.IGNORECASE,
)
_HEADING_BEHIND = re.compile(r"[ \t*_.,]*(?:\n|\Z)")
_OUR = re.compile(r"\b[Oo]ur\b")
_THE_COMPANY = re.compile(r"\b(?:[Tt]he|THE) (?:Company|COMPANY)\b")


def roles(analysis: Analysis, kinds: Kinds) -> dict[str, int]:
    """Role, as it is written → the mention that takes it: "Supplier" of 'Acme Ltd, Leeds (the "Supplier")'."""
    definitions = [*_DEFINED.finditer(analysis.document.text)]
    if not definitions:
        return {}
    parties = ("Person", "Organisation")
    named = sorted((m.start, index) for index, m in enumerate(analysis.mentions) if kinds[m.type] in parties)
    found: dict[str, int] = {}
    for defined in definitions:
        before = bisect_left(named, (defined.start(),)) - 1
        if before >= 0 and defined.start() - named[before][0] <= _REACH:
            found.setdefault(defined[1], named[before][1])
    return found


def stand_ins(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Place]:
    """Where roles, "the Company" and "our" stand for a mention; `types` are those of the mentions' entities."""
    text = analysis.document.text
    known = {role: m for role, m in roles(analysis, schema.kinds).items() if m in types}
    if known:
        for found in re.finditer(rf"\b(?:[Tt]he )?({'|'.join(known)})\b(?![\"”]| [A-Z])", text):
            yield known[found[1]], *found.span()
    patterns = (_OUR,) if "Company" in known else (_OUR, _THE_COMPANY)
    spans = [found.span() for pattern in patterns for found in pattern.finditer(text)]
    own = principal(analysis, types, schema) if spans else None
    if own is not None:
        yield from ((own, *span) for span in spans)


def principal(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> int | None:
    """The organisation whose document it is: whose name is its heading, or for whom the sender of a mail signs."""
    text = analysis.document.text
    senders = {text[slice(*fact.tail)] for fact in analysis.document.facts if fact.relation == "SENT_BY"}
    for relation in signed(analysis, types, schema) if senders else ():
        if analysis.mentions[relation.head].text in senders:
            return relation.tail
    return heading(analysis, types, schema)


def heading(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> int | None:
    """The organisation (a mention, by index) that the first line names, or that is called the Company; else None."""
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
    company = roles(analysis, schema.kinds).get("Company")
    return company if company in types else None
