"""Train the typing tower: names and the descriptions of their types, on the frozen sentence encoder.

Loss: the cosine of a name with its type's description, against those of the types that its set could have said
instead under the same parent, and against those of all other parents (cross-entropy with in-batch types, as the
bi-encoder of Wu et al. 2020). How well types are told that training never saw is measured by leaving types out.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from export_onnx.architectures.typing_tower import BlendedTower, TypingTower
from export_onnx.card import write_card
from export_onnx.config import ConfigError, Source, checked, read_sources, read_yaml
from export_onnx.data import read_parts
from export_onnx.export import export_tower, make_folder, provenance, write_bundle
from transforms.bundle import TYPING
from transforms.decoding import FloatArray
from transforms.schema import Schema, load_schema
from transforms.sentence_encoder import SentenceEncoder, load_sentence_encoder

FOLDS = 8


@dataclass(frozen=True)
class DescribedType:
    """A subtype of one of the default schema's entity types."""

    parent: str
    description: str


@dataclass(frozen=True)
class TypingRecipe:
    """What the config sets; `types` are the subtypes, which the sets' `labels` lead to, or to a type of the schema."""

    name: str
    version: str
    data: tuple[Source, ...]
    types: Mapping[str, DescribedType]
    summary: str = ""
    licence: str = "not said"
    limits: str = ""
    seed: int = 13
    epochs: int = 15
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.5
    scale: float = 8.0
    blend: float = 1.0  # weight of the encoder's own vectors beside the tower's
    path: Path = field(default=Path(), compare=False, repr=False)


@dataclass(frozen=True)
class Names:
    """N names of mentions with what their sets call them. T types: the schema's, then the described ones."""

    vectors: FloatArray  # [N, D]
    types: np.ndarray  # [N] index of the type
    choices: np.ndarray  # bool [N, T] what the set could have said under the same parent, the parent itself included


@dataclass(frozen=True)
class Space:
    """The types: their names, the parent of each (its own name, if it has none), their descriptions' vectors."""

    names: tuple[str, ...]
    parents: np.ndarray  # [T]
    vectors: FloatArray  # [T, D]


def build_typing_bundle(config: Path, data: Path | None, target: Path | None = None) -> Path:
    """Train, measure with types left out, export, write the bundle of the task `typing` and its card."""
    recipe = read_typing_recipe(config)
    encoder, schema = load_sentence_encoder(), load_schema()
    space = _space(recipe, schema, encoder)
    parts = [(source, *read_parts(source, data or config.parent)) for source in recipe.data]
    train = _names([(source, train) for source, train, _ in parts], space, encoder)
    dev = _names([(source, dev) for source, _, dev in parts], space, encoder)
    folder = make_folder(target or TYPING, "--target")
    tower = fit(recipe, space, train)
    export_tower(tower, space.vectors.shape[1], folder / "model.onnx")
    manifest = {
        "name": recipe.name,
        "version": recipe.version,
        "task": "typing",
        "summary": recipe.summary,
        "licence": recipe.licence,
        "encoder": "the bundle sentence-encoder, frozen",
        "recipe": {name: value for name, value in asdict(recipe).items() if name not in ("path", "data", "types")},
        "types": {name: asdict(found) for name, found in recipe.types.items()},
        **provenance("typing", config, parts),
        "metrics": measure(recipe, space, train, dev, tower),
        "limits": recipe.limits,
    }
    write_bundle(folder, ["model.onnx"], manifest)
    write_card(folder)
    return folder


def read_typing_recipe(path: Path) -> TypingRecipe:
    """Read a config file.

    Raises:
        ConfigError: it cannot be read, or a field is unknown, missing or wrong; says which.
    """
    given = checked(TypingRecipe, read_yaml(path), str(path), hidden={"path"})
    given["data"] = read_sources(given["data"], path)
    types = given["types"]
    if not isinstance(types, dict):
        raise ConfigError(f"{path}: field 'types': expected parent and description by name")
    given["types"] = {
        str(name): DescribedType(**checked(DescribedType, row, f"{path}: field 'types.{name}'"))
        for name, row in types.items()
    }
    return TypingRecipe(**given, path=path)


def _space(recipe: TypingRecipe, schema: Schema, encoder: SentenceEncoder) -> Space:
    for name, found in recipe.types.items():
        if found.parent not in schema.entities:
            raise ConfigError(f"{recipe.path}: field 'types.{name}.parent': no type {found.parent!r} in the schema")
    names = (*schema.entities, *recipe.types)
    parents = [*schema.entities, *(found.parent for found in recipe.types.values())]
    described = [
        *(found.description for found in schema.entities.values()),
        *(found.description for found in recipe.types.values()),
    ]
    return Space(names, np.array([names.index(parent) for parent in parents]), encoder(described))


def _names(parts: Sequence[tuple[Source, Sequence[Any]]], space: Space, encoder: SentenceEncoder) -> Names:
    texts: list[str] = []
    types: list[int] = []
    choices: list[np.ndarray] = []
    for source, examples in parts:
        said = [(e.text[s.start : s.end], min(s.types)) for e in examples for s in e.spans if s.known]
        unknown = {name for _, name in said} - set(space.names)
        if unknown:
            raise ConfigError(
                f"set {source.name!r}: {min(unknown)!r} is no type of the config or the schema; describe it"
            )
        marked = np.isin(space.names, sorted({name for _, name in said}))
        for text, name in said:
            place = space.names.index(name)
            parent = space.parents[place]
            choice = marked & (space.parents == parent)
            choice[parent] = True
            texts.append(text)
            types.append(place)
            choices.append(choice)
    return Names(encoder(texts), np.array(types), np.array(choices))


def fit(recipe: TypingRecipe, space: Space, names: Names, without: Sequence[int] = ()) -> BlendedTower:
    """Train a tower on names of all types but those `without`, and blend it."""
    torch.manual_seed(recipe.seed)
    kept = ~np.isin(names.types, without)
    vectors, types = torch.from_numpy(names.vectors[kept]), torch.from_numpy(names.types[kept])
    allowed = np.ones(len(space.names), dtype=bool)
    allowed[list(without)] = False
    near = names.choices[kept] & allowed
    far = (space.parents != space.parents[names.types[kept]][:, None]) & allowed
    near_tensor, all_tensor = torch.from_numpy(near), torch.from_numpy(near | far)
    descriptions = torch.from_numpy(space.vectors)
    tower = TypingTower(space.vectors.shape[1])
    optimizer = torch.optim.AdamW(tower.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    for _ in range(recipe.epochs):
        for rows in torch.split(torch.randperm(len(types)), recipe.batch):
            scores = recipe.scale * tower(vectors[rows]) @ tower(descriptions).T
            loss = sum(
                nn.functional.cross_entropy(scores.masked_fill(~choices[rows], -1e4), types[rows])
                for choices in (near_tensor, all_tensor)
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[union-attr]
            optimizer.step()
    return BlendedTower(tower, recipe.blend).eval()


def measure(recipe: TypingRecipe, space: Space, train: Names, dev: Names, tower: BlendedTower) -> dict[str, Any]:
    """Accuracy, in per cent, on the dev names that have a choice: of the tower, of towers on types that they were not
    trained on, of the encoder alone, and of taking always the commonest."""
    described = [place for place, parent in enumerate(space.parents) if place != parent]
    random.Random(recipe.seed).shuffle(described)
    right = {kind: np.zeros(len(dev.types), dtype=bool) for kind in ("trained", "left out", "encoder", "commonest")}
    right["trained"] = _chosen(space, dev, tower) == dev.types
    right["encoder"] = np.where(dev.choices, dev.vectors @ space.vectors.T, -9.0).argmax(axis=1) == dev.types
    counts = np.zeros(len(space.names))
    for place, count in Counter(dev.types.tolist()).items():
        counts[place] = count
    right["commonest"] = np.where(dev.choices, counts, -1.0).argmax(axis=1) == dev.types
    for fold in range(FOLDS):
        without = described[fold::FOLDS]
        mine = np.isin(dev.types, without)
        right["left out"][mine] = (_chosen(space, dev, fit(recipe, space, train, without)) == dev.types)[mine]
    open_names = dev.choices.sum(axis=1) > 1
    subtyped = open_names & np.isin(dev.types, described)
    return {
        "names": int(open_names.sum()),
        "of subtypes": int(subtyped.sum()),
        "accuracy": {kind: _per_cent(found[open_names]) for kind, found in right.items() if kind != "left out"},
        "subtypes": {kind: _per_cent(found[subtyped]) for kind, found in right.items()},
        "by type": {
            space.names[place]: {
                "support": int((dev.types == place).sum()),
                "trained": _per_cent(right["trained"][dev.types == place]),
                **({"left out": _per_cent(right["left out"][dev.types == place])} if place in described else {}),
            }
            for place in sorted(set(dev.types[open_names].tolist()), key=lambda p: -counts[p])
        },
    }


def _chosen(space: Space, names: Names, tower: BlendedTower) -> np.ndarray:
    with torch.inference_mode():
        found, described = (tower(torch.from_numpy(v)).numpy() for v in (names.vectors, space.vectors))
    chosen: np.ndarray = np.where(names.choices, found @ described.T, -9.0).argmax(axis=1)
    return chosen


def _per_cent(right: np.ndarray) -> float:
    return round(100 * float(right.mean()), 1)
