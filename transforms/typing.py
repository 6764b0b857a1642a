"""Type: entities → finer types of the schema, told by their descriptions.

A user adds a type by describing it in the schema; no model has a label for it. The vector of an entity's name is
compared with those of the descriptions of its type's subtypes, both by the sentence encoder and a small tower that was
trained on pairs of names and descriptions (a bi-encoder, as in Wu et al. 2020; the recipe is `export_onnx.typing`).
The type's own description stands among them: where it fits best, the entity stays what it is.

Next stage: `linking`, or `stating`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import onnxruntime as ort

from transforms.bundle import TYPING, check_task, open_session, verify
from transforms.decoding import FloatArray
from transforms.handling import DocumentHandler
from transforms.records import Resolved
from transforms.schema import Schema, Subtype, with_subtypes
from transforms.sentence_encoder import SentenceEncoder, load_sentence_encoder


@dataclass(frozen=True)
class Choice:
    """A type and its subtypes, with the vectors [1 + K, 2 D] of their descriptions, the type's own first."""

    subtypes: tuple[Subtype, ...]
    vectors: FloatArray


@dataclass(frozen=True)
class Typer:
    """A schema's subtypes, encoded; safe to share between threads."""

    encoder: SentenceEncoder
    tower: ort.InferenceSession
    choices: Mapping[str, Choice]  # by the name of the type above

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """N names or descriptions → [N, 2 D] unit vectors."""
        (found,) = self.tower.run(None, {"vectors": self.encoder(texts)})
        return found  # type: ignore[no-any-return]


def has_subtypes(schema: Schema) -> bool:
    """Whether this stage has anything to do."""
    return any(entity.subtypes for entity in schema.entities.values())


def make_typer(schema: Schema, path: str | Path | None = None) -> Typer:
    """Load the tower that ships (or the one at `path`) and encode a schema's descriptions.

    Raises:
        BundleError: see `bundle.verify`; or the bundle is for another task.
    """
    manifest = verify(path or TYPING)
    check_task(manifest, "typing")
    typer = Typer(load_sentence_encoder(), open_session(manifest.path / "model.onnx"), {})
    choices: dict[str, Choice] = {}
    for above in with_subtypes(schema.entities.values()):
        if above.subtypes:
            described = [above.description, *(below.description for below in above.subtypes)]
            choices[above.name] = Choice(above.subtypes, typer.vectors(described))
    return replace(typer, choices=choices)


def type_entities(typer: Typer, document: Resolved) -> Resolved:
    """Give a document's entities their subtypes, from the coarser to the finer.

    The encoder never sees two documents at once (`linking.link` says why).
    """
    places = [index for index, entity in enumerate(document.entities) if entity.type in typer.choices]
    if not places:
        return document
    vectors = typer.vectors([document.entities[index].name for index in places])
    entities = list(document.entities)
    for index, vector in zip(places, vectors, strict=True):
        entities[index] = replace(entities[index], subtypes=tuple(_descend(typer, entities[index].type, vector)))
    return replace(document, entities=tuple(entities))


def _descend(typer: Typer, kind: str, vector: FloatArray) -> Iterable[str]:
    while kind in typer.choices:
        choice = typer.choices[kind]
        best = int((choice.vectors @ vector).argmax())
        if best == 0:
            return
        kind = choice.subtypes[best - 1].name
        yield kind


def typing_handler(schema: Schema, *, clocked: bool = False) -> DocumentHandler[Typer]:
    """What RunInference runs."""
    return DocumentHandler("type", partial(make_typer, schema), type_entities, clocked=clocked)
