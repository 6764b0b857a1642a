"""Dealings: what the parties of an agreement, an order or an invoice are to each other, by their roles.

    Acme Ltd (the "Supplier") … Bravo AS (the "Customer")       Acme SUPPLIES Bravo
    Donaubank AG as Lender … Sládek Holding S.E. as Guarantor   Donaubank CONTRACTED_WITH Sládek Holding

Called by `stating`, as `telling` is: that two are parties of one text no sentence says. `roles` finds who takes which.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import combinations

from transforms.records import Analysis, Relation
from transforms.roles import Taken, roles
from transforms.schema import Schema
from transforms.standins import first_organisations, principal, subject

#: Of 32 such relations that roles, phrases and these tell of `benchmarks/business/`'s dev part, which was read, 28
#: hold; the open sets hold none.
_SURE, _LIKELY = 0.9, 0.7
#: What parties are to each other if nothing else, and what an adviser and his client are.
_CONTRACTED, _ADVISED = "CONTRACTED_WITH", "ADVISED_BY"
_WORKERS = frozenset({"contractor", "subcontractor", "supplier", "vendor"})
_SELLERS = _WORKERS | {"carrier", "franchisor", "licensor", "manufacturer", "provider", "seller", "service provider"}
_BUYERS = frozenset({"buyer", "client", "customer", "distributor", "franchisee", "licensee", "purchaser", "reseller"})
_ADVISERS = frozenset({"adviser", "advisor", "auditor", "consultant"})
#: A relation, the roles of its heads and those of its tails.
_BETWEEN = (
    ("SUPPLIES", _SELLERS, _BUYERS),
    ("SUPPLIES", _WORKERS, frozenset({"company", "employer"})),
    ("LENDS_TO", frozenset({"bank", "lender"}), frozenset({"borrower"})),
    ("LEASES_TO", frozenset({"landlord", "lessor"}), frozenset({"lessee", "tenant"})),
    ("LEASES_TO", frozenset({"owner"}), frozenset({"charterer", "hirer"})),
    (_ADVISED, frozenset({"client", "company"}), _ADVISERS),
    ("EMPLOYER", frozenset({"employee", "executive"}), frozenset({"company", "employer"})),
)
#: Who sells shares supplies nobody, and the company whose they are may sign nothing.
_OF_SHARES = re.compile(r"\bshares\b|\bstock purchase\b", re.IGNORECASE)
_NO_PARTIES = frozenset({"parent", "target"})
#: Where labels name the parties, too.
_IS_CONTRACT = re.compile(r"\b(?:agreement|charter|contract|deed|lease)\b", re.IGNORECASE)
_HEADING = 200  # characters
_MOST = 12  # parties of one agreement
#: Forms whose sender's own role goes without saying.
_OF_ONE_SIDE = re.compile(
    r"\b(?:delivery note|invoice|order confirmation|PO (?:date|no|number)|purchase order)\b", re.IGNORECASE
)
_TOP = 1_500  # characters in which a form says what it is
#: "Kamau & Rajani, the auditors": of whom goes without saying.
_IS_ADVISER = re.compile(
    r",?\s\(?(?:as|its|our|the)\s(?:(?:external|financial|independent|legal|new|statutory|tax)\s){0,2}"
    r"(?:advis[eo]rs?|auditors?|lawyers|solicitors|valuers?)\b(?! (?:for|of|to)\b)"
)
#: What stands before whom an organisation deals with, in its own document: "The hall is rented from".
_WORDS_FROM_WHOM = (
    ("SUPPLIES", r"(?:bought|hired|obtained|ordered|procured|purchased|sourced)\b[^.;:]{0,50}? from"),
    ("SUPPLIES", r"(?:cleaned|delivered|fitted|installed|maintained|manufactured|made|repaired|serviced|supplied) by"),
    ("LEASES_TO", r"(?:chartered|leased|lease|rented)\b[^.;:]{0,40}? from"),
    ("LENDS_TO", r"(?:credit agreement|credit line|facility|loan|mortgage|overdraft)\b[^.;:]{0,60}? (?:by|from|with)"),
    (_ADVISED, r"(?:advised|audited|represented) by"),
)
_FROM_WHOM = tuple((name, re.compile(rf"\b{words} (?:the |a contractor, )?\Z")) for name, words in _WORDS_FROM_WHOM)
_OF_ANOTHER = re.compile(r"(?:He|It|She|The (?:former|latter)|They|Which)\b")
_CLAUSE = 120  # characters before the name
#: "BETWEEN" or "Parties" and, below, each party behind its number.
_BETWEEN_WHOM = re.compile(
    r"^[ \t*#]*(?:[\w ,]{0,60} )?(?:between|parties)[ \t*]*:?[ \t*]*\n", re.IGNORECASE | re.MULTILINE
)
_NUMBERED = re.compile(r"^[ \t*]*\(?[1-6][.)][ \t*]+", re.MULTILINE)
_PREAMBLE = 2_000  # characters that name the parties


def dealings(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Relations between the parties of a document (mentions, by index); `types` are those of their entities.

    That parties have a contract is said even where another relation implies it.
    """
    taken = [one for one in roles(analysis, schema.kinds).values() if one.mention in types]
    of_shares = bool(_OF_SHARES.search(analysis.document.text))
    yield from _by_roles(analysis, types, schema, taken, of_shares)
    yield from _advising(analysis, types, schema, taken)
    yield from _of_own(analysis, types, schema)
    is_contract = bool(_IS_CONTRACT.search(analysis.document.text, 0, _HEADING))
    silent = _NO_PARTIES | {"company"} if of_shares else _NO_PARTIES
    parties = [one.mention for one in taken if (one.is_party or is_contract) and one.role not in silent]
    parties += _numbered(analysis, types, schema)
    for first, second in combinations([*dict.fromkeys(parties)][:_MOST], 2):
        yield Relation(first, _CONTRACTED, second, _SURE)


def _by_roles(
    analysis: Analysis, types: Mapping[int, str], schema: Schema, taken: Collection[Taken], of_shares: bool
) -> Iterator[Relation]:
    mentions = {one.role: one.mention for one in reversed([*taken])}
    if mentions:
        mentions |= _sender(analysis, types, schema, mentions)
    for head, first in mentions.items():
        for tail, second in mentions.items():
            for name, heads, tails in _BETWEEN:
                if head in heads and tail in tails and not (of_shares and {head, tail} & {"company", "seller"}):
                    yield Relation(first, name, second, _SURE)


def _sender(
    analysis: Analysis, types: Mapping[int, str], schema: Schema, mentions: Mapping[str, int]
) -> dict[str, int]:
    """Of an invoice or an order that names one side alone, its sender: who heads it, or whom it names first."""
    text = analysis.document.text
    buys, sells = bool(mentions.keys() & _BUYERS), bool(mentions.keys() & _SELLERS)
    if buys == sells or not _OF_ONE_SIDE.search(text, 0, _TOP):
        return {}
    sender = principal(analysis, types, schema)
    if sender is None:
        named = (analysis.mentions[m].start for m, name in types.items() if schema.kinds[name] == "Organisation")
        first = min(named, default=None)
        begins_line = first is not None and not text[:first].rpartition("\n")[2].strip(" \t*#|")
        sender = next((m for m in types if begins_line and analysis.mentions[m].start == first), None)
    return {} if sender is None else {"supplier" if buys else "customer": sender}


def _advising(
    analysis: Analysis, types: Mapping[int, str], schema: Schema, taken: Collection[Taken]
) -> Iterator[Relation]:
    """Whom a document of an organisation calls its adviser, by a label or behind the name."""
    text = analysis.document.text
    advisers = [one.mention for one in taken if one.role in _ADVISERS and not one.is_party]
    named = (m for m, name in types.items() if schema.kinds[name] == "Organisation")
    advisers += [m for m in named if _IS_ADVISER.match(text, analysis.mentions[m].end)]
    own = subject(analysis, types, schema) if advisers else None
    if own is not None:
        yield from (Relation(own, _ADVISED, adviser, _SURE) for adviser in advisers)


def _of_own(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Of whom an organisation's document says that something is bought from, rented from or audited by them.

    Nobody else that the sentence names before may be the one who buys it.
    """
    text = analysis.document.text
    found = []
    for sentence, m in first_organisations(analysis, types, schema).items():
        begin, start = analysis.sentences[sentence][0], analysis.mentions[m].start
        before = text[max(begin, start - _CLAUSE) : start] if not _OF_ANOTHER.match(text, begin) else ""
        found += [(m, name) for name, pattern in _FROM_WHOM if pattern.search(before)]
    own = subject(analysis, types, schema) if found else None
    if own is not None:
        yield from (Relation(*((own, name, m) if name == _ADVISED else (m, name, own)), _LIKELY) for m, name in found)


def _numbered(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[int]:
    text = analysis.document.text
    begin = _BETWEEN_WHOM.search(text, 0, _PREAMBLE)
    if begin is None:
        return
    starts = {
        analysis.mentions[m].start: m for m, name in types.items() if schema.kinds[name] in ("Person", "Organisation")
    }
    for number in _NUMBERED.finditer(text, begin.end(), begin.end() + _PREAMBLE):
        if number.end() not in starts:
            return
        yield starts[number.end()]
