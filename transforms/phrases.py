"""Phrases: the wordings that tell a relation, as a schema writes them; no training.

    "{tail}, [the] [...] (chief executive|CEO) of {head}"

`{head}` and `{tail}` are two mentions of one sentence, `(a|b)` one of these, `[a]` may be missing, `...` is up to five
words, `*` another mention, `\\(` that sign itself. Case does not count; an article, a title (Ms) or the kind of company
(the Leeds-based engineering group) may stand before either mention. Such patterns are those of Hearst (1992).
`telling` looks for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

_TOKEN = re.compile(r"'s\b|\w+(?:[-&./]\w+)*|[^\w\s]")
_PIECE = re.compile(r"\{\w*\}|\.\.\.|\\\S|" + _TOKEN.pattern)
#: In a `context`: where the second mention stands, any other, and behind it all what stands before the first.
_SECOND, _OTHER, _FRONT = "\x01 ", "\x02 ", "\x03 "
_CLASS = (
    "airline|bank|broker|carrier|chain|company|consultancy|contractor|developer|distributor|firm|fund|group|insurer|lender"
    "|maker|manufacturer|operator|producer|publisher|retailer|supplier|utility|yard"
)
#: What may stand before a mention that is no part of it: "the Leeds-based engineering group", "Dr.".
_BEFORE = (
    rf"(?:the )?(?:{_OTHER}- based )?(?:(?:an? )?(?:{_OTHER})?(?:(?!(?:and|of|or) )\w[^ ]* ){{0,2}}(?:{_CLASS}) )?"
    r"(?:(?:mrs?|ms|miss|dr|prof|professor|sir|dame|capt|captain) (?:\. )?)?"
)
_WORDS = r"(?:(?!(?:from|not|never|no|neither|nor) )\w[^ ]* ){0,5}"
_SIGNS = {"...": _WORDS, "*": _OTHER, "(": "(?:", ")": ")", "[": "(?:", "]": ")?", "|": "|"}
_OPENS = {"(": ")", "[": "]"}
#: Words that most contexts hold.
_FREQUENT = frozenset(
    {",", "'s", "a", "and", "as", "at", "by", "for", "from", "has", "in", "is", "of", "on", "to", "with"}
)


class PhraseError(ValueError):
    """A phrase that cannot be read: says why."""


@dataclass(frozen=True)
class Wording:
    """A phrase that is compiled: the relation that it tells, whether its head comes first, and what it looks like.

    Attributes:
        needs: words without which the pattern is not worth a try, one of each set.
    """

    relation: str
    head_first: bool
    pattern: re.Pattern[str]
    needs: tuple[frozenset[str], ...]


class Wordings:
    """Phrases that may stand between two mentions, by a word that each needs: most contexts hold none of them."""

    def __init__(self, wordings: Iterable[Wording]) -> None:
        """Keep them in their order."""
        self._by_word: dict[str, list[tuple[int, Wording]]] = {}
        self._others: list[tuple[int, Wording]] = []
        for place, wording in enumerate(wordings):
            if not wording.needs:
                self._others.append((place, wording))
            for word in min(wording.needs, key=lambda need: (len(need & _FREQUENT), len(need)), default=()):
                self._by_word.setdefault(word, []).append((place, wording))

    def __bool__(self) -> bool:
        return bool(self._by_word or self._others)

    def fitting(self, context: str) -> Iterator[Wording]:
        """Those in which two mentions stand whose surroundings these are; see `context`."""
        words = set(context.split())
        found = dict(self._others)
        for word in words & self._by_word.keys():
            found.update(self._by_word[word])
        for _, wording in sorted(found.items(), key=itemgetter(0)):
            if not any(need.isdisjoint(words) for need in wording.needs) and wording.pattern.match(context):
                yield wording


def expand(phrase: str, words: Mapping[str, str]) -> str:
    """A phrase with its words written out: `{leader}` → `(chief executive|CEO)`."""
    for name, alternatives in words.items():
        phrase = phrase.replace(f"{{{name}}}", f"({alternatives})")
    return phrase


def context(before: str, between: Sequence[str], after: str) -> str:
    """The surroundings of two mentions in one line: the text between them, after the second, before the first.

    `between` is cut where other mentions stand. What has to fit most seldom comes first.
    """
    return _OTHER.join(map(tokens, between)) + _SECOND + tokens(after) + _FRONT + tokens(before)


@lru_cache(maxsize=1024)
def tokens(text: str) -> str:
    """Words and signs in lower case, each with a space behind it."""
    return "".join(f"{token} " for token in _TOKEN.findall(text.lower().replace("’", "'")))


def compiled(relation: str, phrase: str) -> Wording:
    """A phrase of a relation, to be looked for.

    Raises:
        PhraseError: it does not name both mentions once, tells nothing else, or a bracket is not closed.
    """
    pieces = _PIECE.findall(phrase.replace("’", "'"))
    mentions = [piece for piece in pieces if piece.startswith("{") and piece.endswith("}")]
    if sorted(mentions) != ["{head}", "{tail}"]:
        raise PhraseError("name {head} and {tail}, once each, and otherwise only what 'words' defines")
    if not any(piece[0].isalnum() or piece[0] == "\\" or piece == "'s" for piece in pieces):
        raise PhraseError("without a word it fits everything; add what tells the relation")
    _check_brackets(pieces)
    first, second = map(pieces.index, mentions)
    before, between, after = map(_pattern, (pieces[:first], pieces[first + 1 : second], pieces[second + 1 :]))
    front = rf".*{_FRONT}(?:.* )?{before}{_BEFORE}$" if before else ""
    pattern = re.compile(between + _BEFORE + _SECOND + after + front)
    return Wording(relation, mentions[0] == "{head}", pattern, tuple(_needs(pieces)))


def _check_brackets(pieces: Sequence[str]) -> None:
    awaited: list[str] = []
    for piece in pieces:
        if piece in _OPENS:
            awaited.append(_OPENS[piece])
        elif piece in _OPENS.values() and (not awaited or awaited.pop() != piece):
            raise PhraseError(f"{piece!r} closes no bracket; write '\\{piece}' for the sign itself")
        elif piece == "|" and not awaited:
            raise PhraseError("'|' stands outside of brackets; write (one|other)")
        elif piece in ("{head}", "{tail}") and awaited:
            raise PhraseError(f"{piece} stands in brackets; both mentions are always there")
    if awaited:
        raise PhraseError(f"a bracket is not closed; add {awaited[-1]!r}")


def _needs(pieces: Sequence[str]) -> Iterator[frozenset[str]]:
    """Sets of words of which a context holds one each if these pieces fit."""
    place = 0
    while place < len(pieces):
        piece = pieces[place]
        if piece in _OPENS:
            end = _closing(pieces, place)
            # What every alternative needs first: one of these words.
            firsts = [next(_needs(one), None) for one in _alternatives(pieces[place + 1 : end])] if piece == "(" else []
            if firsts and None not in firsts:
                yield frozenset().union(*(words for words in firsts if words))
            place = end
        elif piece not in ("...", "*", "{head}", "{tail}"):
            yield frozenset({piece.removeprefix("\\").lower()})
        place += 1


def _closing(pieces: Sequence[str], place: int) -> int:
    """Where the bracket ends that opens at `place`."""
    depth = 0
    for end in range(place, len(pieces)):
        depth += (pieces[end] in _OPENS) - (pieces[end] in _OPENS.values())
        if depth == 0:
            return end
    raise ValueError(pieces)  # brackets are checked before


def _alternatives(pieces: Sequence[str]) -> Iterator[Sequence[str]]:
    """What "|" parts outside of inner brackets."""
    begin, depth = 0, 0
    for place, piece in enumerate(pieces):
        depth += (piece in _OPENS) - (piece in _OPENS.values())
        if piece == "|" and depth == 0:
            yield pieces[begin:place]
            begin = place + 1
    yield pieces[begin:]


def _pattern(pieces: Sequence[str]) -> str:
    return "".join(_SIGNS.get(piece) or re.escape(piece.removeprefix("\\").lower()) + " " for piece in pieces)
