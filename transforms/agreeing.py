"""Agree: what the rest of a document says of a name: which whole name it is short for, and which type it has.

Called by `resolving`, before names are merged.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict

from transforms.names import acronym, folded, has_legal_form, initials, name_key, spelled
from transforms.patterns import is_titled
from transforms.records import Analysis
from transforms.schema import Kinds

#: '("Brázia")', '(the "Buyer" or "Zeeduin")'; and how far before it the name stands, in characters.
_IN_BRACKETS = re.compile(r"\([^()\n\"“”]{0,20}[\"“][^()\n]{1,60}[\"”]\)")
_QUOTED = re.compile(r"[\"“]([^\"“”]{2,40})[\"”]")
_REACH = 200
#: Of a part of a name that may stand for it; a hostile one has hundreds.
_WORDS = 8


def defined_names(analysis: Analysis, kinds: Kinds) -> dict[str, tuple[str, str]]:
    """Short forms that the text gives ('Cordoaria Brázia Lda. ("Brázia")'): key → type and key of the whole name.

    Of roles ("the Buyer") it does not say: a short form is a part of the name, or its initials.
    """
    defined: dict[str, tuple[str, str]] = {}
    named = sorted((m.start, m.type, m.text) for m in analysis.mentions if kinds[m.type] in ("Person", "Organisation"))
    for bracket in _IN_BRACKETS.finditer(analysis.document.text):
        before = named[bisect_left(named, (bracket.start() - _REACH,)) : bisect_left(named, (bracket.start(),))]
        for term in _QUOTED.findall(bracket[0]):
            fitting = [(own, name_key(kinds[own], spelled(name))) for _, own, name in before if _is_short(term, name)]
            if fitting:
                defined[folded(term)] = fitting[-1]
    return defined


def _is_short(term: str, name: str) -> bool:
    words = folded(spelled(name)).split()
    return len(words) > 1 and (set(folded(term).split()) < set(words) or acronym(term) in initials(spelled(name)))


def one_type_each(
    analysis: Analysis, names: dict[tuple[str, str], list[int]], kinds: Kinds
) -> dict[str, dict[str, list[int]]]:
    """Type → key → mentions. A name that was tagged with several types goes to the likeliest of them.

    One with a legal form stays what it is ("Berg AS" is no person, even where "Per Berg" is one), and what it is
    called without it goes along, unless a person has that name.
    """
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    formed: dict[str, str] = {}
    for (kind, name), rows in names.items():
        votes[name][kind] += sum(analysis.mentions[row].confidence for row in rows)  # type: ignore[assignment]
        if kinds[kind] == "Organisation" and any(has_legal_form(spelled(analysis.mentions[row].text)) for row in rows):
            formed[name] = kind
    persons = {name.split()[-1]: kind for kind, name in sorted(names) if kinds[kind] == "Person" and " " in name}
    grouped: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for (kind, name), rows in names.items():
        best = max(votes[name], key=lambda candidate: (votes[name][candidate], candidate))
        # A name by itself is often taken for a company; where a person has it, it is that person's.
        best = persons[name] if name in persons and kinds[best] == "Organisation" else best
        best = formed[name] if name in formed and name not in persons else best
        for row in rows:
            has_form = kinds[kind] == "Organisation" and has_legal_form(spelled(analysis.mentions[row].text))
            grouped[kind if has_form else best].setdefault(name, []).append(row)
    _mend_types(analysis, grouped, kinds)
    return grouped


def _mend_types(analysis: Analysis, grouped: dict[str, dict[str, list[int]]], kinds: Kinds) -> None:
    """Give the companies what was tagged as a person and begins only their names, and "Mr Brennan" his whole name.

    "Tidewell" is no person where there is a "Tidewell Energy", if nobody there is called so.
    """
    places = [(own, name, rows) for own, keys in grouped.items() for name, rows in keys.items()]
    persons = [place for place in places if kinds[place[0]] == "Person"]
    companies = [place for place in places if kinds[place[0]] == "Organisation"]
    called = {word for _, name, _ in persons if " " in name for word in name.split()}
    titled = {name: own for own, name, rows in persons if any(_has_title(analysis, row) for row in rows)}
    begun = {beginning: own for own, name, _ in companies for beginning in _beginnings(name)}
    for own, name, _ in persons:
        if name in begun and name not in titled and not called.intersection(name.split()):
            _move(grouped, name, own, begun[name])
    for own, name, rows in companies:
        person = next((titled[end] for end in _ends(name) if end in titled), None)
        if person and not any(has_legal_form(spelled(analysis.mentions[row].text)) for row in rows):
            _move(grouped, name, own, person)


def _move(grouped: dict[str, dict[str, list[int]]], name: str, own: str, other: str) -> None:
    grouped[other].setdefault(name, []).extend(grouped[own].pop(name))


def _has_title(analysis: Analysis, row: int) -> bool:
    return is_titled(analysis.document.text, analysis.mentions[row].start)


def _beginnings(name: str) -> list[str]:
    words = name.split()
    return [" ".join(words[:count]) for count in range(1, min(len(words), _WORDS)) if len(words[0]) > 2]


def _ends(name: str) -> list[str]:
    words = name.split()
    return [" ".join(words[first:]) for first in range(1, len(words))][-_WORDS:]
