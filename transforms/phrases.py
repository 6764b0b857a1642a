"""Phrases: the wordings that tell a relation, as a schema writes them; no training.

    "{tail}, [the] [...] (chief executive|CEO) of {head}"

`{head}` and `{tail}` are two mentions of one sentence, `(a|b)` one of these, `[a]` may be missing, `...` is up to five
words, `*` another mention, `\\(` that sign itself. Case does not count; an article, a title (Ms) or the kind of company
(the Leeds-based engineering group) may stand before either mention. Such patterns are those of Hearst (1992).
`telling` looks for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

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


class PhraseError(ValueError):
    """A phrase that cannot be read: says why."""


@dataclass(frozen=True)
class Wording:
    """All phrases of a relation that name its head first, or all that name its tail first."""

    relation: str
    head_first: bool
    pattern: re.Pattern[str]

    def fits(self, context: str) -> bool:
        """Whether two mentions stand in one of the phrases; see `context`."""
        return self.pattern.match(context) is not None


def wordings(relation: str, phrases: Sequence[str]) -> list[Wording]:
    """Compile the phrases of a relation.

    Raises:
        PhraseError: see `check_phrase`.
    """
    compiled = [_compile(phrase) for phrase in phrases]
    groups = ((first, [pattern for order, pattern in compiled if order == first]) for first in (True, False))
    return [Wording(relation, first, re.compile("|".join(patterns))) for first, patterns in groups if patterns]


def expand(phrase: str, words: Mapping[str, str]) -> str:
    """A phrase with its words written out: `{leader}` → `(chief executive|CEO)`."""
    for name, alternatives in words.items():
        phrase = phrase.replace(f"{{{name}}}", f"({alternatives})")
    return phrase


def check_phrase(phrase: str) -> None:
    """See that a phrase can be read.

    Raises:
        PhraseError: it does not name both mentions once, tells nothing else, or a bracket is not closed.
    """
    _compile(phrase)


def context(before: str, between: Sequence[str], after: str) -> str:
    """The surroundings of two mentions in one line: the text between them, after the second, before the first.

    `between` is cut where other mentions stand. What has to fit most seldom comes first.
    """
    return _OTHER.join(map(tokens, between)) + _SECOND + tokens(after) + _FRONT + tokens(before)


@lru_cache(maxsize=1024)
def tokens(text: str) -> str:
    """Words and signs in lower case, each with a space behind it."""
    return "".join(f"{token} " for token in _TOKEN.findall(text.lower().replace("’", "'")))


def _compile(phrase: str) -> tuple[bool, str]:
    """Whether the head comes first, and the pattern over `context`."""
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
    return mentions[0] == "{head}", between + _BEFORE + _SECOND + after + front


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


def _pattern(pieces: Sequence[str]) -> str:
    return "".join(_SIGNS.get(piece) or re.escape(piece.removeprefix("\\").lower()) + " " for piece in pieces)
