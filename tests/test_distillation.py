"""Distillation: fewer layers that learn to have the states of more."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch", reason="the training extra is not installed: pip install -e '.[train]'")

from export_onnx.architectures.encoder import Encoder, WordStates, spread  # noqa: E402
from export_onnx.beginning import begin, make_network, make_teacher  # noqa: E402
from export_onnx.distillation import CONTINUED, Scrambler, Teacher  # noqa: E402
from export_onnx.examples import Example  # noqa: E402
from export_onnx.recipes import build, prepare  # noqa: E402
from export_onnx.starting import read_start  # noqa: E402
from export_onnx.training import train  # noqa: E402
from export_onnx.windows import collate  # noqa: E402
from tests.training_data import SMALL_ENCODER, write_training_data  # noqa: E402
from transforms.bundle import load_bundle  # noqa: E402
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


def test_the_distance_is_that_of_the_words_a_layer_read() -> None:
    torch.manual_seed(1)
    encoder = Encoder(SMALL_ENCODER, 3).eval()
    ids, shapes = torch.randint(1, 20, (2, 7)), torch.randint(0, 3, (2, 7))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    inputs = (ids, shapes, mask, torch.tensor([[1, 3, 4], [1, 2, 0]]))
    with torch.no_grad():
        whole = encoder.word_states(*inputs)
    taken = WordStates(
        [whole.after[layer].clone() for layer in (1, 3, 5)], [whole.read[0].clone() for _ in range(3)], None
    )
    teacher = Teacher(encoder, [1, 3, 5])
    assert teacher.distance(taken, inputs) == 0
    taken.after[2][1, 2] += 100.0  # the second window has no third word
    taken.read[2][0, 1] = False
    taken.after[2][0, 1] += 100.0  # has settled
    assert teacher.distance(taken, inputs) == 0
    wanted = sum(1.0 / state[read].var() for state, read in zip(taken.after, taken.read, strict=True)) / 3
    shifted = WordStates([state + 1.0 for state in taken.after], taken.read, None)
    assert teacher.distance(shifted, inputs).item() == pytest.approx(wanted.item(), rel=1e-4)
    with pytest.raises(ValueError, match="shorter"):
        teacher.distance(WordStates(taken.after[:2], taken.read[:2], None), inputs)


def test_words_are_replaced_by_words_and_all_else_stays() -> None:
    tokenizer = load_bundle("enterprise").tokenizer
    row = tokenizer.encode("Raghunathan & Lee paid 1250 to a Wroclaw bank.").ids
    inputs = (torch.tensor([row] * 200), *(torch.rand(200, len(row)) for _ in range(3)))
    torch.manual_seed(1)
    ids, *others = Scrambler(tokenizer.get_vocab())(inputs)
    assert all(one is other for one, other in zip(others, inputs[1:], strict=True))
    changed = ids != inputs[0]
    for place, token in enumerate(map(tokenizer.id_to_token, row)):
        text = token.removeprefix(CONTINUED)
        assert changed[:, place].any() == (text.isalpha() and len(text) > 1), token
        for other in map(tokenizer.id_to_token, ids[:, place].tolist()):
            assert other.startswith(CONTINUED) == token.startswith(CONTINUED)
    shares = changed.float().mean(1)
    assert shares.min() == 0
    assert shares.max() > 0.5


def test_scrambled_texts_teach_what_the_training_texts_lack(tmp_path: Path) -> None:
    plain, scrambled = (_distance_elsewhere(tmp_path / str(scramble), scramble) for scramble in (0.0, 0.5))
    assert scrambled < 0.9 * plain


def _distance_elsewhere(folder: Path, scramble: float) -> float:
    """How far a student of one layer is from its teacher in sentences unlike those it learned from."""
    prepared = prepare(_config(folder, repeat=8, scramble=scramble, epochs=20, warmup=2), None)
    network = make_network(prepared.recipe, prepared.space)
    windows = prepared.training_windows()
    begin(network, prepared.recipe, prepared.start, windows)
    teacher = make_teacher(prepared.recipe, prepared.start)
    assert teacher is not None
    list(train(prepared.recipe, network, windows, folder, teacher, Scrambler(prepared.tokenizer.get_vocab())))
    other = prepared.windows("other", Example("Turbines of the northern plant were sold below their value in spring."))
    inputs = collate(other, prepared.space, random.Random(1)).inputs
    with torch.no_grad():
        return float(teacher.distance(network.eval().tagger.encoder.word_states(*inputs), inputs))


def _config(folder: Path, repeat: int, **more: float) -> Path:
    """A recipe for a student of one layer, beside its data."""
    write_training_data(folder)
    config: dict[str, object] = {"name": "mine", "version": 1, "start": "enterprise", "depth": 1, "distil": 10, **more}
    config["data"] = [{"name": "ours", "format": "conll", "train": "btc/b.conll", "repeat": repeat}]
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_shallower_bundle_learns_from_the_one_it_begins_from(tmp_path: Path) -> None:
    path = _config(tmp_path, repeat=20, epochs=4, warmup=2)
    bundle = build(path, None, tmp_path / "work", tmp_path / "bundle")
    first, *_, last = (json.loads(line) for line in (tmp_path / "work" / "curve.jsonl").read_text().splitlines())
    assert 0 < last["distance"] < first["distance"]
    learned, known = (read_start(place)[1] for place in (bundle, "enterprise"))
    assert {name for name in learned if ".layers." in name} == {name for name in known if ".layers.0." in name}
    (found,) = extract(["Ann Lee visited Rome."], bundle)
    assert {mention.text for mention in found.resolved.analysis.mentions} <= {"Ann Lee", "Rome"}
