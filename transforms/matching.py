"""Match: entities of the whole graph → pairs that are one thing, without comparing all with all.

Entities meet in blocks: those that share a key of a spelling (`names.name_key`), and those whose keys share their
rarest word. Only what meets in a block is compared (standard blocking, Papadakis et al. 2020, "Blocking and
Filtering Techniques for Entity Resolution"). What the register knows by name comes first.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rapidfuzz.fuzz import ratio

from transforms.names import name_key
from transforms.records import SINGLE, is_value
from transforms.register import Register

#: A block with more members says nothing of any two of them.
MOST_IN_BLOCK = 50
#: Keys shorter than this (characters) differ in too little to be called alike.
SHORTEST = 6
_ALIKE = 90.0  # rapidfuzz's ratio, 0 to 100


@dataclass(frozen=True, slots=True)
class Known:
    """An entity of the graph: its name, and every spelling that a document gives it."""

    id: str
    type: str
    name: str
    spellings: tuple[str, ...]
    registered: bool
    kind: str | None = None  # how its type's names are read (see `schema`); as the type is called, without it

    def key(self, name: str) -> str:
        """The key of one of its names."""
        return name_key(self.type if self.kind is None else self.kind, name)


@dataclass(frozen=True, slots=True)
class Match:
    """Two entities (ids) that seem one: `entity` goes, `into` stays. `score` is from 0 to 1.

    Of an entry of the register, which the graph may not hold yet, `register_id` and `into_name` are given.
    """

    entity: str
    into: str
    type: str
    reason: str
    score: float
    register_id: str | None = None
    into_name: str | None = None


def match(entities: Iterable[Known], register: Register | None = None) -> list[Match]:
    """Pairs of one type, surest first; each entity goes at most once, and into one that does not go itself.

    Reasons: `register` (a spelling is that of just one entry; score 1), `spelling` (the name of one is a spelling of
    just one other; 0.95), `alike` (names that differ in a letter or two; below 0.95).
    """
    known = [
        entity
        for entity in entities
        if not is_value(entity.id) and not entity.id.startswith(SINGLE) and entity.key(entity.name)
    ]
    open_ones = [entity for entity in known if not entity.registered]
    found = [] if register is None else list(_registered(open_ones, register))
    found += _same_spelling(known)
    found += _alike(known)
    return _each_once(sorted(found, key=lambda m: (-m.score, m.entity, m.into)))


def _registered(entities: Iterable[Known], register: Register) -> Iterator[Match]:
    for entity in entities:
        rows = register.find(entity.type, entity.name)
        if len(rows) == 1:
            entry = register.entries[rows[0]]
            yield Match(entity.id, entry.id, entity.type, "register", 1.0, entry.id, entry.name)


def _keys(entity: Known) -> set[str]:
    return {key for text in (entity.name, *entity.spellings) if (key := entity.key(text))}


def _same_spelling(entities: Iterable[Known]) -> Iterator[Match]:
    blocks: dict[tuple[str, str], list[Known]] = defaultdict(list)
    for entity in entities:
        for key in _keys(entity):
            blocks[entity.type, key].append(entity)
    for (_, key), block in blocks.items():
        # Of three that share a spelling, which two are one?
        if len(block) == 2 and any(entity.key(entity.name) == key for entity in block):
            yield from _pair(block[0], block[1], "spelling", 0.95)


def _alike(entities: Iterable[Known]) -> Iterator[Match]:
    by_key: dict[tuple[str, str], list[Known]] = defaultdict(list)
    for entity in entities:
        by_key[entity.type, entity.key(entity.name)].append(entity)
    count = Counter((kind, word) for kind, key in by_key for word in set(key.split()))
    blocks: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, key in by_key:
        if len(key) >= SHORTEST:
            # Its two rarest words: a slip of the pen in one leaves the other.
            for word in sorted(set(key.split()), key=lambda w: (count[kind, w], w))[:2]:
                blocks[kind, word].append(key)
            blocks[kind, f"{key[:3]}…{len(key) // 4}"].append(key)
    for (kind, _), keys in blocks.items():
        if len(keys) > MOST_IN_BLOCK:
            continue
        for place, one in enumerate(keys):
            for other in keys[place + 1 :]:
                score = ratio(one, other)
                if score >= _ALIKE and _digits(one) == _digits(other):
                    yield from _pair(
                        by_key[kind, one][0], by_key[kind, other][0], "alike", round(score / 100 * 0.94, 3)
                    )


def _digits(key: str) -> list[str]:
    return re.findall(r"\d+", key)


def _pair(one: Known, other: Known, reason: str, score: float) -> Iterator[Match]:
    if one.id == other.id or (one.registered and other.registered):
        return
    # The register's stays; else the longer name; else the first id.
    stays, goes = sorted((one, other), key=lambda e: (not e.registered, -len(e.name), e.id))
    register_id = stays.id if stays.registered else None
    yield Match(goes.id, stays.id, goes.type, reason, score, register_id, stays.name if stays.registered else None)


def _each_once(matches: Iterable[Match]) -> list[Match]:
    gone: set[str] = set()
    stay: set[str] = set()
    kept = []
    for one in matches:
        if not (one.entity in gone or one.entity in stay or one.into in gone):
            kept.append(one)
            gone.add(one.entity)
            stay.add(one.into)
    return kept
