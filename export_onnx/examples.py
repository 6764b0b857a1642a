"""One training example, whatever set it comes from, and the label space that all sets are mapped to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: What the tagger tells apart, in the order of its labels.
ENTITY_TYPES = ("Person", "Organisation", "Location", "Date", "Money", "Number", "Product", "Event", "Other")

#: What the relation head tells apart, in the order of its logits (after the threshold).
RELATIONS = (
    "EMPLOYER", "PARENT_ORGANISATION", "OWNED_BY", "FOUNDED_BY", "LED_BY", "HEADQUARTERS", "LOCATED_IN", "COUNTRY",
    "JURISDICTION", "MEMBER_OF", "PART_OF", "CITIZENSHIP", "RESIDENCE", "BORN_IN", "BORN_ON", "DIED_ON", "SPOUSE",
    "PARENT_OF", "EDUCATED_AT", "PRODUCT_OF", "OPERATED_BY", "CREATED_BY", "PUBLISHED_BY", "PARTICIPANT_IN",
    "FOUNDED_ON", "DISSOLVED_ON", "PUBLISHED_ON", "OCCURRED_ON", "COMMUNICATED_WITH",
)  # fmt: skip


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
class Example:
    """A text with what its set says of it.

    Attributes:
        sentences: (start, end) of each sentence; empty if the set gives none.
        spans: mentions, ordered, without overlap.
        unmarked: types that the set does not mark: O may hide one of them.
        relations: (head, relation, tail), as indices of `spans`.
        unclear: the same, but true only of the entities somewhere in the document: neither right nor wrong here.
        marked_relations: relations that the set marks; others are neither right nor wrong.
    """

    text: str
    sentences: tuple[tuple[int, int], ...]
    spans: tuple[Span, ...]
    unmarked: frozenset[str]
    relations: tuple[tuple[int, str, int], ...]
    unclear: tuple[tuple[int, str, int], ...]
    marked_relations: frozenset[str]


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
