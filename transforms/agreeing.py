"""Agree: what the rest of a document says of a name: which whole name it is short for, and which type it has.

Called by `resolving`, before names are merged.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from transforms.names import acronym, folded, has_legal_form, initials, name_key, spelled
from transforms.patterns import is_titled
from transforms.records import Analysis, Mention
from transforms.schema import Kinds

#: '("Brázia")', '(the "Buyer" or "Zeeduin")'; and how far before it the name stands, in characters.
_IN_BRACKETS = re.compile(r"\([^()\n\"“”]{0,20}[\"“][^()\n]{1,60}[\"”]\)")
_QUOTED = re.compile(r"[\"“]([^\"“”]{2,40})[\"”]")
_REACH = 200
#: Of a part of a name that may stand for it; a hostile one has hundreds.
_WORDS = 8
#: Names with one first word that are looked for.
_MOST = 100
_WORD = re.compile(r"(?<![^\s(\[\"“|/])[^\W\d_a-z]\S+")  # names begin with capitals


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
        if kinds[kind] == "Organisation" and any(_has_form(analysis, row) for row in rows):
            formed[name] = kind
    persons = {name.split()[-1]: kind for kind, name in sorted(names) if kinds[kind] == "Person" and " " in name}
    grouped: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for (kind, name), rows in names.items():
        best = max(votes[name], key=lambda candidate: (votes[name][candidate], candidate))
        # A name by itself is often taken for a company; where a person has it, it is that person's.
        best = persons[name] if name in persons and kinds[best] == "Organisation" else best
        best = formed[name] if name in formed and name not in persons else best
        for row in rows:
            has_form = kinds[kind] == "Organisation" and _has_form(analysis, row)
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
    inner = Counter((own, word) for own, name, _ in persons for word in name.split()[1:-1])
    outer = {word for _, name, _ in persons if " " in name for word in (name.split()[0], name.split()[-1])}
    for own, name, _ in persons:
        # "Mr Cárdenas" is Esteban Cárdenas Iriarte.
        for word in name.split()[1:-1]:
            if titled.get(word) == own and inner[own, word] == 1 and word not in outer:
                grouped[own][name].extend(grouped[own].pop(word, ()))
    for own, name, rows in companies:
        person = next((titled[end] for end in _ends(name) if end in titled), None)
        if person and not any(_has_form(analysis, row) for row in rows):
            _move(grouped, name, own, person)


def _move(grouped: dict[str, dict[str, list[int]]], name: str, own: str, other: str) -> None:
    grouped[other].setdefault(name, []).extend(grouped[own].pop(name))


def _has_form(analysis: Analysis, row: int) -> bool:
    return has_legal_form(spelled(analysis.mentions[row].text))


def _has_title(analysis: Analysis, row: int) -> bool:
    return is_titled(analysis.document.text, analysis.mentions[row].start)


def _beginnings(name: str) -> list[str]:
    words = name.split()
    return [" ".join(words[:count]) for count in range(1, min(len(words), _WORDS)) if len(words[0]) > 2]


def _ends(name: str) -> list[str]:
    words = name.split()
    return [" ".join(words[first:]) for first in range(max(1, len(words) - _WORDS), len(words))]


def with_repeated(analysis: Analysis, kinds: Kinds) -> Analysis:
    """Add the places where a name of several words stands again and was not tagged, as in a signature or a table."""
    known = {m.text: m for m in sorted(analysis.mentions, key=lambda m: m.confidence) if _is_whole(m, kinds)}
    by_word: dict[str, list[Mention]] = defaultdict(list)
    for text in sorted(known, key=len, reverse=True):
        by_word[text.split()[0]].append(known[text])
    taken = sorted((m.start, m.end) for m in analysis.mentions)
    sentences = [start for start, _ in analysis.sentences]
    added: list[Mention] = []
    text, last = analysis.document.text, 0
    for word in _WORD.finditer(text):
        fitting = (m for m in by_word.get(word[0], ())[:_MOST] if _stands_at(text, word.start(), m.text))
        found = next(fitting, None) if word.start() >= last else None
        if found is None or _overlaps(taken, word.start(), word.start() + len(found.text)):
            continue
        last = word.start() + len(found.text)
        sentence = max(0, bisect_right(sentences, word.start()) - 1)
        added.append(replace(found, start=word.start(), end=last, sentence=sentence))
    return replace(analysis, mentions=(*analysis.mentions, *added)) if added else analysis


def _is_whole(mention: Mention, kinds: Kinds) -> bool:
    return kinds[mention.type] in ("Person", "Organisation", "Location") and len(mention.text.split()) > 1


def _stands_at(text: str, start: int, name: str) -> bool:
    return text.startswith(name, start) and not text[start + len(name) : start + len(name) + 1].isalnum()


def _overlaps(taken: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    place = bisect_left(taken, (end,))
    return place > 0 and taken[place - 1][1] > start
