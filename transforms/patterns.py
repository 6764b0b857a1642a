"""What is recognised by its form alone: dates, amounts of money, a company by its legal form, a street by its number.

The open training sets hold few amounts, few "AS" or "GmbH" and hardly an address, and what has a grammar needs no
model: these patterns add to the tagger's mentions, or correct them. Normalising values is `values`' job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from cleanco.termdata import terms_by_country, terms_by_type

from transforms import currencies
from transforms.names import TITLES

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?:1[5-9]|20)\d\d"
_DATE = re.compile(
    # What a date begins with is looked at first: most words begin with none of it, and no more of them need be.
    rf"\b(?=[\dJFMASOND])(?:{_DAY}\.?(?:\s+of)?\s+{_MONTH}(?:,?\s+{_YEAR})?"
    rf"|{_MONTH}\s+{_DAY}(?:,?\s+{_YEAR})?\b"
    rf"|{_MONTH}\s+{_YEAR}|{_YEAR}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])|{_DAY}[./](?:0?[1-9]|1[0-2])[./]{_YEAR})\b",
    re.IGNORECASE,
)
_SCALE = r"(?:\s?(?:thousand|million|billion|trillion|mn|bn|m|k)\b)?"
_AMOUNT = r"\d{1,3}(?:[,.' \u00a0\u202f]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
_WORDS = r"(?:euros?|dollars?|pounds?(?:\s+sterling)?|kroner|kronor|yen|rupees?|francs?|zloty)"


@lru_cache(maxsize=1)
def _money() -> re.Pattern[str]:
    # Codes that are also words in capitals ("ALL", "TOP", "CUP") would be found in headings.
    codes = "|".join(sorted(currencies.codes() - {"ALL", "TOP", "CUP", "TRY", "MOP", "BAM", "LAK", "MAD"}))
    signs = "|".join(map(re.escape, sorted(currencies.signs(), key=len, reverse=True)))
    alone = "".join(re.escape(sign) for sign in currencies.signs() if len(sign) == 1)
    sign = rf"(?:(?<![A-Za-z])(?:{signs})|\b(?:{codes})\$?)"
    year_before = rf"{_YEAR}\s?{sign}\s?\d"  # "in 2019 NOK 300 million": the year is no amount
    return re.compile(
        rf"(?=[\d{alone}A-Z])(?:{sign}\s?(?:{_AMOUNT})(?!\d){_SCALE}"
        rf"|\b(?!{year_before})(?:{_AMOUNT}){_SCALE}\s?(?:[{alone}]|(?:{codes})\b|(?i:{_WORDS})\b))"
    )


def pattern_mentions(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, type) of each date, amount and company with its legal form, in order, without overlap."""
    found = [(m.start(), m.end(), "Money") for m in _money().finditer(text)]
    found += [(m.start(), m.end(), "Date") for m in _DATE.finditer(text)]
    found += [(start, end, "Organisation") for start, end in company_mentions(text)]
    end = 0
    for start, stop, kind in sorted(found):
        if start >= end:
            yield start, stop, kind
            end = stop


#: Of cleanco's terms, those that mean something else in an English text more often, and the short ones that do not.
_NO_FORMS = frozenset(
    {"vat", "cpt", "dat", "sem", "sep", "stg", "eg", "private", "unlimited", "company", "and company"}
)
_TWO_LETTERS = frozenset({"ab", "ag", "as", "bv", "co", "hf", "kg", "kk", "ks", "nv", "oy", "ou", "sa", "se"})
#: Forms that are also written small; "as" and "co" are other words then.
_SMALL = frozenset({"plc", "ltd", "gmbh", "llp", "llc", "inc"})
_CHUNK = re.compile(r",?\s([^\s,;:()]+)")
_CLOSED = re.compile(r"[.,;:)]|\n|$")
_LONGEST_FORM = 20  # characters of its first word
_CHUNKS = 4  # "GmbH & Co. KG"


@lru_cache(maxsize=1)
def _legal_forms() -> frozenset[str]:
    terms = {_undotted(term) for by in (terms_by_type, terms_by_country) for found in by.values() for term in found}
    return frozenset(t for t in terms - _NO_FORMS if len(t) > 2 or t in _TWO_LETTERS)


@lru_cache(maxsize=1)
def _first_words() -> frozenset[str]:
    return frozenset(form.split()[0] for form in _legal_forms())


@lru_cache(maxsize=65536)
def _begins_form(word: str) -> bool:
    return _undotted(word) in _first_words()


def _undotted(term: str) -> str:
    return " ".join(term.casefold().replace(".", "").strip(" ,").split())


#: Forms that are no other word, in whatever letters; of the others, "As", "Spa" or "SPA" among capitals may be one.
_SURE = frozenset({"ltd", "limited", "inc", "incorporated", "corp", "corporation", "llc", "llp", "plc", "gmbh", "oy"})
_CAPITAL_BEHIND = re.compile(r"\s+[A-Z]")  # "Corporation Tax"
_WORD = re.compile(r"[^\s,;:()\"“”]+")
#: Words with a capital before a name, at the beginning of a sentence or in a heading, that are none of it.
_OPENERS = frozenset(
    {"a", "after", "all", "an", "and", "any", "as", "at", "before", "between", "both", "but", "by", "dear", "each"}
    | {"every", "for", "from", "further", "if", "in", "into", "its", "no", "not", "of", "on", "or", "our", "such"}
    | {"that", "the", "their", "these", "this", "to", "under", "upon", "when", "where", "while", "with", "your"}
)
_INNER = frozenset({"&", "+", "and", "da", "de", "del", "der", "di", "do", "du", "et", "of", "the", "und", "van", "y"})
_LONGEST_COMPANY = 8  # words, its legal form not counted


def company_mentions(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each run of words with capitals that a legal form closes, form included, in order."""
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


def company_end(text: str, start: int, end: int) -> int | None:
    """Where a company's name ends, legal form included, if the mention has one or is followed by one; else None.

    The mention may be "Acme" or "Acme Inc" of "Acme Inc."
    """
    name = text[start:end]
    ends = [end, *(start + found.start() for found in re.finditer(r",?\s", name))]
    return next((stop for before in ends if (stop := _form_end(text, start, before)) > before and stop >= end), None)


def _form_end(text: str, start: int, end: int) -> int:
    """The end of a name together with the legal form that follows it."""
    stop = position = end
    for _ in range(_CHUNKS):
        chunk = _CHUNK.match(text, position)
        if chunk is None:
            break
        # Most names are followed by another word, and then no more need be looked at.
        if position == end and (word := _undotted(chunk[1])) and word not in _first_words():
            break
        position = chunk.end()
        if _undotted(text[end:position]) in _legal_forms() or _undotted(text[stop:position]) in _legal_forms():
            stop = position
    form = text[end:stop].strip(" ,.")
    if form.islower() and "." not in form and form not in _SMALL:
        return end
    if form in ("As", "Se", "Sa"):  # a word of a heading ("Acme As Lender")
        return end
    # Among words in capitals, "AS" is one of them unless something closes the name.
    if text[start:end].isupper() and len(form) == 2 and not _CLOSED.match(text, stop):
        return end
    return stop - (text[stop - 1 : stop] == "." and "." not in form)


_STREETS = (
    "avenue|ave|boulevard|blvd|close|court|crescent|drive|dr|gardens|highway|hwy|lane|parkway|place|quay|road|rd|row|"
    "square|street|st|terrace|way|wharf"
)
_LONGEST_STREET = 100  # characters; a hostile text may hold a name of millions
#: "5 Garland Court": the number is before the street's name, or already in the mention.
_NUMBER_BEFORE = re.compile(r"(?<![\w,.\-–/])\d{1,4}[a-zA-Z]? \Z")
_NUMBERED = re.compile(rf"(?:\d{{1,4}}[a-z]? )?[^\W\d_].*\b(?:{_STREETS})\.?", re.IGNORECASE)
_POSTCODE = r"(?:[A-Z]{1,2}-)?\d{4,5}(?:-\d{3})?"
#: "Kaiveien 14, 5003 Bergen": the number is behind it, and then comes a place, with its postcode or without.
_NUMBER_BEHIND = re.compile(rf"\s\d{{1,4}} ?[a-zA-Z]?(?=(?:\s*[,|]\s*|\s*\n\s*)(?:{_POSTCODE}\s+)?[^\W\d_a-z])")
#: "Norway 120, Sweden 85": of a list of places with figures, the next of them.
_LISTED = re.compile(r"(?:\s*[,|]\s*|\s*\n\s*)[^\W\d_][^\d\n,|]{0,40}\s\d")
_ENDS_IN_NUMBER = re.compile(r"(.*\D)\s\d{1,4} ?[a-zA-Z]?")
_CODE_BEHIND = re.compile(rf"\W+{_POSTCODE}\s")
_STREET_LIKE = re.compile(
    r".*(?:vei|veien|vegen|gate|gaten|gata|gade|gaden|vej|allé|alle|stra(?:ß|ss)e|str\.|gasse|platz|weg|kade|straat|laan|"
    r"plein|bakken|kaia)|(?:rue|via|viale|piazza|calle|avenida|plaza|rua|praça|avenue|place|ulica|ul\.) .*",
    re.IGNORECASE,
)


def street_span(text: str, start: int, end: int, is_place: bool) -> tuple[int, int] | None:
    """The mention together with the number of the house, if it names a street with one; else None.

    `is_place`: the tagger takes it for a place. Without that, a word for a street or a postcode has to say so.
    """
    name = text[start:end]
    if len(name) > _LONGEST_STREET:
        return None
    if _NUMBERED.fullmatch(name):
        before = _NUMBER_BEFORE.search(text, max(0, start - 8), start)
        if name[0].isdigit() or (before and not _is_year(before)):
            return (before.start() if before else start), end
    if (ends := _ENDS_IN_NUMBER.fullmatch(name)) and _STREET_LIKE.fullmatch(ends[1]):
        return start, end
    behind = _NUMBER_BEHIND.match(text, end)
    if behind is None:
        return None
    told = _STREET_LIKE.fullmatch(name) or _CODE_BEHIND.match(text, behind.end())
    if told or (is_place and not _is_year(behind) and not _LISTED.match(text, behind.end())):
        return start, behind.end()
    return None


def is_numbered_street(name: str) -> bool:
    """Whether a place's name has the number of a house, before or behind it."""
    if len(name) > _LONGEST_STREET:
        return False
    return (name[:1].isdigit() and _NUMBERED.fullmatch(name) is not None) or _ENDS_IN_NUMBER.fullmatch(name) is not None


def _is_year(number: re.Match[str]) -> bool:
    return re.fullmatch(_YEAR, number.group().strip()) is not None


_TITLE = re.compile(r"([^\W\d_]+)\.?\s+(?=\S)")


def title_end(text: str, start: int, end: int) -> int:
    """Where a person's name begins behind its titles ("Ms", "Prof. Dr."); the mention's start, if it has none."""
    while (word := _TITLE.match(text, start, end)) and word[1].casefold() in TITLES:
        start = word.end()
    return start
