"""GUM (Zeldes 2017), in WebAnno's TSV 3.2: nested mentions of all kinds, of which the names are kept.

GUM does not say which mentions are names. One is taken as a name if, without its article and its genitive, all its
words but small ones begin with a capital, and it is no pronoun. Of nested names, the outermost is kept.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from export_onnx.config import Source
from export_onnx.examples import Example, Span, detokenized, without_overlaps

_SMALL = frozenset({"of", "the", "and", "for", "in", "on", "at", "de", "la", "van", "von", "der", "'s", "a", "to", "-"})
_ARTICLES, _GENITIVES = frozenset({"the", "a", "an"}), frozenset({"'s", "’s", "'", "’"})
_PRONOUNS = frozenset(
    {"i", "me", "my", "we", "us", "our", "you", "your", "he", "him", "his", "she", "her", "hers", "it"}
)
_PRONOUNS |= {"its", "they", "them", "their", "this", "that", "these", "those", "who", "which", "there", "here", "one"}
_ENTITY = 3  # column


def read(path: Path, source: Source) -> list[Example]:
    """Read one document.

    Raises:
        ValueError: a line has too few columns; says which.
    """
    words: list[str] = []
    bounds: list[tuple[int, int]] = []
    mentions: dict[str, tuple[str, int, int]] = {}  # id → label, first word, last word + 1
    first = 0
    for number, line in enumerate([*path.read_text(encoding="utf-8").splitlines(), ""], start=1):
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
                _, begin, _ = mentions.get(key, (label, len(words), 0))
                mentions[key] = (label, begin, len(words) + 1)
        words.append(columns[2])
    return [_example(words, bounds, mentions, path.stem)]


def _key(entry: str, line: int) -> tuple[str, str]:
    """Label and id of `person[7]`; an entry of one word has no id of its own."""
    label, _, rest = entry.partition("[")
    return label, rest.rstrip("]") or f"line {line} {label if not rest else ''}"


def _example(
    words: list[str], bounds: list[tuple[int, int]], mentions: dict[str, tuple[str, int, int]], key: str
) -> Example:
    text, sentences, by_sentence = detokenized([words[first:last] for first, last in bounds])
    offsets = list(chain.from_iterable(by_sentence))
    spans = []
    for label, first, last in mentions.values():
        first += words[first].lower() in _ARTICLES
        last -= words[last - 1].lower() in _GENITIVES
        if first < last and _is_name(words[first:last]):
            spans.append(Span(offsets[first][0], offsets[last - 1][1], frozenset({label})))
    return Example(text, tuple(sentences), tuple(without_overlaps(spans)), key=key)


def _is_name(words: list[str]) -> bool:
    letters = [word for word in words if word[0].isalpha() and word.lower() not in _SMALL]
    named = bool(letters) and all(word[0].isupper() for word in letters)
    return named and not (len(words) == 1 and words[0].lower() in _PRONOUNS)
