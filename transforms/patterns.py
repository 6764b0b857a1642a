"""What is recognised by its form alone: dates, amounts of money, a person by "Mr" or "Ms", a street by its number, a
postcode, an address of mail or web; and a company by its legal form (`companies`).

The open training sets hold few amounts, few "AS" or "GmbH" and hardly an address, and what has a grammar needs no
model: these patterns add to the tagger's mentions, or correct them. Normalising values is `values`' job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from transforms import currencies
from transforms.companies import company_mentions
from transforms.countries import is_before_country
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
    """(start, end, type) of each date, amount, company with its legal form, person with a title, street and town before
    its country, in order.

    They do not overlap.
    """
    found = [(m.start(), m.end(), "Money") for m in _money().finditer(text)]
    found += [(m.start(), m.end(), "Date") for m in _DATE.finditer(text)]
    found += [(start, end, "Organisation") for start, end in company_mentions(text)]
    found += [(start, end, "Person") for start, end in titled_persons(text)]
    found += [(*m.span(1), "Location") for m in _TOWN.finditer(text) if is_before_country(text, m.end())]
    found += [(m.start(), m.end(), "Location") for m in _STREET.finditer(text) if not _is_year(m[1] or "")]
    end = 0
    for start, stop, kind in sorted(found):
        if start >= end:
            yield start, stop, kind
            end = stop


_STREETS = (
    "avenue|ave|boulevard|blvd|close|court|crescent|drive|dr|gardens|highway|hwy|lane|parkway|place|quay|road|rd|row|"
    "square|street|st|terrace|way|wharf"
)
_LONGEST_STREET = 100  # characters; a hostile text may hold a name of millions
#: "5 Garland Court": the number is before the street's name, or already in the mention.
_NUMBER_BEFORE = re.compile(r"(?<![\w,.\-–/])\d{1,4}[a-zA-Z]? \Z")
_NUMBERED = re.compile(rf"(?:\d{{1,4}}[a-z]? )?[^\W\d_].*\b(?:{_STREETS})\.?", re.IGNORECASE)
_POSTCODE = r"(?:[A-Z]{1,2}-)?\d{4,5}(?:-\d{3}|\s[A-Z]{2}\b)?"
#: "Kaiveien 14, 5003 Bergen": the number is behind it, and then comes a place, with its postcode or without.
_NUMBER_BEHIND = re.compile(
    rf"\s\d{{1,4}}(?:[-/]\d{{1,4}})? ?[a-zA-Z]?(?=(?:\s*[,|]\s*|\s*\n\s*)(?:{_POSTCODE}\s+)?[^\W\d_a-z])"
)
#: "Norway 120, Sweden 85": of a list of places with figures, the next of them.
_LISTED = re.compile(r"(?:\s*[,|]\s*|\s*\n\s*)[^\W\d_][^\d\n,|]{0,40}\s\d")
_ENDS_IN_NUMBER = re.compile(r"(.*\D)\s\d{1,4}(?:[-/]\d{1,4})? ?[a-zA-Z]?")
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
        if name[0].isdigit() or (before and not _is_year(before[0])):
            return (before.start() if before else start), end
    if (ends := _ENDS_IN_NUMBER.fullmatch(name)) and _STREET_LIKE.fullmatch(ends[1]):
        return start, end
    behind = _NUMBER_BEHIND.match(text, end)
    if behind is None:
        return None
    told = _STREET_LIKE.fullmatch(name) or _CODE_BEHIND.match(text, behind.end())
    if told or (is_place and not _is_year(behind[0]) and not _LISTED.match(text, behind.end())):
        return start, behind.end()
    return None


def is_numbered_street(name: str) -> bool:
    """Whether a place's name has the number of a house, before or behind it."""
    if len(name) > _LONGEST_STREET:
        return False
    return (name[:1].isdigit() and _NUMBERED.fullmatch(name) is not None) or _ENDS_IN_NUMBER.fullmatch(name) is not None


def _is_year(number: str) -> bool:
    return re.fullmatch(_YEAR, number.strip()) is not None


#: "40 Foundry Lane", "Keizerstraat 88": what needs no tagger to be a street.
_STREET = re.compile(
    r"(?<![\w,.\-–/])(?:(\d{1,4})[a-zA-Z]? (?:[A-Z][\w'’]{1,20} ){1,2}"
    r"(?:Avenue|Boulevard|Crescent|Drive|Highway|Lane|Parkway|Road|Street|Terrace)"
    r"|[^\W\d_a-z]\w{2,20}(?:allee|gade|gata|gaten|gasse|laan|plein|straat|stra(?:ß|ss)e|veien|vegen|weg)"
    r" \d{1,4}[a-zA-Z]?)\b"
)


#: "217 Jellicoe Lane, Te Puke" and, behind another comma, a country.
_TOWN = re.compile(r"(?<=, )([^\W\d_a-z][\w'’-]+(?: [^\W\d_a-z][\w'’-]+){0,2})(?=,\s)")
_CODE = re.compile(r"(?:\A|,?\s)(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|\d{5}(?:-\d{4})?)(?!\w)")
_HALF_CODE = 5  # characters: " 4RN", and what follows it


def postcode_start(text: str, start: int, end: int) -> int | None:
    """Where the postcode begins that ends a place's mention or is cut by its end ("Bristol BS1" of "Bristol BS1 4RN").

    The mention's start, if it is nothing else; None without one.
    """
    found = (
        start + code.start() for code in _CODE.finditer(text[start : end + _HALF_CODE]) if start + code.end() >= end
    )
    return next((place for place in found if place < end), None)


_OUTSIDE_CONTACT = re.compile(r"[\s<>()\[\],;\"“”]")
_CONTACT = re.compile(r"[^\s@]+@[^\s@]+\.\w+|(?:\w+://|www\.)\S*\w/?", re.IGNORECASE)
_LONGEST_CONTACT = 200  # characters on either side of the mention


def contact_span(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The e-mail address or address of the web that a mention lies in; else None."""
    before = _OUTSIDE_CONTACT.split(text[max(0, start - _LONGEST_CONTACT) : start])[-1]
    behind = _OUTSIDE_CONTACT.split(text[end : end + _LONGEST_CONTACT], maxsplit=1)[0]
    found = _CONTACT.match(text, start - len(before), end + len(behind))
    return found.span() if found and end <= found.end() else None


_TITLE = re.compile(r"([^\W\d_]+)\.?\s+(?=\S)")


def title_end(text: str, start: int, end: int) -> int:
    """Where a person's name begins behind its titles ("Ms", "Prof. Dr."); the mention's start, if it has none."""
    while (word := _TITLE.match(text, start, end)) and word[1].casefold() in TITLES:
        start = word.end()
    return start


#: Titles that only a person's name follows; "Dr" ends a street, "MS" begins a ship.
_SURE_TITLE = r"(?<![\w.])(?:Mr|Mrs|Ms|Mx|MR|MRS)\.? "
_ADDRESSED = re.compile(_SURE_TITLE + r"\Z")
_CAPITALS = r"[^\W\d_](?:[\w\-]|['’](?!s\b))*"
_PARTICLE = r"(?:(?:al|bin|d[aeiou]|del|den|der|dos|el|la|le|ten|ter|van|von|zu) )"
_FIRST = rf"(?:[A-Z]\. ?)*{_PARTICLE}{{0,2}}"
_TITLED = re.compile(
    rf"{_SURE_TITLE}(?!(?:Chair|Justice|Mayor|Minister|President|Secretary|Speaker))"
    rf"({_FIRST}(?=[^\W\d_a-z]){_CAPITALS}(?: {_FIRST}(?=[^\W\d_a-z]){_CAPITALS}){{0,3}})"
)
_AROUND, _TITLE_ROOM = 80, 6  # characters
_SMALL_WORD = re.compile(r"(?<!\S)[^\W\d_A-Z]{4,}")


def titled_persons(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each name behind "Mr" or "Ms", without the title, in order.

    Where all words have capitals, a heading, nothing tells where it ends: there only two words that fill the line are
    one.
    """
    for found in _TITLED.finditer(text):
        before = text[max(0, found.start() - _AROUND) : found.start()].rpartition("\n")[2]
        behind = text[found.end() : found.end() + _AROUND].partition("\n")[0]
        alone = not before.strip() and not behind.strip(" ,.") and len(found[1].split()) <= 2
        if alone or _SMALL_WORD.search(before) or _SMALL_WORD.search(behind):
            yield found.span(1)


def is_titled(text: str, start: int) -> bool:
    """Whether "Mr" or "Ms" stands before what begins at `start`."""
    return _ADDRESSED.search(text, max(0, start - _TITLE_ROOM), start) is not None


#: Jobs that only people have: a bank may be an agent, a partner or an auditor.
JOBS = (
    r"(?:(?:financial|operating|executive|technology|technical|information|medical|legal) officer|accountant|analyst"
    r"|ceo|cfo|coo|cto|chair(?:man|person|woman)|consultant|counsel|director|employee of|engineer|head of|lawyer"
    r"|manager|president|professor|secretary|spokes(?:man|person|woman)|supervisor|technician|treasurer|trustee)"
)
LEADER = r"(?:chief executive|ceo|managing director|chair(?:man|person|woman)?|president)\b(?! of)"
#: What may stand before a job: "Deputy Managing", "the former".
WHICH = (
    r"(?:the|an?|its|our|acting|assistant|chief|company|deputy|executive|finance|former|general|group|human|legal"
    r"|managing|operations|project|regional|resources|safety|sales|senior|site|technical|then|vice)"
)
_JOB_BEHIND = re.compile(rf"(?:,\s| \()(?:{WHICH} ){{0,4}}{JOBS}\b", re.IGNORECASE)


def has_job_behind(text: str, start: int, end: int) -> bool:
    """Whether several words without a figure are followed by a job, as only a person's name is: ", Head of Sales"."""
    name = text[start:end]
    several = " " in name and not any(c.isdigit() for c in name)
    return several and _JOB_BEHIND.match(text, end) is not None
