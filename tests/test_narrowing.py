"""A narrower encoder: what does not vary goes without a trace, and a recipe's sizes are those of its bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch", reason="the training extra is not installed: pip install -e '.[train]'")

from export_onnx.architectures.encoder import Encoder  # noqa: E402
from export_onnx.beginning import encoder_config  # noqa: E402
from export_onnx.config import ConfigError  # noqa: E402
from export_onnx.narrowing import narrow  # noqa: E402
from export_onnx.recipes import build, prepare  # noqa: E402
from export_onnx.starting import read_start  # noqa: E402
from tests.training_data import SMALL_ENCODER, write_training_data  # noqa: E402
from transforms.extracting import extract  # noqa: E402

SMALL = {**SMALL_ENCODER, "num_attention_heads": 4, "head_size": 2, "num_hidden_layers": 2}


def _encoder() -> Encoder:
    torch.manual_seed(1)
    encoder = Encoder(SMALL, 3).eval()
    torch.nn.init.normal_(encoder.shapes.weight)
    return encoder


def test_heads_and_units_that_say_the_same_everywhere_go_without_a_trace() -> None:
    encoder = _encoder()
    still = torch.tensor([2, 5, 11])
    with torch.no_grad():
        for layer in encoder.layers:
            layer.attention.value.weight[2:4] = 0.0  # the second head
            layer.attention.value.bias[2:4] = 9.0
            layer.inner.weight[still] = 0.0
            layer.inner.bias[still] = 9.0
    ids = torch.randint(1, 20, (3, 7))
    inputs = (ids, ids % 3, torch.tensor([[1] * 7, [1] * 4 + [0] * 3, [1] * 5 + [0] * 2]))
    with torch.no_grad():
        wanted = encoder(*inputs)
        narrow(encoder, [inputs], heads=3, inner=13)
        found = encoder(*inputs)
    assert [tuple(layer.inner.weight.shape) for layer in encoder.layers] == [(13, 8)] * 2
    assert [tuple(layer.attention.query.weight.shape) for layer in encoder.layers] == [(6, 8)] * 2
    assert torch.allclose(found, wanted, atol=1e-4)


def test_what_varies_most_stays() -> None:
    encoder = _encoder()
    first = encoder.layers[0]
    with torch.no_grad():
        first.outer.weight[:, [3, 8]] *= 50.0
        kept = first.inner.weight[[3, 8]].clone()
    ids = torch.randint(1, 20, (3, 7))
    narrow(encoder, [(ids, ids % 3, torch.ones_like(ids))], heads=4, inner=2)
    assert torch.equal(first.inner.weight, kept)


def test_a_recipe_s_sizes_are_those_of_its_bundle(tmp_path: Path) -> None:
    data = write_training_data(tmp_path)
    config = {"name": "narrow", "version": 1, "start": "enterprise", "depth": 2, "heads": 3, "inner": 64, "epochs": 1}
    config["data"] = [{"name": "ours", "format": "conll", "train": "btc/b.conll"}]
    path = data / "narrow.yaml"
    path.write_text(yaml.safe_dump(config))
    bundle = build(path, None, tmp_path / "work", tmp_path / "bundle")
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 3, "head_size": 32, "intermediate_size": 64}
    assert encoder_config(read_start(bundle)).items() >= sizes.items()
    path.write_text(yaml.safe_dump({**config, "start": "bundle", "depth": None, "heads": None, "inner": 48}))
    again = prepare(path, None).recipe
    assert (again.depth, again.heads, again.inner) == (2, 3, 48)
    assert len(extract(["Ann Lee visited Rome."], bundle)) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"depth": 7}, "field 'depth': the encoder has 6 layers; take 1 to 6"),
        ({"depth": 0, "start": "enterprise"}, "field 'depth': the encoder has 6 layers; take 1 to 6"),
        ({"heads": 13}, "field 'heads': the encoder has 12 attention heads a layer; take 1 to 12"),
        ({"inner": 0}, "field 'inner': the encoder has 1536 feed-forward units a layer; take 1 to 1536"),
        ({"merge": 7}, "field 'merge': there are 6 layers; take one of 1 to 6"),
        ({"merge": 0}, "field 'merge': there are 6 layers; take one of 1 to 6"),
        ({"settle": 3}, r"field 'settle': 3 is not from 6 \(where subtokens are merged\) to 5"),
        ({"merge": 2, "settle": 1}, "field 'settle': 1 is not from 2"),
        ({"merge": 2, "settle": 6}, "field 'settle': 6 is not from 2"),
        ({"depth": 3, "distil": 1.0}, "field 'distil': there is no bundle to learn from; name one under 'start'"),
        ({"scramble": 0.5}, "field 'scramble': scrambled texts teach by 'distil' alone; set that too"),
        ({"start": "enterprise", "distil": 1.0, "scramble": 50}, "field 'scramble': 50.0 is no share of batches"),
    ],
)
def test_a_size_that_cannot_be_is_refused(more: dict[str, object], message: str, tmp_path: Path) -> None:
    write_training_data(tmp_path)
    config = {"name": "mine", "version": 1, "data": [{"name": "ours", "format": "conll", "train": "btc/b.conll"}]}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**config, **more}))
    with pytest.raises(ConfigError, match=message):
        prepare(path, None)
