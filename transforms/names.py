"""Names: one key for the spellings that always mean the same, and tests for those that often do."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from cleanco import basename, prepare_default_terms

#: Words before a person's name that are none of it.
TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "dr", "prof", "professor", "sir", "dame", "lord", "lady", "capt", "captain", "cpt"}
    | {"judge", "hon", "rev", "herr", "frau", "ing", "dipl"}
)
#: Of cleanco's legal forms, those that tell companies of a group apart: "Acme UK Ltd" is not Acme Ltd.
_PLACES = (["uk"], ["eu"], ["nl"])
#: Legal forms besides cleanco's, without full stops and accents; and those that are one only with their full stops.
MORE_FORMS = frozenset(
    {"cia ltda", "ehf", "eood", "fzco", "fze", "jsc", "ltd sti", "mbh", "pjsc", "s de rl de cv", "tbk"}
)
DOTTED_FORMS = frozenset({"ca", "dd", "ev", "lp", "na", "sl", "slu"})
_FORMS = [
    *(term for term in prepare_default_terms() if term[1] not in _PLACES),
    *((len(form.split()), form.split()) for form in sorted(MORE_FORMS | {"na"})),
]
#: "Karoo Solar (Pty) Ltd" is Karoo Solar.
_PRIVATE = re.compile(r"\s\((?:Pty|Private|Proprietary|Pvt)\.?\)(?=\s)", re.IGNORECASE)
#: Before any full stop is dropped: "A. Hansen" begins with none.
_ARTICLE = re.compile(r"\A\W*(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_FILLERS = frozenset({"of", "the", "and", "for", "de", "und", "&"})
_DROPPED = re.compile(r"['’]s\b|[.'’`\"“”()]")
_SPACED = re.compile(r"[^\w&+#]+|_")


#: Characters of a name that are read, and stored: an index of the graph takes no key without bound (Neo4j's takes
#: 8 kB), and no name is longer.
LONGEST = 1_000


def spelled(text: str) -> str:
    """A mention's text as a name: on one line, and cut to `LONGEST` characters."""
    return " ".join(text[: 4 * LONGEST].split())[:LONGEST].rstrip()


@lru_cache(maxsize=65536)
def folded(name: str) -> str:
    """Case, accents, punctuation, possessives and a leading article removed."""
    return _plain(_ARTICLE.sub("", name)) or _plain(name)


def _plain(name: str) -> str:
    return _SPACED.sub(" ", _DROPPED.sub("", plain_letters(name))).strip()


def plain_letters(text: str) -> str:
    """Case and accents removed."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c) and unicodedata.category(c) != "Cf").casefold()


@lru_cache(maxsize=65536)
def name_key(kind: str, name: str) -> str:
    """The key under which spellings of one name of a type of entity meet.

    A person's titles and an organisation's legal form do not count.
    """
    if kind == "Organisation":
        return folded(basename(_PRIVATE.sub("", " ".join(name.split())), terms=_FORMS)) or folded(name)
    if kind != "Person":
        return folded(name)
    words = _plain(name).split()  # "An Nguyen": no person's name begins with an article
    while len(words) > 1 and words[0] in TITLES:
        words = words[1:]
    return " ".join(words)


def has_legal_form(name: str) -> bool:
    """Whether an organisation's name is written with its legal form: "Acme Ltd"."""
    return folded(name) != name_key("Organisation", name)


def acronym(written: str) -> str | None:
    """The letters of what may be an acronym, as it is written: "hms" of HMS and H.M.S.; None of what is none."""
    letters = written.replace(".", "")
    return letters.casefold() if 2 <= len(letters) <= 6 and letters.isupper() else None


def initials(name: str) -> set[str]:
    """The acronyms that a name of several words may have: all words' initials, and those of the words that count."""
    words = folded(name).split()
    if len(words) < 2:
        return set()
    base = name_key("Organisation", name).split()
    return {
        "".join(word[0] for word in counted if word not in left_out)
        for counted in (words, base)
        for left_out in (frozenset(), _FILLERS)
    }


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


def lacks_middle_names(short: str, long: str) -> bool:
    """Whether a person's key is the first and the last name of another that has more: "ann lee" of "ann mary lee"."""
    words = long.split()
    return len(words) > 2 and short == f"{words[0]} {words[-1]}"


def is_surname(short: str, long: str) -> bool:
    """Whether a person's key is all that follows first names in another: "von der leyen" of "ursula von der leyen"."""
    return long.endswith(f" {short}")


def is_short_organisation(short: str, long: str) -> bool:
    """Whether a key is the beginning of another: "halvorsen marine" of "halvorsen marine systems"."""
    few, many = short.split(), long.split()
    return 0 < len(few) < len(many) and many[: len(few)] == few and len(few[0]) > 2
