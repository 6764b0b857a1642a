"""Resolve: mentions of one document → entities, one for all spellings of one name.

"Acme Ltd", "Acme" and "ACME" are one; so are an acronym and its long form, a surname ("von der Leyen") and the one
full name that ends with it. Which types are persons, organisations and values is the schema's to say. Every entity gets
a stable id of its own from its type and name, so that the same name in a second document meets the first; `linking`
replaces it with the register's, where there is one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from transforms.agreeing import defined_names, one_type_each, with_repeated
from transforms.names import (
    acronym,
    has_legal_form,
    initials,
    is_short_organisation,
    is_short_person,
    is_surname,
    lacks_middle_names,
    name_key,
    spelled,
)
from transforms.records import VALUE_TYPES, Analysis, Entity, Mention, Relation, Resolved, key, value_key
from transforms.roles import roles
from transforms.schema import Kinds, Schema
from transforms.values import normalise

HEADERS = "headers@1"
MESSAGE = "Message"
#: Every company has them, so that none is named by these.
_BODIES = frozenset({"board", "board of directors", "management board", "supervisory board"})
#: A short form that more names than this might complete stands for none of them.
_CROWD = 100


def resolve(analysis: Analysis, schema: Schema | None = None) -> Resolved:
    """Group the mentions of an analysis, its document's header facts included as far as the schema has their types."""
    kinds = Kinds() if schema is None else schema.kinds
    analysis = with_repeated(with_facts(analysis, schema), kinds)
    names: dict[tuple[str, str], list[int]] = defaultdict(list)
    entities: list[Entity] = []
    values: dict[tuple[str, str], list[int]] = defaultdict(list)
    defined = defined_names(analysis, kinds)
    no_names = _BODIES | {role.casefold() for role in roles(analysis, kinds)}
    for index, mention in enumerate(analysis.mentions):
        kind = kinds[mention.type]
        if kind in VALUE_TYPES:
            value = normalise(kind, mention.text)
            values[mention.type, value.text if value else name_key(kind, _text(analysis, index))].append(index)
        elif mention.type == MESSAGE:
            entities.append(_message(analysis, index))
        elif schema is not None and mention.type in schema.single:
            entities.append(_single(analysis, index))
        elif (name := name_key(kind, _text(analysis, index))) and name not in no_names:
            names[defined.get(name) or (mention.type, name)].append(index)
    entities += [_value(analysis, own, kinds[own], name, rows) for (own, name), rows in values.items()]
    grouped = one_type_each(analysis, names, kinds)
    entities += [_named(analysis, own, kinds[own], rows) for own, rows in _merged(analysis, grouped, kinds)]
    entities.sort(key=lambda entity: entity.mentions[0])
    return Resolved(analysis, tuple(entities))


def with_facts(analysis: Analysis, schema: Schema | None = None) -> Analysis:
    """Add what the document's headers say, and the schema allows, as mentions and relations of their own."""
    facts = [
        fact
        for fact in analysis.document.facts
        if schema is None or schema.allows(fact.relation, fact.head_type, fact.tail_type)
    ]
    if not facts:
        return analysis
    mentions = list(analysis.mentions)
    sentences = [start for start, _ in analysis.sentences]
    order = sorted(range(len(mentions)), key=lambda index: mentions[index].start)
    starts = [mentions[index].start for index in order]
    placed: dict[tuple[int, int], int] = {}

    def overlapped(span: tuple[int, int]) -> Iterator[int]:
        for place in range(bisect_left(starts, span[1]) - 1, -1, -1):
            index = order[place]
            if analysis.mentions[index].end <= span[0]:  # what the tagger finds does not overlap
                return
            if mentions[index] is analysis.mentions[index]:
                yield index

    def place(span: tuple[int, int], kind: str) -> int:
        # A header's span is the name itself; what the tagger made of the same characters gives way. Not so to a
        # message: what its subject names is in it.
        known = () if kind == MESSAGE else overlapped(span)
        index = placed.setdefault(span, min(known, default=len(mentions)))
        sentence = mentions[index].sentence if index < len(mentions) else max(0, bisect_right(sentences, span[0]) - 1)
        mentions[index : index + 1] = [Mention(*span, kind, analysis.document.text[slice(*span)], 1.0, sentence)]
        return index

    relations = list(analysis.relations)
    for fact in facts:
        head, tail = place(fact.head, fact.head_type), place(fact.tail, fact.tail_type)
        relations.append(Relation(head, fact.relation, tail, 1.0, HEADERS))
    return replace(analysis, mentions=tuple(mentions), relations=tuple(relations))


def _merged(
    analysis: Analysis, grouped: dict[str, dict[str, list[int]]], kinds: Kinds
) -> Iterable[tuple[str, list[int]]]:
    """(type, mentions) of each entity, shorter forms joined to the one longer form that they fit."""
    for own, keys in grouped.items():
        kind = kinds[own]
        target = _joined(kind, keys) if kind in ("Person", "Organisation") else {}
        if kind == "Organisation":
            # A group's companies share its name: two that are written with their legal forms are two.
            formed = {name for name, rows in keys.items() if any(has_legal_form(_text(analysis, row)) for row in rows)}
            target = {short: long for short, long in target.items() if not {short, long} <= formed}
            target |= _acronyms(analysis, keys, target)
        groups: dict[str, list[int]] = defaultdict(list)
        for name, rows in keys.items():
            while name in target:
                name = target[name]
            groups[name] += rows
        for rows in groups.values():
            yield own, sorted(rows)


def _joined(kind: str, keys: Collection[str]) -> dict[str, str]:
    """Shorter key → the longer one, where just one fits (or all that fit are forms of one)."""
    is_short = _is_short_person if kind == "Person" else is_short_organisation
    target: dict[str, str] = {}
    ordered = sorted(keys, key=lambda name: (len(name.split()), len(name)))
    places = {name: place for place, name in enumerate(ordered)}
    longer: dict[str, list[str]] = defaultdict(list)
    for name in ordered:
        for form in _short_forms(kind, name, keys):
            longer[form].append(name)
    for short in ordered:
        found = longer.get(_as_short(kind, short), [])
        if len(found) > _CROWD:
            continue
        fitting = [long for long in found if places[long] > places[short] and is_short(short, long)]
        longest = fitting[-1] if fitting else ""
        if fitting and all(long == longest or is_short(long, longest) for long in fitting):
            target[short] = longest
    return target


def _is_short_person(short: str, long: str) -> bool:
    return is_short_person(short, long) or is_surname(short, long) or lacks_middle_names(short, long)


def _short_forms(kind: str, name: str, keys: Collection[str]) -> set[str]:
    """Where to look a long name up: what `_as_short` makes of all its short forms."""
    words = name.split()
    if kind == "Organisation":
        return {form for count in range(1, len(words)) if (form := " ".join(words[:count])) in keys}
    if len(words) < 2:
        return set()
    surnames = {form for first in range(1, len(words)) if (form := " ".join(words[first:])) in keys}
    return surnames | {words[0], f"{words[0]} {words[-1]}", f"{words[0][0]}… {words[-1]}"}


def _as_short(kind: str, name: str) -> str:
    words = name.split()
    if kind == "Organisation" or len(words) == 1:
        return name
    has_initial = any(len(word) == 1 for word in words[:-1])
    return f"{words[0][0]}… {words[-1]}" if has_initial else name


def _acronyms(analysis: Analysis, keys: dict[str, list[int]], target: dict[str, str]) -> dict[str, str]:
    spelt_out: dict[str, set[str]] = defaultdict(set)
    for long, rows in keys.items():
        if " " in long:  # or two acronyms, each with a legal form, could stand for each other
            for letters in initials(_longest(analysis, rows)):
                spelt_out[letters].add(long)
    found: dict[str, str] = {}
    for short, rows in keys.items():
        if " " in short or short in target:
            continue
        fitting = spelt_out.get(acronym(_text(analysis, rows[0])) or "no acronym", set())
        if len(fitting) == 1:
            found[short] = next(iter(fitting))
    return found


def _text(analysis: Analysis, row: int) -> str:
    return spelled(analysis.mentions[row].text)


def _longest(analysis: Analysis, rows: Iterable[int]) -> str:
    return max((_text(analysis, row) for row in rows), key=lambda text: (len(text), text))


def _named(analysis: Analysis, own: str, kind: str, rows: list[int]) -> Entity:
    spellings = Counter(_text(analysis, row) for row in rows)
    name = min(spellings, key=lambda text: (-len(name_key(kind, text).split()), text.isupper(), -spellings[text], text))
    return Entity(key("ent", own, name_key(kind, name)), own, name, tuple(sorted(spellings)), tuple(rows))


def _value(analysis: Analysis, own: str, kind: str, name: str, rows: list[int]) -> Entity:
    spellings = tuple(sorted({_text(analysis, row) for row in rows}))
    value = normalise(kind, analysis.mentions[rows[0]].text)
    return Entity(
        value_key(own, name),
        own,
        value.text if value else spellings[0],
        spellings,
        tuple(rows),
        value=value.text if value else None,
        number=value.number if value else None,
        unit=value.unit if value else None,
    )


def _message(analysis: Analysis, index: int) -> Entity:
    text = _text(analysis, index)
    return Entity(key("msg", analysis.document.id), MESSAGE, text, (text,), (index,))


def _single(analysis: Analysis, index: int) -> Entity:
    """A mention that is a thing of its own."""
    mention, text = analysis.mentions[index], _text(analysis, index)
    own = key("own", analysis.document.id, mention.start, mention.end, mention.type)
    return Entity(own, mention.type, text, (text,), (index,))
