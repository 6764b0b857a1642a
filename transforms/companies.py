"""Companies by their legal forms: "Banca Lagunare S.p.A.", "Old Lumen Software AS". Called by `patterns`.

Which forms there are is cleanco's to say; where the name before one begins, its capitals say.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache

from cleanco.termdata import terms_by_country, terms_by_type

from transforms.names import DOTTED_FORMS, MORE_FORMS, plain_letters

#: Of cleanco's terms, those that mean something else in an English text more often, and the short ones that do not.
_NO_FORMS = frozenset(
    {"vat", "cpt", "dat", "sem", "sep", "stg", "eg", "private", "unlimited", "company", "and company"}
)
_TWO_LETTERS = frozenset({"ab", "ag", "as", "bv", "co", "hf", "kg", "kk", "ks", "nv", "oy", "ou", "sa", "se"})
#: Forms that are also written small; "as" and "co" are other words then.
_SMALL = frozenset({"plc", "ltd", "gmbh", "llp", "llc", "inc"})
_CHUNK = re.compile(r",?\s([^\s,;:()]+)")
#: "Karoo Solar (Pty) Ltd", "Acme (UK) Ltd".
_IN_BRACKETS = re.compile(r"\s\([A-Z]\w{0,11}\)(?=\s)")
_CLOSED = re.compile(r"[.,;:)]|\n|$")
_LONGEST_FORM = 20  # characters of its first word
_CHUNKS = 5  # "S. de R.L. de C.V."


@lru_cache(maxsize=1)
def _legal_forms() -> frozenset[str]:
    terms = {_undotted(term) for by in (terms_by_type, terms_by_country) for found in by.values() for term in found}
    return frozenset(t for t in terms - _NO_FORMS if len(t) > 2 or t in _TWO_LETTERS) | MORE_FORMS | DOTTED_FORMS


@lru_cache(maxsize=1)
def _first_words() -> frozenset[str]:
    return frozenset(form.split()[0] for form in _legal_forms())


@lru_cache(maxsize=65536)
def _begins_form(word: str) -> bool:
    return _undotted(word) in _first_words()


def _undotted(term: str) -> str:
    return " ".join(plain_letters(term).replace(".", "").strip(" ,").split())


#: Forms that are no other word, in whatever letters; of the others, "As", "Spa" or "SPA" among capitals may be one.
_SURE = frozenset(
    {"corp", "corporation", "gmbh", "inc", "incorporated", "kft", "lda", "limited", "llc", "llp", "ltd", "ltda", "oy"}
    | {"oyj", "plc", "tbk", "zrt"}
)
_CAPITAL_BEHIND = re.compile(r"[ \t]+[A-Z]")  # "Corporation Tax"
_WORD = re.compile(r"[^\s,;:()\"“”]+")
#: Words with a capital before a name, at the beginning of a sentence or in a heading, that are none of it.
_OPENERS = frozenset(
    {"a", "after", "all", "an", "and", "any", "as", "at", "before", "between", "both", "but", "by", "dear", "each"}
    | {"every", "for", "from", "further", "if", "in", "into", "its", "no", "not", "of", "on", "or", "our", "such"}
    | {"that", "the", "their", "these", "this", "to", "under", "upon", "when", "where", "while", "with", "your"}
)
_INNER = frozenset(
    {"&", "+", "and", "da", "das", "de", "del", "der", "di", "do", "dos", "du", "e", "et", "i", "la", "och", "of", "og"}
    | {"the", "und", "van", "y"}
)
_LONGEST_COMPANY = 8  # words, its legal form not counted
#: What leads to a company's name in capitals of its own: "the Board of Directors of", "DEED BETWEEN", "Acme Ltd and".
_LEADS = re.compile(
    r".*\b(?:(?:articles of association|chair(?:man|woman)?|directors?|employees?|manager|meeting|members|memorandum"
    r"|minutes|officers?|president|secretary|(?:share|stock)holders?|shares|subsidiar(?:y|ies)) of|between|from|with"
    r"|(?:executive|managing) director|chief [a-z]+ officer"
    r"|(?:corp(?:oration)?|gmbh|inc|limited|llc|llp|ltd|plc)\.? (?:and|&)(?! Co\b)) (?:the )?",
    re.IGNORECASE,
)


#: "PT Samudra Bentala Line", "UAB Vilniaus Duona": forms that stand before a name, in capitals.
_PREFIX = r"(?<![\w.])(?:OOO|PT|SIA|UAB) "
_PREFIX_BEFORE, _PREFIX_ROOM = re.compile(rf"{_PREFIX}\Z"), 5
_PREFIXED = re.compile(rf"{_PREFIX}[^\W\d_a-z][\w'’-]+(?: [^\W\d_a-z][\w'’-]+){{1,4}}")


def company_mentions(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each run of words with capitals that a legal form closes or opens, form included."""
    yield from (found.span() for found in _PREFIXED.finditer(text))
    words = list(_WORD.finditer(text))
    for place, word in enumerate(words):
        if len(word[0]) > _LONGEST_FORM or not _begins_form(word[0]):
            continue
        if (first := _first_of_name(text, words, place)) < place:
            start, end = words[first].start(), words[place - 1].end()
            if (stop := _form_end(text, start, end)) > end and _is_sure(text, start, end, stop):
                yield start, stop


def _first_of_name(text: str, words: Sequence[re.Match[str]], place: int) -> int:
    """Where the name begins that the word at `place` closes; `place` itself, if none does."""
    first, capitals = place, place
    while first > max(0, place - _LONGEST_COMPANY) and _goes_on(text, words[first - 1], words[first], first == place):
        first -= 1
        if words[first][0][0].isupper():
            capitals = first
        elif words[first][0] not in _INNER:
            break
    if capitals < place:
        begin = company_start(text, words[capitals].start(), words[place].start())
        capitals = bisect_left(words, begin, capitals, place, key=re.Match.start)
    while capitals < place and (words[capitals][0].casefold() in _OPENERS or words[capitals][0] in _INNER):
        capitals += 1
    return capitals


def _goes_on(text: str, one: re.Match[str], other: re.Match[str], is_form: bool) -> bool:
    """Whether a word belongs to one name with the next, by what is between them."""
    ends = len(one[0]) > 3 and one[0].endswith((".", "!", "?"))  # not so "St." or "J."
    return not ends and text[one.end() : other.start()] in ((" ", ", ") if is_form else (" ",))


def _is_sure(text: str, start: int, end: int, stop: int) -> bool:
    form = text[end:stop].strip(" ,.")
    if _undotted(form) in _SURE:
        return len(form) <= len("corp") or not _CAPITAL_BEHIND.match(text, stop)
    return "." in form or not (form.istitle() or text[start:end].isupper())


#: "Cordoaria Brázia & ", before a mention "Irmãos, Lda".
_JOINED = re.compile(r"(?:[^\W\d_a-z][\w'’\-]{0,30} ){1,3}[&+] \Z")
_JOINED_ROOM = 100


def company_start(text: str, start: int, end: int) -> int:
    """Where a company's name begins: behind what leads to it ("the Board of Directors of"), before what "&" joins."""
    if prefix := _PREFIX_BEFORE.search(text, max(0, start - _PREFIX_ROOM), start):
        return prefix.start()
    leads = _LEADS.match(text, start, end)
    joined = _JOINED.search(text, max(0, start - _JOINED_ROOM), start)
    return leads.end() if leads else joined.start() if joined else start


def company_end(text: str, start: int, end: int) -> int | None:
    """Where a company's name ends, legal form included, if the mention has one or stands beside one; else None.

    The mention may be "Acme" or "Acme Inc" of "Acme Inc."
    """
    name = text[start:end]
    ends = [end, *(start + found.start() for found in re.finditer(r",?\s", name))]
    stops = [stop for before in ends if (stop := _form_end(text, start, before)) > before]
    whole = next((stop for stop in stops if stop >= end), None)
    # "Bosco & Figli S.r.l. of Modena": the place is none of it.
    whole = whole or next((stop for stop in stops if text.startswith(" of ", stop)), None)
    if whole is not None:
        return whole
    prefixed = _PREFIXED.match(text, start) or _PREFIX_BEFORE.search(text, max(0, start - _PREFIX_ROOM), start)
    return end if prefixed else None


def _form_end(text: str, start: int, end: int) -> int:
    """The end of a name together with the legal form that follows it; its own end, if none does."""
    bracket = _IN_BRACKETS.match(text, end)
    if bracket is None:
        return _plain_form_end(text, start, end)
    stop = _plain_form_end(text, start, bracket.end())
    return stop if stop > bracket.end() else end


def _plain_form_end(text: str, start: int, end: int) -> int:
    stop = position = end
    for _ in range(_CHUNKS):
        chunk = _CHUNK.match(text, position)
        if chunk is None:
            break
        # Most names are followed by another word, and then no more need be looked at.
        if position == end and (word := _undotted(chunk[1])) and word not in _first_words():
            break
        if stop > end and chunk[1] in ("as", "co", "se"):  # "Kestrel LLP as auditors"
            break
        position = chunk.end()
        if _undotted(text[end:position]) in _legal_forms() or _undotted(text[stop:position]) in _legal_forms():
            stop = position
    form = text[end:stop].strip(" ,.")
    if form.islower() and "." not in form and form not in _SMALL:
        return end
    # A word of a heading ("Acme As Lender").
    if form in ("As", "Se", "Sa") or form.casefold() in DOTTED_FORMS:
        return end
    # Among words in capitals, "AS" is one of them unless something closes the name.
    if text[start:end].isupper() and len(form) == 2 and not _CLOSED.match(text, stop):
        return end
    return stop - (text[stop - 1 : stop] == "." and "." not in form)


_OF = re.compile(r"(\S{2,20}?),? (?:in|of) \Z")


def follows_company(text: str, start: int) -> bool:
    """Whether "of" or "in" and a company with its legal form stand before: "Backofenbau Rüdinger GmbH of Ulm"."""
    of = _OF.search(text, max(0, start - _LONGEST_FORM), start)
    return of is not None and not of[1].islower() and _undotted(of[1]) in _legal_forms()


#: "a Delaware corporation" says where a company is registered, and names none.
_KIND = re.compile(
    r"(?<!\w)an? ([A-Z][\w.]*(?: [A-Z][\w.]*){0,3}) (?:[a-z]+ ){0,2}(?:bank|company|corporation|partnership|trust)\b"
)


def registered_in(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The place in what was taken for a company but is a kind of one ("a Delaware corporation"); else None."""
    kind = _KIND.search(text, max(0, start - len("an ")), end)
    return kind.span(1) if kind and kind.end() == end and kind.start(1) == start else None
