"""Rounding: a network that trains reads as its int8 graph will."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch", reason="the training extra is not installed: pip install -e '.[train]'")

from export_onnx.architectures.rounding import Linear, round_in_training  # noqa: E402
from export_onnx.beginning import make_network  # noqa: E402
from export_onnx.examples import LabelSpace  # noqa: E402
from export_onnx.export import export_tagger, quantize  # noqa: E402
from export_onnx.recipes import prepare  # noqa: E402
from export_onnx.training import Network  # noqa: E402
from tests.training_data import SMALL_ENCODER, write_training_data  # noqa: E402
from transforms.bundle import open_session  # noqa: E402


@pytest.mark.parametrize("bits", [7, 8])
def test_a_training_network_reads_as_its_int8_graph_does(tmp_path: Path, bits: int) -> None:
    torch.manual_seed(1)
    sizes = {**SMALL_ENCODER, "hidden_size": 64, "vocab_size": 1000, "max_position_embeddings": 64}
    # A value between two steps may go either way, and what comes of it grows from layer to layer: so one.
    sizes |= {"num_hidden_layers": 1, "hidden_dropout_prob": 0.0}
    network = Network(sizes, LabelSpace((("Person", "Place"),), ())).eval()
    network.tagger.dropout.p = 0.0
    for weights in network.tagger.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    export_tagger(network, tmp_path / "fp32.onnx")
    quantize(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", reduce_range=bits == 7)
    ids = torch.randint(5, 1000, (4, 30))
    inputs = (ids, ids % 3, torch.ones_like(ids), torch.arange(1, 26).repeat(4, 1))
    feed = {n: x.numpy() for n, x in zip(("ids", "shapes", "mask", "starts"), inputs, strict=True)}
    found = torch.from_numpy(open_session(tmp_path / "int8.onnx").run(None, feed)[0])
    round_in_training(network, bits)
    with torch.no_grad():
        plain, rounded = network.tagger(*inputs)[0], network.train().tagger(*inputs)[0]
    assert (rounded - found).abs().median() < 0.3 * (plain - found).abs().median()


def test_gradients_pass_where_values_are_rounded() -> None:
    torch.manual_seed(1)
    network = Network(SMALL_ENCODER, LabelSpace((("Person",),), ())).train()
    round_in_training(network, 8)
    ids = torch.randint(1, 20, (2, 7))
    emissions, _ = network.tagger(ids, ids % 3, torch.ones_like(ids), torch.tensor([[1, 3], [2, 4]]))
    emissions.square().sum().backward()
    for name, weights in network.tagger.named_parameters():
        assert weights.grad is not None, name
        assert name.endswith("key.bias") or weights.grad.abs().sum() > 0, name  # softmax takes no note of a key's bias


@pytest.mark.parametrize(
    ("more", "bits"), [({}, None), ({"rounded": True}, 8), ({"rounded": True, "reduce_range": True}, 7)]
)
def test_a_config_says_whether_and_by_how_many_bits(tmp_path: Path, more: dict[str, bool], bits: int | None) -> None:
    write_training_data(tmp_path)
    config = {
        "name": "mine",
        "version": 1,
        "data": [{"name": "ours", "format": "conll", "train": "btc/b.conll"}],
        **more,
    }
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(config))
    prepared = prepare(path, None)
    layers = make_network(prepared.recipe, prepared.space).tagger.modules()
    assert {layer.bits for layer in layers if isinstance(layer, Linear)} == {bits}
