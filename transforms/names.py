"""Names: one key for the spellings that always mean the same, and tests for those that often do."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from cleanco import basename

_TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "dr", "prof", "professor", "sir", "dame", "lord", "lady", "capt", "captain", "cpt"}
    | {"judge", "hon", "rev", "herr", "frau", "ing", "dipl"}
)
_ARTICLES = ("the ", "a ", "an ")
_FILLERS = frozenset({"of", "the", "and", "for", "de", "und", "&"})
_DROPPED = re.compile(r"['’]s\b|[.'’`\"“”()]")
_SPACED = re.compile(r"[^\w&+]+|_")


@lru_cache(maxsize=65536)
def folded(name: str) -> str:
    """Case, accents, punctuation, possessives and a leading article removed."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(c for c in plain if not unicodedata.combining(c) and unicodedata.category(c) != "Cf").casefold()
    plain = _SPACED.sub(" ", _DROPPED.sub("", plain)).strip()
    for article in _ARTICLES:
        if plain.startswith(article) and len(plain) > len(article):
            return plain[len(article) :]
    return plain


@lru_cache(maxsize=65536)
def name_key(kind: str, name: str) -> str:
    """The key under which spellings of one name of a type of entity meet.

    A person's titles and an organisation's legal form do not count.
    """
    if kind == "Organisation":
        return folded(basename(" ".join(name.split()))) or folded(name)
    words = folded(name).split()
    if kind == "Person":
        while len(words) > 1 and words[0] in _TITLES:
            words = words[1:]
    return " ".join(words)


def is_acronym(short: str, long: str) -> bool:
    """Whether `short` (as written) is made of the initials of `long`'s words: HMS, Halvorsen Marine Systems."""
    letters = short.replace(".", "")
    if not 2 <= len(letters) <= 6 or not letters.isupper():
        return False
    words = folded(long).split()
    wanted = letters.casefold()
    all_initials = "".join(word[0] for word in words)
    main_initials = "".join(word[0] for word in words if word not in _FILLERS)
    base = "".join(word[0] for word in name_key("Organisation", long).split() if word not in _FILLERS)
    return len(words) > 1 and wanted in {all_initials, main_initials, base}


def is_short_person(short: str, long: str) -> bool:
    """Whether a key is a shorter form of another: "solberg", "i solberg", "ingrid" of "ingrid solberg"."""
    few, many = short.split(), long.split()
    if len(many) < 2 or len(few) > len(many) or few == many:
        return False
    if len(few) == 1:
        return few[0] in (many[-1], many[0])
    same_surname = few[-1] == many[-1]
    initials = all(len(a) == 1 or len(b) == 1 or a == b for a, b in zip(few[:-1], many[:-1], strict=False))
    first = few[0][0] == many[0][0]
    return same_surname and first and initials and any(len(word) == 1 for word in few[:-1])


def is_short_organisation(short: str, long: str) -> bool:
    """Whether a key is the beginning of another: "halvorsen marine" of "halvorsen marine systems"."""
    few, many = short.split(), long.split()
    return 0 < len(few) < len(many) and many[: len(few)] == few and len(few[0]) > 2
