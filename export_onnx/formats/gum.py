"""GUM (Zeldes 2017), in WebAnno's TSV 3.2: nested mentions of all kinds, of which the names are kept.

GUM does not say which mentions are names. One is taken as a name if, without its article, its genitive and a person's
title, all its words but small ones begin with a capital, and it is no pronoun. Of nested names, the outermost is kept.
It stays open whether it is one where the capital may have another reason (a sentence or a heading begins with it, "the
Court"), and where the mention may be more than the name ("General Gordon", "Chao and Yang", "Fort Worth, Texas"). Other
words with a capital of their own ("Indian", a name that GUM marks as part of more) are open too, under the label
`name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from export_onnx.config import Source
from export_onnx.examples import Example, Span, detokenized, without_overlaps
from transforms.names import TITLES

_SMALL = frozenset({"of", "the", "and", "for", "in", "on", "at", "de", "la", "van", "von", "der", "'s", "a", "to", "-"})
_ARTICLES, _GENITIVES = frozenset({"the", "a", "an"}), frozenset({"'s", "’s", "'", "’"})
_PRONOUNS = frozenset(
    {"i", "me", "my", "we", "us", "our", "you", "your", "he", "him", "his", "she", "her", "hers", "it"}
)
_PRONOUNS |= {"its", "they", "them", "their", "this", "that", "these", "those", "who", "which", "there", "here", "one"}
_RANKS = frozenset(
    {"president", "general", "justice", "chief", "emperor", "king", "queen", "prince", "princess", "pope"}
)
_RANKS |= {"saint", "st.", "senator", "minister", "secretary", "counselor", "my", "both", "us", "u.s."}
_JOINTS = frozenset({"and", "or", ",", "in", "at", "for", "on", "to", "/"})
_ENTITY = 3  # column
#: The label of words that may be a name of any kind.
NAME = "name"


@dataclass(slots=True)
class _Mention:
    """Words from `first` to before `last`."""

    label: str
    first: int
    last: int


def read(path: Path, source: Source) -> list[Example]:
    """Read one document.

    Raises:
        ValueError: a line has too few columns; says which.
    """
    words: list[str] = []
    bounds: list[tuple[int, int]] = []
    mentions: dict[str, _Mention] = {}
    first = 0
    for number, line in enumerate([*path.read_text(encoding="utf-8").split("\n"), ""], start=1):
        if not line or line.startswith("#"):
            if len(words) > first:
                bounds.append((first, len(words)))
            first = len(words)
            continue
        columns = line.split("\t")
        if len(columns) <= _ENTITY:
            raise ValueError(f"{path}, line {number}: {_ENTITY + 1} columns between tabs are needed: {line!r}")
        for entry in columns[_ENTITY].split("|"):
            if entry != "_":
                label, key = _key(entry, number)
                mentions.setdefault(key, _Mention(label, len(words), 0)).last = len(words) + 1
        words.append(columns[2])
    return [_example(words, bounds, list(mentions.values()), path.stem)]


def _key(entry: str, line: int) -> tuple[str, str]:
    """Label and id of `person[7]`; an entry of one word has no id of its own."""
    label, _, rest = entry.partition("[")
    return label, rest.rstrip("]") or f"line {line} {label if not rest else ''}"


def _example(words: list[str], bounds: list[tuple[int, int]], mentions: list[_Mention], key: str) -> Example:
    text, sentences, by_sentence = detokenized([words[first:last] for first, last in bounds])
    offsets = list(chain.from_iterable(by_sentence))
    proved = _proved(words, bounds)
    spans = []
    for mention in mentions:
        first, last = _trimmed(words, mention, mentions)
        name = words[first:last]
        if name and _is_name(name):
            generic = len(name) == 1 and not name[0].isupper() and first > mention.first and words[first - 1].islower()
            known = not proved.isdisjoint(name) and not generic and not _may_be_more(mention.label, name)
            spans.append(Span(offsets[first][0], offsets[last - 1][1], frozenset({mention.label}), known))
    kept = without_overlaps(spans)
    covered = {place for span in kept for place in range(span.start, span.end)}
    left = [w for w, word in enumerate(words) if word in proved and offsets[w][0] not in covered and _is_name([word])]
    open_spans = [
        Span(*offsets[w], frozenset({NAME}), known=False) for w in left if words[w].strip(".").lower() not in TITLES
    ]
    return Example(text, tuple(sentences), tuple(without_overlaps([*kept, *open_spans])), key=key)


def _proved(words: list[str], bounds: list[tuple[int, int]]) -> set[str]:
    """Words whose capital is their own: somewhere no sentence and no heading begins with them."""
    found: set[str] = set()
    for first, last in bounds:
        sentence = [word for word in words[first:last] if word[0].isalpha()]
        if not all(word[0].isupper() or word in _SMALL for word in sentence):
            found.update(word for word in words[first + 1 : last] if word[0].isupper() and word.lower() not in _SMALL)
    return found


def _trimmed(words: list[str], mention: _Mention, mentions: list[_Mention]) -> tuple[int, int]:
    """Where a name may stand in a mention; nowhere, if an office alone tells a person ("Director of the Institute")."""
    first, last = mention.first, mention.last
    last -= words[last - 1].lower() in _GENITIVES
    if mention.label != "person":
        return first + (words[first].lower() in _ARTICLES), last
    inner = [m.last for m in mentions if m.label != "person" and first <= m.first and m.last <= last]
    # "his Indian cousin Mary Lee"
    small = [w + 1 for w in range(first, last) if words[w][0].islower() and words[w] not in _SMALL]
    first = max([first, *inner, *small])
    while first < last and words[first].lower().rstrip(".") in _ARTICLES | TITLES:
        first += 1
    while last - first > 2 and words[first].lower() in _RANKS:
        first += 1
    return first, last


def _may_be_more(label: str, name: list[str]) -> bool:
    lower = {word.lower() for word in name}
    if label == "person":
        return bool(lower & (_JOINTS | _RANKS))
    return (label != "time" and "," in lower) or (label == "place" and bool(lower & _JOINTS))


def _is_name(words: list[str]) -> bool:
    letters = [word for word in words if word[0].isalpha() and word.lower() not in _SMALL]
    named = bool(letters) and all(word[0].isupper() for word in letters)
    return named and not (len(words) == 1 and words[0].capitalize() == words[0] and words[0].lower() in _PRONOUNS)
