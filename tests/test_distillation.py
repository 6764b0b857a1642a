"""Distillation: fewer layers that learn to have the states of more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch", reason="the training extra is not installed: pip install -e '.[train]'")

from export_onnx.architectures.encoder import Encoder, spread  # noqa: E402
from export_onnx.beginning import begin, make_network  # noqa: E402
from export_onnx.distillation import Teacher  # noqa: E402
from export_onnx.recipes import build, prepare  # noqa: E402
from export_onnx.starting import read_start  # noqa: E402
from tests.training_data import SMALL_ENCODER, write_training_data  # noqa: E402
from transforms.extracting import extract  # noqa: E402


def test_layers_are_taken_evenly_and_the_last_is_among_them() -> None:
    assert [spread(depth, 6) for depth in (1, 2, 3, 4, 6)] == [
        [5],
        [2, 5],
        [1, 3, 5],
        [0, 2, 3, 5],
        [0, 1, 2, 3, 4, 5],
    ]


def test_training_begins_with_the_layers_that_are_taken(tmp_path: Path) -> None:
    write_training_data(tmp_path)
    config = {"name": "mine", "version": 1, "start": "enterprise", "depth": 3}
    config["data"] = [{"name": "ours", "format": "conll", "train": "btc/b.conll"}]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(config))
    prepared = prepare(path, None)
    assert prepared.start is not None
    network = make_network(prepared.recipe, prepared.space)
    begin(network, prepared.recipe, prepared.start, [])
    for layer, theirs in zip(network.tagger.encoder.layers, (1, 3, 5), strict=True):
        wanted = prepared.start[1][f"tagger.encoder.layers.{theirs}.attention.query.weight"]
        assert torch.equal(layer.attention.query.weight, wanted)


def test_the_distance_is_that_of_real_subtokens_and_at_last_of_words_after_the_layers_taken() -> None:
    torch.manual_seed(1)
    encoder = Encoder(SMALL_ENCODER, 3).eval()
    ids, shapes = torch.randint(1, 20, (2, 7)), torch.randint(0, 3, (2, 7))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    inputs, words = (ids, shapes, mask, torch.tensor([[1, 3, 4], [1, 2, 0]])), torch.tensor([3, 2])
    with torch.no_grad():
        states = [encoder.states(*inputs)[layer].clone() for layer in (1, 3, 5)]
    teacher = Teacher(encoder, [1, 3, 5])
    assert teacher.distance(states, inputs, words) == 0
    states[0][1, 5] += 100.0  # padding
    states[2][1, 2] += 100.0  # the second window has no third word
    assert teacher.distance(states, inputs, words) == 0
    shifted = [state + 1.0 for state in states]
    real = [state[mask.bool()] for state in states[:2]] + [torch.cat([states[2][0], states[2][1, :2]])]
    wanted = sum(1.0 / state.var() for state in real) / 3
    assert teacher.distance(shifted, inputs, words).item() == pytest.approx(wanted.item(), rel=1e-4)
    with pytest.raises(ValueError, match="longer"):
        teacher.distance(states[:2], inputs, words)


def test_the_last_layer_reads_for_words_alone_what_it_reads_for_all() -> None:
    torch.manual_seed(1)
    encoder = Encoder(SMALL_ENCODER, 3).eval()
    ids, starts = torch.randint(1, 20, (2, 7)), torch.tensor([[1, 3, 4], [1, 2, 0]])
    *lower, words = encoder.states(ids, ids % 3, torch.ones_like(ids), starts)
    *whole, every = encoder.states(ids, ids % 3, torch.ones_like(ids))
    assert all(torch.equal(one, other) for one, other in zip(lower, whole, strict=True))
    assert words.shape == (2, 3, 8)
    assert torch.allclose(words, every[torch.arange(2)[:, None], starts], atol=1e-6)


def test_a_shallower_bundle_learns_from_the_one_it_begins_from(tmp_path: Path) -> None:
    data = write_training_data(tmp_path)
    config = {
        "name": "shallow",
        "version": 1,
        "start": "enterprise",
        "depth": 1,
        "distil": 10,
        "epochs": 2,
        "warmup": 2,
    }
    config["data"] = [{"name": "ours", "format": "conll", "train": "btc/b.conll", "repeat": 20}]
    path = data / "shallow.yaml"
    path.write_text(yaml.safe_dump(config))
    bundle = build(path, None, tmp_path / "work", tmp_path / "bundle")
    first, last = (json.loads(line) for line in (tmp_path / "work" / "curve.jsonl").read_text().splitlines())
    assert 0 < last["distance"] < first["distance"]
    learned, known = (read_start(place)[1] for place in (bundle, "enterprise"))
    assert {name for name in learned if ".layers." in name} == {name for name in known if ".layers.0." in name}
    (found,) = extract(["Ann Lee visited Rome."], bundle)
    assert {mention.text for mention in found.resolved.analysis.mentions} <= {"Ann Lee", "Rome"}
