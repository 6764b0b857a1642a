"""Generated documents, as the pipeline would have structured them: a stream that depends on nothing but its seed.

Few entities are in very many statements and most are in few, as in real collections: within each type, the n-th
entity is drawn with a probability of about 1/n (Zipf's law with exponent 1). A statement that is drawn again in a
later document gets more evidence there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path

from transforms.records import Analysis, Document, Entity, Mention, Relation, Resolved, Structured, key
from transforms.schema import RelationType, Schema, load_schema
from transforms.stating import state

PER_DOCUMENT = 20
#: Share of all entities, by type; relations that need another type are not drawn.
_SHARES = {"Person": 30, "Organisation": 25, "Location": 15, "Product": 10, "Event": 5, "Other": 10, "Date": 5}
_SYLLABLES = ("ka", "ri", "hal", "vor", "sen", "mo", "la", "ti", "be", "ru", "no", "da", "fe", "li", "sa", "to", "ne")
_MODEL = "generated@1"


def documents(
    count: int, seed: int = 1, entities: int = 200_000, statements: int = PER_DOCUMENT
) -> Iterator[Structured]:
    """`count` documents, one at a time, that make about `statements` statements each over so many entities."""
    schema = load_schema()
    relations = [r for r in schema.relations.values() if r.head & _SHARES.keys() and r.tail & _SHARES.keys()]
    sizes = {kind: max(2, entities * share // 100) for kind, share in _SHARES.items()}
    for number in range(count):
        # Each document has a chance of its own: any part of the stream can be made again without the rest.
        uri = f"generated/{seed}/{number:07}.txt"
        yield _document(uri, random.Random(uri), schema, relations, sizes, statements)


def texts(
    folder: Path, count: int, seed: int = 1, entities: int = 200_000, statements: int = PER_DOCUMENT
) -> list[Path]:
    """Write the texts of `documents` as `count` plain files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for found in documents(count, seed, entities, statements):
        document = found.resolved.analysis.document
        paths.append(folder / Path(document.uri).name)
        paths[-1].write_text(document.text)
    return paths


def batches(stream: Iterator[Structured], size: int) -> Iterator[list[Structured]]:
    """The stream in lists of `size` documents; the last may be shorter."""
    while batch := list(islice(stream, size)):
        yield batch


def _document(
    uri: str,
    chance: random.Random,
    schema: Schema,
    relations: list[RelationType],
    sizes: dict[str, int],
    statements: int,
) -> Structured:
    sentences: list[tuple[int, int]] = []
    mentions: list[Mention] = []
    related: list[Relation] = []
    owners: dict[str, list[int]] = {}
    text = ""
    for index in range(statements):
        relation = chance.choice(relations)
        ends = [_drawn(chance, kinds, sizes) for kinds in (relation.head, relation.tail)]
        sentence, spans = _sentence(relation, [_spelled(chance, kind, rank) for kind, rank in ends])
        for (kind, rank), (start, end) in zip(ends, spans, strict=True):
            owners.setdefault(f"{kind} {rank}", []).append(len(mentions))
            confidence = round(chance.uniform(0.5, 1.0), 4)
            mentions.append(Mention(len(text) + start, len(text) + end, kind, sentence[start:end], confidence, index))
        surety = round(chance.uniform(0.5, 1.0), 4)
        related.append(Relation(len(mentions) - 2, relation.name, len(mentions) - 1, surety))
        sentences.append((len(text), len(text) + len(sentence)))
        text += sentence + "\n"
    document = Document(Document.make_id(uri, text), uri, "txt", uri, "en", text)
    analysis = Analysis(document, tuple(sentences), tuple(mentions), tuple(related), _MODEL)
    return state(Resolved(analysis, tuple(_entity(mentions, rows) for rows in owners.values())), schema)


def _drawn(chance: random.Random, kinds: frozenset[str], sizes: dict[str, int]) -> tuple[str, int]:
    """(type, rank) of an entity: an exponential of a uniform number is distributed as 1/n."""
    kind = chance.choice(sorted(kinds & sizes.keys()))
    return kind, int((sizes[kind] + 1) ** chance.random()) - 1


def _name(kind: str, rank: int) -> str:
    """The same name for the same entity; as different as people's and firms' names are."""
    if kind == "Date":
        return date.fromordinal(date(1990, 1, 1).toordinal() + rank).isoformat()
    rest, parts = rank + len(_SYLLABLES) ** 2, []
    while rest:
        rest, part = divmod(rest, len(_SYLLABLES))
        parts.append(_SYLLABLES[part])
    return f"{''.join(parts[:2]).title()} {''.join(parts[2:]).title() or 'Ek'} {kind}"


def _spelled(chance: random.Random, kind: str, rank: int) -> str:
    name = _name(kind, rank)
    return f"{name} Ltd" if kind == "Organisation" and chance.random() < 0.1 else name


def _sentence(relation: RelationType, names: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """What the schema says of the relation, said of two names; and the names' spans."""
    before, after = relation.description.replace("The head", "\0", 1).split("\0")
    middle, end = after.replace("the tail", "\0", 1).split("\0")
    start = len(before) + len(names[0]) + len(middle)
    sentence = f"{before}{names[0]}{middle}{names[1]}{end}"
    return sentence, [(len(before), len(before) + len(names[0])), (start, start + len(names[1]))]


def _entity(mentions: list[Mention], rows: list[int]) -> Entity:
    spellings = {mentions[row].text for row in rows}
    kind, name = mentions[rows[0]].type, min(spellings, key=len).removesuffix(" Ltd")
    value = name if kind == "Date" else None
    prefix = "val" if kind == "Date" else "ent"
    longest = max(spellings, key=len)
    return Entity(key(prefix, kind, name), kind, longest, tuple(sorted(spellings)), tuple(rows), value=value)
