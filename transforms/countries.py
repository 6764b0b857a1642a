"""Countries, by their English names in the Unicode CLDR (babel)."""

from __future__ import annotations

import re
from functools import lru_cache

from babel import Locale

#: Besides CLDR's; "Georgia" is a state more often.
_MORE = ("Czech Republic", "Holland", "Ivory Coast", "Turkey", "U.K.", "U.S.", "U.S.A.", "UAE", "UK", "USA")
_NONE = frozenset({"EU", "EZ", "GE", "QO", "UN", "XA", "XB", "ZZ"})
_LETTERS = 2  # of a country's code; parts of the world have three figures


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    territories = Locale("en").territories.items()
    names = (name for code, name in territories if len(code) == _LETTERS and code not in _NONE)
    return frozenset(name.casefold() for name in (*names, *_MORE))


def is_country(name: str) -> bool:
    """Whether this is a country's name, with its article or without."""
    return name.casefold().removeprefix("the ").replace(" and ", " & ") in _names()


_BEHIND = re.compile(r",\s{1,2}(?:the )?((?:[^\W\d_a-z][\w.]*|of)(?: (?:[^\W\d_a-z]\w*|and|of)){0,3})")


def is_before_country(text: str, end: int) -> bool:
    """Whether a comma and a country follow what ends at `end`, as they do a town."""
    behind = _BEHIND.match(text, end)
    words = behind[1].split() if behind else []
    return any(is_country(" ".join(words[:count]).rstrip(".")) for count in range(1, len(words) + 1))
