"""Values: the text of a date, an amount of money or a number → a normalised, comparable value."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from unittest.mock import patch

from dateparser.date import DateDataParser
from price_parser import Price

from transforms.currencies import currency

_SCALES = {
    "thousand": 3, "k": 3, "million": 6, "mn": 6, "m": 6, "mio": 6, "billion": 9, "bn": 9, "b": 9, "trillion": 12,
}  # fmt: skip
#: A text over this length (characters), or with a run of digits over `_DIGITS`, is no value: no date or amount is so
#: long, and the parsers take minutes over some that are.
_LONGEST, _DIGITS = 100, 30
_RUN = re.compile(rf"\d{{{_DIGITS + 1}}}")
_SCALE = re.compile(r"(?<=[\d\s])(" + "|".join(_SCALES) + r")\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a form that compares: ISO 8601 date, "4200000 EUR", "42 percentage"."""

    text: str
    number: float | None = None
    unit: str | None = None


def normalise(kind: str, text: str) -> Value | None:
    """The value of a mention of one of `VALUE_TYPES`, or None if its text does not give one."""
    parse = {"Date": date_value, "Money": money_value, "Number": number_value}.get(kind)
    return None if parse is None or len(text) > _LONGEST or _RUN.search(text) else parse(text)


#: Two days with nothing in common. What comes to another date if it is read on another day is none ("thirty minutes",
#: "the 14th, 2024"): a document says the same whenever it is read.
_DAYS = (datetime(2001, 1, 3, 5, 0), datetime(2014, 8, 22, 17, 30))


@lru_cache(maxsize=1)
def _date_parsers() -> list[DateDataParser]:
    # No timestamps: ten digits are the number of a phone or an account, and the time zone here would tell the day.
    parsers = ["relative-time", "absolute-time"]
    settings = {"REQUIRE_PARTS": ["year"], "DATE_ORDER": "DMY", "PARSERS": parsers}
    return [DateDataParser(languages=["en"], settings={**settings, "RELATIVE_BASE": day}) for day in _DAYS]


#: What may hold a year: four digits that are no decade, two numbers (12/5/25), '98, May 98. Two digits alone, or with
#: "AD", say no century of ours.
_MAYBE_YEAR = re.compile(r"\d{4}(?!s\b)|\d.*\D\d|['’]\d\d\b|[a-z]{2}\.? [4-9]\d\b")
#: Dates that say all of themselves, as `strptime` reads them, and how much of ISO 8601 they say. Most dates of reports
#: are such, and dateparser, which reads all others, takes milliseconds for one.
_PLAIN_DATES = (
    ("%d %B %Y", 10), ("%B %d, %Y", 10), ("%B %Y", 7), ("%d %b %Y", 10), ("%b %d, %Y", 10), ("%Y-%m-%d", 10),
)  # fmt: skip


@lru_cache(maxsize=4096)
def date_value(text: str) -> Value | None:
    """ISO 8601, cut to what the text says: 2024-03-14, 2024-03 or 2024. Numeric dates are read day first."""
    year = re.fullmatch(r"\s*((?:1[0-9]|20)\d\d)\s*", text)
    if year:
        return Value(year[1])
    text = " ".join(text.split()).replace(" ,", ",")
    if not _MAYBE_YEAR.search(text):
        return None
    for form, said in _PLAIN_DATES:
        with suppress(ValueError):
            return Value(datetime.strptime(text, form).date().isoformat()[:said])
    one, other = _date_parsers()
    iso = _iso_date(one, text)
    return Value(iso) if iso is not None and iso == _iso_date(other, text) else None


def _iso_date(parser: DateDataParser, text: str) -> str | None:
    found = parser.get_date_data(text)
    if found is None or found.date_obj is None:
        return None
    iso = str(found.date_obj.date().isoformat())
    return {"year": iso[:4], "month": iso[:7]}.get(found.period, iso)


@lru_cache(maxsize=4096)
def money_value(text: str) -> Value | None:
    """Amount and ISO 4217 code, as in "4200000 EUR"; `$` alone is read as US dollars."""
    price = Price.fromstring(re.sub(r"(?<=\d)[ \u00a0\u202f'](?=\d{3})", "", text))
    if price.amount is None:
        return None
    scale = _SCALE.search(text)
    amount = price.amount * (Decimal(10) ** _SCALES[scale[1].lower()] if scale else 1)
    code = currency(text)
    return None if code is None else Value(f"{_plain(amount)} {code}", float(amount), code)


@lru_cache(maxsize=1)
def _quantity_parser() -> Callable[[str], list[Any]]:
    # To check types as it runs, inflect has its source rewritten once for each of twenty functions; that took longer
    # than all else that is loaded here.
    with suppress(ImportError), patch("typeguard.typechecked", lambda target: target):
        import inflect  # noqa: F401
    from quantulum3 import classifier, parser  # loads its unit tables for seconds: only when a number is met

    # Where scikit-learn happens to be installed, it would unpickle a model to tell units apart: values must not
    # depend on what else is installed.
    classifier.USE_CLF = False
    parse: Callable[[str], list[Any]] = parser.parse
    return parse


@lru_cache(maxsize=4096)
def number_value(text: str) -> Value | None:
    """Number and unit, as in "1200 tonne"; None if the text holds none or several."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _quantity_parser()(" ".join(text.split()))
    if len(found) != 1 or not math.isfinite(found[0].value):
        return None
    quantity = found[0]
    unit = None if quantity.unit.name == "dimensionless" else str(quantity.unit.name)
    amount = _plain(Decimal(repr(float(quantity.value))))
    return Value(f"{amount} {unit}" if unit else amount, float(quantity.value), unit)


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(), "f")
