"""Resolve: mentions of one document → entities, one for all spellings of one name.

"Acme Ltd", "Acme" and "ACME" are one; so are an acronym and its long form, a surname and the one full name that
ends with it. Every entity gets a stable id of its own from its type and name, so that the same name in a second
document meets the first; `linking` replaces it with the register's, where there is one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from transforms.names import is_acronym, is_short_organisation, is_short_person, name_key
from transforms.records import VALUE_TYPES, Analysis, Entity, Mention, Relation, Resolved, key
from transforms.schema import Schema
from transforms.values import normalise

HEADERS = "headers@1"
MESSAGE = "Message"


def resolve(analysis: Analysis, schema: Schema | None = None) -> Resolved:
    """Group the mentions of an analysis, its document's header facts included as far as the schema has their types."""
    analysis = with_facts(analysis, schema)
    names: dict[tuple[str, str], list[int]] = defaultdict(list)
    entities: list[Entity] = []
    values: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, mention in enumerate(analysis.mentions):
        if mention.type in VALUE_TYPES:
            value = normalise(mention.type, mention.text)
            values[mention.type, value.text if value else name_key(mention.type, mention.text)].append(index)
        elif mention.type == MESSAGE:
            entities.append(_message(analysis, index))
        elif name_key(mention.type, mention.text):
            names[mention.type, name_key(mention.type, mention.text)].append(index)
    entities += [_value(analysis, kind, name, rows) for (kind, name), rows in values.items()]
    entities += [_named(analysis, kind, rows) for kind, rows in _merged(analysis, _one_type_each(analysis, names))]
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
    starts = [start for start, _ in analysis.sentences]

    def place(span: tuple[int, int], kind: str) -> int:
        text = analysis.document.text[slice(*span)]
        # A header's span is the name itself; what the tagger made of the same characters gives way.
        for index, found in enumerate(mentions):
            if found.start < span[1] and span[0] < found.end:
                mentions[index] = Mention(*span, kind, text, 1.0, found.sentence)
                return index
        mentions.append(Mention(*span, kind, text, 1.0, max(0, bisect_right(starts, span[0]) - 1)))
        return len(mentions) - 1

    relations = list(analysis.relations)
    for fact in facts:
        head, tail = place(fact.head, fact.head_type), place(fact.tail, fact.tail_type)
        relations.append(Relation(head, fact.relation, tail, 1.0, HEADERS))
    return replace(analysis, mentions=tuple(mentions), relations=tuple(relations))


def _one_type_each(analysis: Analysis, names: dict[tuple[str, str], list[int]]) -> dict[str, dict[str, list[int]]]:
    """Type → key → mentions. A name that was tagged with several types goes to the likeliest of them."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for (kind, name), rows in names.items():
        votes[name][kind] += sum(analysis.mentions[row].confidence for row in rows)  # type: ignore[assignment]
    surnames = {name.split()[-1] for kind, name in names if kind == "Person" and " " in name}
    grouped: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for (_, name), rows in names.items():
        best = max(votes[name], key=lambda candidate: (votes[name][candidate], candidate))
        # A name by itself is often taken for a company; where a person has it, it is that person's.
        best = "Person" if name in surnames and best == "Organisation" else best
        grouped[best].setdefault(name, []).extend(rows)
    return grouped


def _merged(analysis: Analysis, grouped: dict[str, dict[str, list[int]]]) -> Iterable[tuple[str, list[int]]]:
    """(type, mentions) of each entity, shorter forms joined to the one longer form that they fit."""
    tests: dict[str, Callable[[str, str], bool]] = {
        "Person": is_short_person,
        "Organisation": is_short_organisation,
    }
    for kind, keys in grouped.items():
        test = tests.get(kind)
        target = _joined(keys, test) if test else {}
        if kind == "Organisation":
            target |= _acronyms(analysis, keys, target)
        groups: dict[str, list[int]] = defaultdict(list)
        for name, rows in keys.items():
            while name in target:
                name = target[name]
            groups[name] += rows
        for rows in groups.values():
            yield kind, sorted(rows)


def _joined(keys: Iterable[str], is_short: Callable[[str, str], bool]) -> dict[str, str]:
    """Shorter key → the longer one, where just one fits (or all that fit are forms of one)."""
    target: dict[str, str] = {}
    ordered = sorted(keys, key=lambda name: (len(name.split()), len(name)))
    for position, short in enumerate(ordered):
        fitting = [long for long in ordered[position + 1 :] if is_short(short, long)]
        longest = fitting[-1] if fitting else ""
        if fitting and all(long == longest or is_short(long, longest) for long in fitting):
            target[short] = longest
    return target


def _acronyms(analysis: Analysis, keys: dict[str, list[int]], target: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for short, rows in keys.items():
        if " " in short or short in target:
            continue
        written = analysis.mentions[rows[0]].text
        fitting = {
            long for long, others in keys.items() if long != short and is_acronym(written, _longest(analysis, others))
        }
        if len(fitting) == 1:
            found[short] = fitting.pop()
    return found


def _longest(analysis: Analysis, rows: Iterable[int]) -> str:
    return max((analysis.mentions[row].text for row in rows), key=lambda text: (len(text), text))


def _named(analysis: Analysis, kind: str, rows: list[int]) -> Entity:
    spellings = Counter(" ".join(analysis.mentions[row].text.split()) for row in rows)
    name = min(spellings, key=lambda text: (-len(name_key(kind, text).split()), text.isupper(), -spellings[text], text))
    own = key("ent", kind, name_key(kind, name))
    return Entity(own, kind, name, tuple(sorted(spellings)), tuple(rows))


def _value(analysis: Analysis, kind: str, name: str, rows: list[int]) -> Entity:
    spellings = tuple(sorted({" ".join(analysis.mentions[row].text.split()) for row in rows}))
    value = normalise(kind, analysis.mentions[rows[0]].text)
    return Entity(
        key("val", kind, name),
        kind,
        value.text if value else spellings[0],
        spellings,
        tuple(rows),
        value=value.text if value else None,
        number=value.number if value else None,
        unit=value.unit if value else None,
    )


def _message(analysis: Analysis, index: int) -> Entity:
    text = analysis.mentions[index].text
    return Entity(key("msg", analysis.document.id), MESSAGE, text, (text,), (index,))
