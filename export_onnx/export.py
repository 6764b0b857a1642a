"""From trained weights to a bundle: ONNX graphs, int8, and the check that they still say what torch says."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.preprocess import quant_pre_process
from torch import Tensor, nn

from export_onnx.architectures.encoder import Encoder
from export_onnx.architectures.relation_head import RelationHead
from export_onnx.architectures.typing_tower import BlendedTower
from export_onnx.config import ConfigError, Source
from export_onnx.examples import Example
from export_onnx.training import Network
from transforms.bundle import MANIFEST, digest, open_session

OPSET = 18
#: Largest difference between an fp32 graph's outputs and torch's that counts as the same.
TOLERANCE = 1e-3


class ParityError(RuntimeError):
    """An exported graph that does not say what torch says."""


def export_tagger(network: Network, path: Path) -> None:
    """`model.onnx`, fp32: ids, shapes, mask [B, T], starts [B, W] → emissions [B, W, L], states [B, W, H]."""
    tagger = network.tagger.eval()
    tokens, words = {0: "B", 1: "T"}, {0: "B", 1: "W"}
    names = {"ids": tokens, "shapes": tokens, "mask": tokens, "starts": words, "emissions": words, "states": words}
    # How many words are read on for depends on them: what is traced with some has to hold with others.
    known = tagger.encoder.words.num_embeddings
    samples = [_windows(known, 2, 12, 9), _windows(known, 3, 40, 25)]
    _export(tagger, samples, path, ["ids", "shapes", "mask", "starts"], ["emissions", "states"], names)


def _windows(known: int, count: int, subtokens: int, words: int) -> tuple[Tensor, ...]:
    """ids below `known`, shapes, mask [B, T], starts [B, W]; the last window is half as long as the others."""
    ids = torch.randint(5, known, (count, subtokens))
    mask, starts = torch.ones_like(ids), torch.arange(1, words + 1).repeat(count, 1)
    mask[-1, subtokens // 2 :] = 0
    starts[-1, words // 2 :] = 0
    return ids, torch.ones_like(ids), mask, starts


def export_relations(head: RelationHead, path: Path) -> None:
    """`relations.onnx`, fp32: see `RelationHead.forward`."""
    head = head.eval()
    states = torch.randn(2, 9, head.key.in_features)
    mentions = torch.tensor([[[0, 2], [3, 4], [5, 9]]] * 2)
    inputs = (
        states,
        torch.tensor([9, 7]),
        mentions,
        torch.zeros(2, 3, dtype=torch.long),
        torch.tensor([[[0, 1]] * 4] * 2),
    )
    names = {
        "states": {0: "B", 1: "W"},
        "words": {0: "B"},
        "mentions": {0: "B", 1: "M"},
        "types": {0: "B", 1: "M"},
        "pairs": {0: "B", 1: "P"},
        "logits": {0: "B", 1: "P"},
    }
    _export(head, [inputs], path, ["states", "words", "mentions", "types", "pairs"], ["logits"], names)


class SentenceEncoderGraph(nn.Module):
    """Mean-pooled, normalised sentence vectors: ids, mask [B, T] → [B, H]."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Encode."""
        hidden = self.encoder(ids, torch.zeros_like(ids), mask)
        weights = mask[:, :, None].to(hidden.dtype)
        pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        return nn.functional.normalize(pooled, dim=-1)


def export_tower(tower: BlendedTower, size: int, path: Path) -> None:
    """`model.onnx` of the task typing, fp32: vectors [N, D] → typed [N, 2 D]. It is too small for int8 to matter."""
    names = {"vectors": {0: "N"}, "typed": {0: "N"}}
    _export(tower.eval(), [(torch.randn(3, size),)], path, ["vectors"], ["typed"], names)


def export_sentence_encoder(encoder: Encoder, path: Path) -> None:
    """`model.onnx` of the task sentence-encoder, fp32."""
    ids = torch.randint(5, 1000, (2, 12))
    tokens = {0: "B", 1: "T"}
    names = {"ids": tokens, "mask": tokens, "vectors": {0: "B"}}
    graph = SentenceEncoderGraph(encoder).eval()
    _export(graph, [(ids, torch.ones_like(ids))], path, ["ids", "mask"], ["vectors"], names)


def _export(
    module: nn.Module,
    samples: Sequence[tuple[Tensor, ...]],
    path: Path,
    input_names: list[str],
    output_names: list[str],
    axes: Mapping[str, Mapping[int, str]],
) -> None:
    """Trace the module with the first of the samples; what it exports to has to give the same for all of them."""
    torch.onnx.export(
        module,
        samples[0],
        str(path),
        input_names=input_names,
        output_names=output_names,
        dynamic_axes={name: dict(axis) for name, axis in axes.items()},
        opset_version=OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(str(path))
    for inputs in samples:
        _check_parity(module, inputs, path, input_names)


def _check_parity(module: nn.Module, inputs: tuple[Tensor, ...], path: Path, names: list[str]) -> None:
    with torch.inference_mode():
        expected = module(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    found = open_session(path).run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})
    for wanted, got in zip(expected, found, strict=True):
        difference = float(np.abs(wanted.numpy() - got).max())
        if not difference <= TOLERANCE:
            raise ParityError(f"{path.name}: differs from torch by {difference:.2g}, more than {TOLERANCE}")


def quantize(source: Path, target: Path, reduce_range: bool = False) -> None:
    """Dynamic int8, per channel (7 bits with `reduce_range`); graph optimizations that change shapes first."""
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    settling = [node.name for node in onnx.load(str(prepared)).graph.node if "/settling/" in node.name]
    quantize_dynamic(
        str(prepared),
        str(target),
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=reduce_range,
        nodes_to_exclude=settling,  # it decides: rounding, by the scale of the whole batch, would decide with it
    )
    prepared.unlink()


def provenance(
    step: str, config: Path, parts: Iterable[tuple[Source, Sequence[Example], Sequence[Example]]]
) -> dict[str, Any]:
    """What a manifest says of where a bundle comes from: the command, and each set with its train and dev texts."""
    return {
        "command": f"python -m export_onnx {step} {config.name if config.is_absolute() else config}",
        "data": [
            {"name": s.name, "source": s.source, "licence": s.licence, "train": len(train), "dev": len(dev)}
            for s, train, dev in parts
        ],
    }


def make_folder(folder: Path, option: str) -> Path:
    """Make a folder that is written later, before the work that would be lost; the folder. `option` named it.

    Raises:
        ConfigError: it is a file, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigError(
            f"{option} {folder}: nothing can be written there ({error.strerror}); name a folder"
        ) from error
    return folder


def write_bundle(folder: Path, files: Sequence[str], manifest: Mapping[str, Any]) -> None:
    """Write the manifest that vouches for the files of a bundle's folder."""
    content = {
        **manifest,
        "opset": OPSET,
        "onnxruntime": ort.__version__,
        "torch": torch.__version__.split("+")[0],
        "files": {name: digest(folder / name) for name in files},
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
