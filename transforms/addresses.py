"""Addresses: where a street, a town or an organisation lies says what follows it.

    Halvorsen Marine AS, Kaiveien 14, 5003 Bergen, Norway        Brennhaus GmbH of Bremen

Called by `stating`, as `telling` is: no sentence says such things, and no phrase of a schema can tell a street.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from transforms.countries import is_country
from transforms.names import has_legal_form
from transforms.patterns import is_numbered_street
from transforms.records import Analysis, Relation
from transforms.schema import Schema

#: Of 113 that are told of the 1,211 US addresses that teach `courier-address`, 111 hold; two are of post boxes.
_SURE = 0.98
#: Of 125 that are told of what is right behind, in Re-DocRED's documents, 117 hold, read one by one.
_BEHIND = 0.93
#: The relations that addresses tell, where the schema has them.
_LOCATED, _COUNTRY = "LOCATED_IN", "COUNTRY"
_APART = 60  # characters that two of its parts may be apart
_ENDS = r"\.?[ \t]*(?:,|\n|,[ \t]*\n)[ \t]*"
_ROOM = (
    r"(?:(?:suite|ste|apt|apartment|unit|room|rm|floor|fl|building|bldg)\b\.?[ \t]*#?[ \t]*[a-z]?\d*[a-z]?|#[ \t]*\w+"
    r"|\d+(?:st|nd|rd|th) floor|[ns]\.?[ew]\b\.?)"
)
_BEFORE_STREET = re.compile(_ENDS)
#: What may stand between: rooms and floors, a side of the town, a postcode.
_BEFORE_PLACE = re.compile(
    rf"{_ENDS}(?:{_ROOM}(?:{_ENDS}|[ \t]+))*(?:(?:[A-Z]{{1,2}}-)?\d{{3,5}}(?:[ -]\d{{2,4}}| [A-Z]{{2}})?[ \t]+)?",
    re.IGNORECASE,
)
_BEFORE_COUNTRY = re.compile(rf"{_ENDS}|[ \t]\(|[ \t]in[ \t]")
_BEFORE_TOWN = re.compile(r",[ \t]|[ \t]\(|[ \t]in[ \t]")
_BEFORE_TOWN_OF_FORM = re.compile(r"\.?,\s|[ \t]\(|[ \t](?:at|in|of)[ \t]")
_BEFORE_TOWN_BELOW = re.compile(rf"{_BEFORE_TOWN_OF_FORM.pattern}|{_ENDS}")
_IS_ROOM = re.compile(_ROOM, re.IGNORECASE)
#: No town: a room that was tagged together with what is behind it, another street, a road's number.
_NO_TOWN = re.compile(rf"{_ROOM} |.*\d", re.IGNORECASE)


def addressed(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[Relation]:
    """Relations between mentions (by index) that stand in an address; `types` are those of the mentions' entities."""
    in_country = _COUNTRY if _COUNTRY in schema.relations else _LOCATED
    for head, tail, confidence in _lying(analysis, types, schema):
        names = analysis.mentions[head].text, analysis.mentions[tail].text
        name = in_country if is_country(names[1]) and not is_numbered_street(names[0]) else _LOCATED
        if name in schema.relations:
            yield Relation(head, name, tail, confidence)


def _lying(analysis: Analysis, types: Mapping[int, str], schema: Schema) -> Iterator[tuple[int, int, float]]:
    place = schema.type_of_label.get("Location")
    if place is None:
        return
    found = (m for m, name in types.items() if name == place)
    places = {m for m in found if not _IS_ROOM.fullmatch(analysis.mentions[m].text)}
    organisations = {m for m, name in types.items() if schema.kinds[name] == "Organisation"}
    named = sorted(places | organisations, key=lambda m: analysis.mentions[m].start)
    before: int | None = None  # the organisation that stands right before the street
    for one, other in pairwise(named):
        street = one in places and is_numbered_street(analysis.mentions[one].text)
        if street and other in places and _is_town_behind(analysis, one, other):
            yield from ((head, other, _SURE) for head in (one, before) if head is not None)
        elif other in places and _is_part_of(analysis, one, other, one in organisations):
            yield one, other, _BEHIND
        goes_on = one in organisations and _between(analysis, one, other, _BEFORE_STREET)
        before = one if goes_on else None


def _is_part_of(analysis: Analysis, one: int, other: int, is_organisation: bool) -> bool:
    """Whether an organisation's town, or a town's country, is right behind it."""
    name, behind = analysis.mentions[one].text, analysis.mentions[other].text
    if not is_organisation:
        return is_country(behind) and not is_country(name) and _between(analysis, one, other, _BEFORE_COUNTRY)
    if is_numbered_street(behind):
        return False
    if not has_legal_form(name):
        return _between(analysis, one, other, _BEFORE_TOWN)
    text, start = analysis.document.text, analysis.mentions[one].start
    # As in a signature; a headline that ends in it has another town below.
    before = text[max(0, start - _APART) : start].rpartition("\n")[2]
    alone = not before.strip(" \t*>")
    return _between(analysis, one, other, _BEFORE_TOWN_BELOW if alone else _BEFORE_TOWN_OF_FORM)


def _is_town_behind(analysis: Analysis, street: int, place: int) -> bool:
    return _between(analysis, street, place, _BEFORE_PLACE) and not _NO_TOWN.match(analysis.mentions[place].text)


def _between(analysis: Analysis, one: int, other: int, pattern: re.Pattern[str]) -> bool:
    begin, end = analysis.mentions[one].end, analysis.mentions[other].start
    return end - begin <= _APART and pattern.fullmatch(analysis.document.text, begin, end) is not None
