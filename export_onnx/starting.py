"""Begin from a bundle: its int8 graphs → the weights of a network, so that few examples of a new kind are enough.

What the published encoder lacks, a trained bundle has learned: letter shapes, where mentions begin and end, what a
relation is. The encoder and the body of the relation head are taken whole; of emissions, types and relations, the
rows of those that both know by the same name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from export_onnx.architectures.crf import bio_labels
from export_onnx.training import Network
from transforms.bundle import RELATIONS, Manifest, check_task, find_bundle, verify

#: Where a graph's parameters lie in a network.
_PREFIXES = {"model.onnx": "tagger.", RELATIONS: "relations."}
#: A bundle's manifest, and its weights by the names of `Network.state_dict`.
Start = tuple[Manifest, dict[str, Tensor]]
#: What the names of the encoder's weights begin with.
OWNER = "tagger.encoder."
_LAYER = re.compile(rf"{re.escape(OWNER)}layers\.(\d+)\.")


def read_start(bundle: str | Path) -> Start:
    """Read a bundle to begin from.

    Args:
        bundle: its folder, or the name of one that ships.

    Raises:
        BundleError: it cannot be used, or is no tagger.
    """
    manifest = verify(find_bundle(bundle))
    check_task(manifest)
    weights = {
        prefix + name: torch.from_numpy(values.astype(np.float32))
        for file, prefix in _PREFIXES.items()
        if file in manifest.get("files")
        for name, values in _parameters(onnx.load(str(manifest.path / file))).items()
    }
    return manifest, weights


def sizes_of(manifest: Manifest, weights: dict[str, Tensor], head: int) -> dict[str, int | None]:
    """The sizes of the encoder, whose attention heads are `head` wide, by their names in BERT's configs.

    And the layers after which it reads less (`merge`, `settle`), of which the weights say nothing.
    """
    first = f"{OWNER}layers.0."
    return {
        "num_hidden_layers": 1 + max(int(found[1]) for found in map(_LAYER.match, weights) if found),
        "num_attention_heads": len(weights[f"{first}attention.query.weight"]) // head,
        "intermediate_size": len(weights[f"{first}inner.weight"]),
        **{name: manifest.get("recipe").get(name) for name in ("merge", "settle")},
    }


def start_from(network: Network, manifest: Manifest, weights: dict[str, Tensor]) -> None:
    """Give a network the weights of a bundle, as far as both tell the same apart; the rest stays as it is."""
    own = network.state_dict()
    rows = _shared_rows(network, manifest)
    for name in own.keys() & weights.keys():
        if "settling" in name:
            continue  # `begin` says why
        if name in rows:
            for ours, theirs in rows[name]:
                own[name][ours] = weights[name][theirs]
        elif own[name].shape == weights[name].shape:
            own[name] = weights[name]
    network.load_state_dict(own)


def _shared_rows(network: Network, manifest: Manifest) -> dict[str, list[tuple[int, int]]]:
    """By parameter: (row here, row there) of what has the same name in both."""
    space = network.space
    labels = _shared(
        _columns([bio_labels(layer) for layer in space.layers]),
        _columns([layer["labels"] for layer in manifest.get("layers")]),
    )
    types = _shared(space.types, manifest.get("types"))
    # Logit 0 is the threshold.
    relations = _shared(["", *space.relations], ["", *manifest.get("relations")])
    return {
        "tagger.emission.weight": labels,
        "tagger.emission.bias": labels,
        "relations.types.weight": types,
        "relations.scores.weight": relations,
        "relations.scores.bias": relations,
    }


def _columns(layers: Sequence[Sequence[str]]) -> list[str]:
    """The labels of all layers side by side; each layer has an O of its own."""
    return [f"O {place}" if label == "O" else label for place, layer in enumerate(layers) for label in layer]


def _shared(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    places = {name: place for place, name in enumerate(theirs)}
    return [(place, places[name]) for place, name in enumerate(ours) if name in places]


def _parameters(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """A graph's parameters by their PyTorch names, in full precision.

    The exporter keeps the names of all but the matrices, which it transposes; the nodes that multiply by them say
    whose they are.
    """
    raw = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    named = {name: name for name in raw if not name.startswith(("/", "onnx::"))}
    named |= {name.removesuffix("_quantized"): name for name in named if name.endswith("_quantized")}
    found = {name: _dequantized(raw, source) for name, source in named.items() if _is_whole(name)}
    for node in model.graph.node:
        if node.op_type in ("MatMul", "MatMulInteger") and node.input[1] in raw:
            owner = node.name.strip("/").removesuffix("_quant").removesuffix("/MatMul").replace("/", ".")
            found[f"{owner}.weight"] = _dequantized(raw, node.input[1]).T
    return found


def _is_whole(name: str) -> bool:
    return not name.endswith(("_quantized", "_scale", "_zero_point"))


def _dequantized(raw: dict[str, np.ndarray], name: str) -> np.ndarray:
    base = name.removesuffix("_quantized")
    if base == name:
        return raw[name]
    # Scales are of columns, or of the whole.
    whole = raw[name].astype(np.float32) - raw[f"{base}_zero_point"].astype(np.float32)
    return np.asarray(whole * raw[f"{base}_scale"])
