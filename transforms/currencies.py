"""Currencies: how English texts write them → ISO 4217 codes. Names and signs are those of the Unicode CLDR (babel)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from string import ascii_letters

from babel.numbers import get_currency_name, get_currency_symbol, list_currencies

#: Besides CLDR's.
_MORE_SIGNS = {"US$": "USD", "C$": "CAD", "AU$": "AUD", "S$": "SGD"}
#: What a word alone means; before it, a word with a capital says of which country.
_WORDS = {"dollar": "USD", "pound": "GBP", "yen": "JPY", "rupee": "INR", "zloty": "PLN"}
_WORD = re.compile(rf"(?:\b([^\W\d_]+)\s+)?\b({'|'.join(_WORDS)})s?\b", re.IGNORECASE)
_COUNTS = frozenset({"hundred", "thousand", "million", "billion", "trillion"})
_CODE = re.compile(r"\b[A-Z]{3}\b|\b[A-Z]{3}(?=\d)")


@lru_cache(maxsize=1)
def codes() -> frozenset[str]:
    """All codes of ISO 4217, former ones too."""
    return frozenset(list_currencies())


@lru_cache(maxsize=1)
def signs() -> dict[str, str]:
    """Sign, with the letters before it → code: "$", "CA$", "€". `$` alone is read as US dollars."""
    symbols = {get_currency_symbol(code, locale="en"): code for code in sorted(codes())}
    return {s: code for s, code in symbols.items() if _is_sign(s[-1]) and code != "XXX"} | _MORE_SIGNS


def currency(text: str) -> str | None:
    """The code of an amount's currency, told by a code, a sign or words; None if the text leaves open which it is."""
    if code := next((code for code in _CODE.findall(text) if code in codes()), None):
        return str(code)
    for place, letter in enumerate(text):
        if _is_sign(letter):
            rest = text[:place].rstrip(f"{ascii_letters}.")
            return signs().get(text[len(rest) : place + 1].replace(".", ""))
    lowered = text.lower().replace(".", "")
    if code := next((code for name, code in _names().items() if name in lowered), None):
        return code
    word = _WORD.search(text)
    if word is None or (word[1] and word[1].istitle() and word[1].lower() not in _COUNTS):
        return None
    return _WORDS[word[2].lower()]


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Name in small letters, one or several of it → code."""
    return {get_currency_name(code, count, locale="en").lower(): code for code in sorted(codes()) for count in (1, 2)}


def _is_sign(letter: str) -> bool:
    return unicodedata.category(letter) == "Sc"
