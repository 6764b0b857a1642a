"""Dates and amounts of money that are recognised by their form alone.

The open training sets hold few amounts of money, and what has a grammar needs no model: these patterns add to
the tagger's mentions. Normalising them to values is `values`' job.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from babel.numbers import list_currencies

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?:1[5-9]|20)\d\d"
_DATE = re.compile(
    rf"\b(?:{_DAY}\.?(?:\s+of)?\s+{_MONTH}(?:,?\s+{_YEAR})?|{_MONTH}\s+{_DAY}(?:,?\s+{_YEAR})?\b|{_MONTH}\s+{_YEAR}"
    rf"|{_YEAR}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])|{_DAY}[./](?:0?[1-9]|1[0-2])[./]{_YEAR})\b",
    re.IGNORECASE,
)
_SCALE = r"(?:\s?(?:thousand|million|billion|trillion|mn|bn|m|k)\b)?"
_AMOUNT = r"\d{1,3}(?:[,.' \u00a0\u202f]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
_WORDS = r"(?:euros?|dollars?|pounds?(?:\s+sterling)?|kroner|kronor|yen|rupees?|francs?|zloty)"


@lru_cache(maxsize=1)
def _money() -> re.Pattern[str]:
    # Codes that are also words in capitals ("ALL", "TOP", "CUP") would be found in headings.
    codes = "|".join(sorted(set(list_currencies()) - {"ALL", "TOP", "CUP", "TRY", "MOP", "BAM", "LAK", "MAD"}))
    sign = rf"(?:(?:US|C|A|NZ|HK)?\$|€|£|¥|\b(?:{codes}))"
    return re.compile(
        rf"{sign}\s?(?:{_AMOUNT})(?!\d){_SCALE}|\b(?:{_AMOUNT}){_SCALE}\s?(?:€|£|\$|(?:{codes})\b|(?i:{_WORDS})\b)"
    )


def pattern_mentions(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, type) of each date and amount, in order, without overlap."""
    found = [(m.start(), m.end(), "Money") for m in _money().finditer(text)]
    found += [(m.start(), m.end(), "Date") for m in _DATE.finditer(text)]
    end = 0
    for start, stop, kind in sorted(found):
        if start >= end:
            yield start, stop, kind
            end = stop
