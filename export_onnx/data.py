"""Training data: the sets that a recipe names, read, mapped to its types, split into parts; and the label space.

The sets mark different things. An example says which types and relations its set does not mark, and which
spans are only half known, so that the loss can marginalise over what is open (see `architectures.crf`, `training`).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import glob
from itertools import chain, product
from pathlib import Path
from types import MappingProxyType

from export_onnx.config import DEV_EVERY, ConfigError, Part, Recipe, Source
from export_onnx.examples import Example, LabelSpace, Span, without_overlaps
from export_onnx.formats import FORMATS
from transforms.schema import Schema

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class DataSet:
    """A set's examples by part."""

    source: Source
    train: list[Example]
    dev: list[Example]


def load(recipe: Recipe, root: Path, schema: Schema | None = None) -> tuple[list[DataSet], LabelSpace]:
    """The train and dev parts of every set of a recipe, and the label space that they span.

    `schema` says which types a relation may join; what the training data join, without it.

    Raises:
        ConfigError: a set has no such files, format or label; says which.
        ValueError: a file is malformed; says where.
    """
    read = {source.name: read_parts(source, root, recipe.rename) for source in recipe.data}
    space = _space(recipe, list(read.values()), schema)

    def part(source: Source, number: int) -> list[Example]:
        around = [e.text for name in source.among for e in read[name][number] if e.text.strip()]
        return _joined([_fitted(example, space) for example in read[source.name][number]], source.join, around)

    return [DataSet(source, part(source, 0), part(source, 1)) for source in recipe.data], space


def load_part(recipe: Recipe, root: Path, part: str, space: LabelSpace) -> list[tuple[str, list[Example]]]:
    """The examples of one part ("dev", "test") of the sets that have it, by set; never joined.

    Raises:
        ConfigError, ValueError: see `load`; or no set has that part.
    """
    found = []
    for source in recipe.data:
        wanted: Part | None = getattr(source, part)
        if wanted:
            examples = [_mapped(source, example, recipe.rename) for example in _examples(source, wanted, root)]
        elif part == "dev":
            examples = read_parts(source, root, recipe.rename)[1]
        else:
            continue
        found.append((source.name, [_fitted(example, space) for example in examples]))
    if not found:
        raise ConfigError(f"{recipe.path}: no set names files under {part!r}; add them")
    return found


def read_parts(source: Source, root: Path, rename: Mapping[str, str] = _NONE) -> tuple[list[Example], list[Example]]:
    """The train and dev parts of a set, with our types for its labels; `rename` gives relations new names.

    Raises:
        ConfigError, ValueError: see `load`.
    """
    train = _examples(source, source.train, root)
    if source.dev:
        dev = _examples(source, source.dev, root)
    else:
        dev = [example for row, example in enumerate(train) if row % DEV_EVERY == DEV_EVERY - 1]
        train = [example for row, example in enumerate(train) if row % DEV_EVERY != DEV_EVERY - 1]
    if not train:
        raise ConfigError(f"set {source.name!r} has no training examples; check its files and rows")
    return [_mapped(source, e, rename) for e in train], [_mapped(source, e, rename) for e in dev]


def _examples(source: Source, part: Part, root: Path) -> list[Example]:
    if source.format not in FORMATS:
        raise ConfigError(f"set {source.name!r}: no format {source.format!r}; known are {', '.join(FORMATS)}")
    examples: list[Example] = []
    left_out = {path for pattern in part.without for path in _matching(root, pattern)}
    for pattern in part.files:
        paths = sorted(_matching(root, pattern) - left_out)
        if not paths:
            raise ConfigError(f"set {source.name!r}: no file {root / pattern}; mend the path, or give --data FOLDER")
        for path in paths:
            try:
                examples += FORMATS[source.format](path, source)
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}: cannot be read ({error}); give a text file in UTF-8") from error
    first, stop = part.rows or (0, len(examples))
    taken = enumerate(examples[first:stop])
    number = zlib.crc32 if part.by == "key" else None
    return [
        example for row, example in taken if (number(example.key.encode()) if number else row) % part.every in part.keep
    ]


def _matching(root: Path, pattern: str) -> set[Path]:
    return {Path(found) for found in glob(str(root / pattern), recursive=True)}


def _mapped(source: Source, example: Example, rename: Mapping[str, str]) -> Example:
    """The example with our types for the set's labels; spans without a type go, and their relations with them."""
    place: dict[int, int] = {}
    spans: list[Span] = []
    for index, span in enumerate(example.spans):
        found = _meaning(source, span, example.text)
        if found:
            place[index] = len(spans)
            spans.append(found)

    def kept(rows: Iterable[tuple[int, str, int]]) -> tuple[tuple[int, str, int], ...]:
        return tuple(
            (place[head], rename.get(name, name), place[tail])
            for head, name, tail in rows
            if head in place and tail in place
        )

    return replace(
        example,
        spans=tuple(spans),
        relations=kept(example.relations),
        unclear=kept(example.unclear),
        facts=tuple(replace(fact, relation=rename.get(fact.relation, fact.relation)) for fact in example.facts),
        unmarked=frozenset(source.unmarked),
    )


def _meaning(source: Source, span: Span, text: str) -> Span | None:
    if source.labels is None:
        types, known = span.types, span.known
    else:
        (label,) = span.types
        if label in source.labels:
            types, known = frozenset(source.labels[label]), span.known
        elif source.rest is None:
            raise ConfigError(
                f"set {source.name!r}: its label {label!r} is not under 'labels'; add it there, or say under 'rest' "
                "what such labels may mean ([] for nothing)"
            )
        else:
            types, known = frozenset(source.rest), False
    if text[span.start : span.end].lower() in source.doubtful:
        known = False
    return Span(span.start, span.end, types, known) if types else None


def _space(recipe: Recipe, read: Sequence[tuple[list[Example], list[Example]]], schema: Schema | None) -> LabelSpace:
    examples = list(chain.from_iterable(part for parts in read for part in parts))
    held = {name for example in examples for span in example.spans for name in span.types}
    layers = recipe.layers or (tuple(sorted(held)),)
    listed = list(chain.from_iterable(layers))
    if missing := held - set(listed):
        raise ConfigError(
            f"{recipe.path}: field 'layers': the data hold {min(missing)!r}, which no layer lists; add it"
        )
    if len(set(listed)) < len(listed):
        raise ConfigError(f"{recipe.path}: field 'layers': a type is listed twice; a type has one layer")
    names = {name for example in examples for _, name, _ in example.relations}
    relations = recipe.relations or tuple(sorted(names))
    if missing := names - set(relations):
        raise ConfigError(f"{recipe.path}: field 'relations': the data hold {min(missing)!r}; add it")
    joined = joined_by(schema, listed, relations) if schema else frozenset(_seen(examples))
    return LabelSpace(layers, relations, joined)


def joined_by(schema: Schema, types: Iterable[str], relations: Iterable[str]) -> frozenset[tuple[str, str, str]]:
    """(head type, relation, tail type) that a schema allows, of a model's types and relations."""
    named = [(label, schema.type_of_label[label]) for label in types if label in schema.type_of_label]
    return frozenset(
        (head, name, tail)
        for name in relations
        for (head, head_type), (tail, tail_type) in product(named, repeat=2)
        if schema.allows(name, head_type, tail_type)
    )


def _seen(examples: Iterable[Example]) -> Iterator[tuple[str, str, str]]:
    for example in examples:
        for head, name, tail in example.relations:
            for first in example.spans[head].types:
                for second in example.spans[tail].types:
                    yield first, name, second


def _fitted(example: Example, space: LabelSpace) -> Example:
    """The example with the mentions of each layer free of overlaps (the longest stay), in their order."""
    layer = {name: place for place, names in enumerate(space.layers) for name in names}
    by_layer: dict[int, list[Span]] = {}
    for span in example.spans:
        by_layer.setdefault(layer[min(span.types)], []).append(span)
    kept = {span for spans in by_layer.values() for span in without_overlaps(spans)}
    order = sorted(
        (index for index, span in enumerate(example.spans) if span in kept),
        key=lambda index: (example.spans[index].start, -example.spans[index].end, index),
    )
    seen: dict[Span, int] = {}
    place: dict[int, int] = {}
    for index in order:
        place[index] = seen.setdefault(example.spans[index], len(seen))

    def moved(rows: Iterable[tuple[int, str, int]]) -> tuple[tuple[int, str, int], ...]:
        return tuple((place[h], name, place[t]) for h, name, t in rows if h in place and t in place)

    return replace(example, spans=tuple(seen), relations=moved(example.relations), unclear=moved(example.unclear))


def _joined(examples: Sequence[Example], most: int, around: Sequence[str]) -> list[Example]:
    """Runs of one to `most` examples put one below the other, with texts `around` them; fixed by their number."""
    if most <= 1 and not around:
        return list(examples)
    chooser = random.Random(len(examples))
    found: list[Example] = []
    first = 0
    while first < len(examples):
        count = chooser.randint(1, most)
        pieces = [(example, _BELOW) for example in examples[first : first + count]]
        found.append(_below(_amid(pieces, around, chooser) if around else pieces))
        first += count
    return found


#: An example, and what follows it.
_Piece = tuple[Example, str]
_BELOW = "\n\n"


def _amid(pieces: Sequence[_Piece], around: Sequence[str], chooser: random.Random) -> list[_Piece]:
    """Texts before, between and after the pieces; some are cut in two, with a piece inside the sentence."""
    found: list[_Piece] = []
    for example, _ in pieces:
        text, way = chooser.choice(around), chooser.random()
        words = text.split()
        cut = chooser.randint(1, len(words))
        if way < 0.3:
            found += [(Example(" ".join(words[:cut])), " "), (example, " "), (Example(" ".join(words[cut:])), _BELOW)]
        elif way < 0.6:
            found += [(Example(text), chooser.choice(("\n", _BELOW))), (example, chooser.choice(("\n", _BELOW)))]
        else:
            found.append((example, chooser.choice(("\n", _BELOW))))
    return [(example, after) for example, after in found if example.text]


def _below(pieces: Sequence[_Piece]) -> Example:
    text, spans, sentences = "", list[Span](), list[tuple[int, int]]()
    relations: list[tuple[int, str, int]] = []
    unclear: list[tuple[int, str, int]] = []
    for example, after in pieces:
        shift, count = len(text), len(spans)
        spans += [replace(span, start=span.start + shift, end=span.end + shift) for span in example.spans]
        bounds = example.sentences or ((0, len(example.text)),)
        sentences += [(start + shift, end + shift) for start, end in bounds]
        relations += [(head + count, name, tail + count) for head, name, tail in example.relations]
        unclear += [(head + count, name, tail + count) for head, name, tail in example.unclear]
        text += example.text + after
    first = max((example for example, _ in pieces), key=lambda e: len(e.spans))
    return replace(
        first,
        text=text,
        spans=tuple(spans),
        sentences=tuple(sentences),
        relations=tuple(relations),
        unclear=tuple(unclear),
        entities=(),
        facts=(),
    )
