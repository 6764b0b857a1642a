"""An encoder that reads less from some layers on: first subtokens alone, then words that may be part of a mention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch", reason="the training extra is not installed: pip install -e '.[train]'")

from export_onnx.architectures.encoder import Encoder  # noqa: E402
from export_onnx.architectures.settling import LEAST, Settling, packed  # noqa: E402
from export_onnx.examples import LabelSpace  # noqa: E402
from export_onnx.export import export_tagger  # noqa: E402
from export_onnx.recipes import build, prepare  # noqa: E402
from export_onnx.starting import read_start, sizes_of  # noqa: E402
from export_onnx.training import Network  # noqa: E402
from tests.training_data import SMALL_ENCODER, write_training_data  # noqa: E402
from transforms.extracting import extract  # noqa: E402

IDS = torch.randint(1, 20, (2, 7), generator=torch.Generator().manual_seed(1))
MASK = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
STARTS = torch.tensor([[1, 3, 4, 5], [1, 2, 3, 0]])


def _encoder(**reading: int) -> Encoder:
    torch.manual_seed(1)
    return Encoder({**SMALL_ENCODER, **reading}, 3).eval()


def _words(encoder: Encoder, ids: Any = IDS) -> Any:
    with torch.no_grad():
        return encoder.word_states(ids, IDS % 3, MASK, STARTS)


def test_words_are_read_as_all_subtokens_are_where_nothing_is_left_out() -> None:
    encoder = _encoder()
    with torch.no_grad():
        every = encoder(IDS, IDS % 3, MASK)
    found = _words(encoder)
    assert torch.allclose(found.after[-1], every[torch.arange(2)[:, None], STARTS], atol=1e-6)
    assert found.doubt is None
    assert all(torch.equal(read, STARTS > 0) for read in found.read)


def test_from_the_layer_that_merges_on_only_first_subtokens_count() -> None:
    changed = IDS.clone()
    changed[0, 2] += 1  # inside of the first word
    for merge in range(1, 7):
        encoder = _encoder(merge=merge)
        one, other = _words(encoder), _words(encoder, changed)
        moved = [not torch.allclose(a[0], b[0], atol=1e-6) for a, b in zip(one.after, other.after, strict=True)]
        assert moved == [True] * 6  # the layer that merges still reads all
        # To be the same as without it, the layers behind would have to see no more than the words.
        whole = _words(_encoder())
        same = [torch.allclose(a[0], b[0], atol=1e-6) for a, b in zip(one.after, whole.after, strict=True)]
        assert same == [number <= merge for number in range(1, 7)]


def test_padding_changes_nothing_where_words_settle() -> None:
    encoder = _settled([0.5, -1.0, 1.0])
    both = _words(encoder)
    with torch.no_grad():
        alone = encoder.word_states(IDS[1:, :5], IDS[1:, :5] % 3, MASK[1:, :5], STARTS[1:, :3])
    for one, other in zip(alone.after, both.after, strict=True):
        assert torch.allclose(one[0], other[1, :3], atol=1e-5)


def _settled(weights: list[float]) -> Encoder:
    """An encoder in which it depends on the state who settles after the third layer."""
    encoder = _encoder(merge=2, settle=3)
    assert encoder.settling is not None
    with torch.no_grad():
        encoder.settling.doubt.weight[0, : len(weights)] = torch.tensor(weights)
    return encoder


def test_a_settled_word_keeps_its_state_and_is_still_attended_to() -> None:
    encoder = _settled([9.0, 9.0])
    with torch.no_grad():
        encoder.settling.doubt.bias.fill_(LEAST)
    found = _words(encoder)
    read, settled = found.read[-1], (STARTS > 0) & ~found.read[-1]
    assert torch.equal(read, (STARTS > 0) & (found.doubt > LEAST))
    assert settled.any()
    assert read.any()
    for layer, states in enumerate(found.after[3:], start=3):
        assert torch.equal(found.read[layer], read)
        assert torch.equal(states[settled], found.after[2][settled])
    # The fourth layer reads what it reads where nobody settles: settled words are among it.
    plain = _words(_encoder(merge=2))
    assert torch.allclose(found.after[3][read], plain.after[3][read], atol=1e-5)


def test_while_training_fewer_words_settle() -> None:
    settling, doubt = Settling(8), torch.tensor([[-6.0, -4.5, -3.0]])
    assert settling.train().may_go_on(doubt).tolist() == [[False, True, True]]
    assert settling.eval().may_go_on(doubt).tolist() == [[False, False, True]]


def test_untrained_every_word_is_read_on_for() -> None:
    found, real = _words(_encoder(merge=2, settle=3)), STARTS > 0
    assert all(torch.equal(read, real) for read in found.read)
    assert not torch.isclose(found.after[5][real], found.after[4][real]).all(1).any()


def test_what_is_chosen_is_packed_and_finds_its_window_again() -> None:
    chosen = torch.tensor([[False, True, False, True], [True, False, False, False]])
    found = packed(chosen)
    assert found.rows.tolist() == [[1, 3, 4]]
    assert found.slots.tolist() == [[0, 1], [2, 0]]
    assert found.places.tolist() == [[0, 1, 2]]
    assert packed(torch.zeros_like(chosen)).rows.tolist() == [[0]]


def test_the_exported_graph_settles_as_torch_does_whatever_it_reads(tmp_path: Path) -> None:
    torch.manual_seed(1)
    sizes = {**SMALL_ENCODER, "vocab_size": 1000, "max_position_embeddings": 64, "merge": 2, "settle": 3}
    network = Network(sizes, LabelSpace((("Person",),), ())).eval()
    settling = network.tagger.encoder.settling
    assert settling is not None
    with torch.no_grad():
        settling.doubt.weight.normal_(0, 3)
        settling.doubt.bias.fill_(LEAST)
    export_tagger(network, tmp_path / "model.onnx")  # which compares them on windows of two sizes
    ids = torch.randint(5, 1000, (3, 40))
    found = network.tagger.encoder.word_states(ids, ids % 3, torch.ones_like(ids), torch.arange(1, 26).repeat(3, 1))
    assert 0 < int(found.read[-1].sum()) < 75


def test_a_bundle_learns_which_words_settle_and_what_begins_from_it_settles_too(tmp_path: Path) -> None:
    data = write_training_data(tmp_path)
    config: dict[str, Any] = {"name": "mine", "version": 1, "epochs": 4, "warmup": 2}
    config["data"] = [{"name": "ours", "format": "conll", "train": "btc/b.conll", "repeat": 60}]
    path = data / "mine.yaml"
    reading = {"start": "enterprise-wide", "merge": 2, "settle": 3}
    path.write_text(yaml.safe_dump({**config, **reading}))
    bundle = build(path, None, tmp_path / "work", tmp_path / "bundle")
    first, *_, last = (json.loads(line) for line in (tmp_path / "work" / "curve.jsonl").read_text().splitlines())
    assert last["settling"] < first["settling"]
    (found,) = extract(["Ann Lee visited Rome. " * 12], bundle)
    assert len(found.resolved.analysis.mentions) == 24
    path.write_text(yaml.safe_dump({**config, "start": "bundle", "epochs": 1, "distil": 1.0}))
    again = read_start(build(path, None, tmp_path / "again", tmp_path / "other"))
    assert again[1].keys() == read_start(bundle)[1].keys()
    assert sizes_of(*again, 32).items() >= {"merge": 2, "settle": 3}.items()
    for more in ({"depth": 5}, {"merge": 6}):  # layers are others, or said to merge elsewhere
        path.write_text(yaml.safe_dump({**config, "start": "bundle", **more}))
        other = prepare(path, None).recipe
        assert (other.merge, other.settle) == (other.depth, None)
