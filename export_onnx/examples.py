"""One training example, whatever set it comes from, and the label space that all sets of a recipe are mapped to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of the text that are a mention of one of `types`.

    If not `known`, they may as well be no mention at all.
    """

    start: int
    end: int
    types: frozenset[str]
    known: bool = True


@dataclass(frozen=True, slots=True)
class Fact:
    """What a document says of two of its entities (indices of `Example.entities`), and in which sentences."""

    head: int
    relation: str
    tail: int
    evidence: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Example:
    """A text with what its set says of it.

    Attributes:
        sentences: (start, end) of each sentence; empty if the set gives none.
        spans: mentions, ordered; those of one layer of the label space do not overlap.
        unmarked: types that the set does not mark: O may hide one of them.
        relations: (head, relation, tail), as indices of `spans`.
        unclear: the same, but true only of the entities somewhere in the document: neither right nor wrong here.
        marked_relations: relations that the set marks, others are neither right nor wrong; None stands for all.
        entities: (start, end) of every mention of each entity, if the set says which mentions are one.
        facts: what holds of entities in the document as a whole.
        key: what the example is called in its set, if that splits it into parts.
    """

    text: str
    sentences: tuple[tuple[int, int], ...] = ()
    spans: tuple[Span, ...] = ()
    unmarked: frozenset[str] = frozenset()
    relations: tuple[tuple[int, str, int], ...] = ()
    unclear: tuple[tuple[int, str, int], ...] = ()
    marked_relations: frozenset[str] | None = frozenset()
    entities: tuple[tuple[tuple[int, int], ...], ...] = ()
    facts: tuple[Fact, ...] = ()
    key: str = ""


@dataclass(frozen=True)
class LabelSpace:
    """What a network tells apart.

    Attributes:
        layers: types by layer. Mentions of one layer never overlap; those of two layers may (a trigger inside an
            argument, a street inside an address). Each layer has a CRF of its own.
        relations: relation names, in the order of the relation head's logits (after the threshold).
        joined: (head type, relation, tail type) that are possible; other pairs are not scored.
    """

    layers: tuple[tuple[str, ...], ...]
    relations: tuple[str, ...] = ()
    joined: frozenset[tuple[str, str, str]] = frozenset()

    @cached_property
    def types(self) -> tuple[str, ...]:
        """All types, by layer."""
        return tuple(chain.from_iterable(self.layers))

    @cached_property
    def columns(self) -> dict[str, tuple[int, slice]]:
        """Type → its B- column among the emissions (I- is the next), and all columns of its layer."""
        found: dict[str, tuple[int, slice]] = {}
        first = 0
        for layer in self.layers:
            width = 1 + 2 * len(layer)
            for place, name in enumerate(layer):
                found[name] = (first + 1 + 2 * place, slice(first, first + width))
            first += width
        return found

    @property
    def width(self) -> int:
        """Columns of the emissions."""
        return sum(1 + 2 * len(layer) for layer in self.layers)

    @cached_property
    def outside(self) -> list[int]:
        """The O column of each layer."""
        return sorted({columns.start for _, columns in self.columns.values()})

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset((head, tail) for head, _, tail in self.joined)

    def may_relate(self, heads: frozenset[str], tails: frozenset[str]) -> bool:
        """Whether any relation may join a head of one of `heads` with a tail of one of `tails`."""
        return any((head, tail) in self._pairs for head in heads for tail in tails)


def without_overlaps(spans: Sequence[Span]) -> list[Span]:
    """Longest spans first, of the same one what is known; a span that overlaps a kept one is dropped.

    No order of hashes decides a tie.
    """
    kept: list[Span] = []
    starts: list[int] = []
    for span in sorted(set(spans), key=lambda s: (s.start - s.end, s.start, sorted(s.types), not s.known)):
        place = bisect_left(starts, span.start)
        before_ends = place == 0 or kept[place - 1].end <= span.start
        if before_ends and (place == len(kept) or span.end <= starts[place]):
            kept.insert(place, span)
            starts.insert(place, span.start)
    return kept


def detokenized(
    sentences: Sequence[Sequence[str]],
) -> tuple[str, list[tuple[int, int]], list[list[tuple[int, int]]]]:
    """Join tokens with blanks: the text, each sentence's span, each token's span by sentence."""
    parts: list[str] = []
    bounds: list[tuple[int, int]] = []
    words: list[list[tuple[int, int]]] = []
    position = 0
    for sentence in sentences:
        offsets = []
        for token in sentence:
            offsets.append((position, position + len(token)))
            position += len(token) + 1
            parts.append(token)
        bounds.append((offsets[0][0], offsets[-1][1]) if offsets else (position, position))
        words.append(offsets)
    return " ".join(parts), bounds, words
