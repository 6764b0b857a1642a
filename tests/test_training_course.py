"""The course of a training: what it begins anew, takes up, keeps and makes the mean of."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch", reason="the training extra is not installed: pip install -e '.[train]'")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from export_onnx.beginning import make_network  # noqa: E402
from export_onnx.config import ConfigError, Recipe  # noqa: E402
from export_onnx.recipes import build, export, prepare  # noqa: E402
from export_onnx.training import Network, train  # noqa: E402
from export_onnx.windows import TrainingWindow  # noqa: E402
from transforms.bundle import BUNDLES, load_bundle, verify  # noqa: E402


def write_two_names(folder: Path, *labels: str) -> Path:
    """Twenty texts with two mentions of these labels, and the config that trains on them: one layer, one epoch."""
    ends = [{"start": start, "end": start + 3, "label": label} for start, label in zip((0, 8), labels, strict=True)]
    (folder / "train.jsonl").write_text(f"{json.dumps({'text': 'Ann and Bob left.', 'entities': ends})}\n" * 20)
    sets = [{"name": "ours", "format": "jsonl", "train": "train.jsonl"}]
    config = folder / "mine.yaml"
    config.write_text(yaml.safe_dump({"name": "mine", "version": 1, "epochs": 1, "depth": 1, "data": sets}))
    return config


@pytest.mark.parametrize("option", ["--target", "--work"])
def test_where_nothing_can_be_written_is_said_before_training(option: str, tmp_path: Path) -> None:
    config = write_two_names(tmp_path, "Person", "Firm")
    places = {"--target": tmp_path / "bundle", "--work": tmp_path / "work"} | {option: config}
    with pytest.raises(ConfigError, match=rf"^{option} {config}: .* \(File exists\); name a folder$"):
        build(config, None, places["--work"], places["--target"])
    assert not (tmp_path / "work").exists()


def test_corrected_data_are_trained_on_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, labels in enumerate(
        (
            ("Person", "Person"),
            ("Person", "Firm"),
            ("Firm", "Person"),
            ("Firm", "Human"),
        )  # one more, corrected, renamed
    ):
        bundle = build(write_two_names(tmp_path, *labels), None, tmp_path / "work", tmp_path / "bundle")
        said = capsys.readouterr().err
        assert ("of another recipe, data or start; training begins anew" in said) == (number > 0)
        assert "epoch 1/1" in said
        assert set(load_bundle(bundle).types) == set(labels)


def untrained(config: Path) -> tuple[Recipe, Network, list[TrainingWindow]]:
    prepared = prepare(config, None)
    return prepared.recipe, make_network(prepared.recipe, prepared.space), prepared.training_windows()


def test_the_mean_of_several_trainings_is_exported(tmp_path: Path) -> None:
    config = write_two_names(tmp_path, "Person", "Firm")
    work, target = tmp_path / "work", tmp_path / "bundle"
    build(config, None, work, target)
    first = (work / "checkpoint.pt").stat().st_mtime_ns
    config.write_text(f"{config.read_text(encoding='utf-8')}runs: 2\n")
    with pytest.raises(ConfigError, match=r"work/run-2: no checkpoint there; run `train` first"):
        export(config, None, work, target)
    build(config, None, work, target)
    assert (work / "checkpoint.pt").stat().st_mtime_ns == first  # one run more adds to what is there
    emissions = [
        torch.load(place / "checkpoint.pt", weights_only=True)["network"]["tagger.emission.weight"]
        for place in (work, work / "run-2")
    ]
    assert not torch.equal(*emissions)
    model = onnx.load(str(work / "fp32" / "model.onnx"))
    arrays = [numpy_helper.to_array(array) for array in model.graph.initializer]
    wanted = (emissions[0] + emissions[1]).numpy() / 2
    assert any(array.T.shape == wanted.shape and np.allclose(array.T, wanted, atol=1e-6) for array in arrays)
    curves = [json.loads((place / "curve.jsonl").read_text()) for place in (work, work / "run-2")]
    (row,) = load_bundle(target).manifest.content["curve"]
    assert row["tagging"] == pytest.approx(sum(curve["tagging"] for curve in curves) / 2)


def test_several_trainings_begin_alike(tmp_path: Path) -> None:
    config = write_two_names(tmp_path, "Person", "Firm")
    config.write_text(f"{config.read_text(encoding='utf-8')}runs: 2\nencoder_rate: 1.0e-9\nhead_rate: 1.0e-9\n")
    build(config, None, tmp_path / "work", tmp_path / "bundle")
    first, second = (
        torch.load(place / "checkpoint.pt", weights_only=True)["network"]
        for place in (tmp_path / "work", tmp_path / "work" / "run-2")
    )
    assert all(torch.allclose(values, second[name], atol=1e-6) for name, values in first.items())


def test_another_bundle_to_start_from_is_trained_from_anew(tmp_path: Path) -> None:
    given = untrained(write_two_names(tmp_path, "Person", "Firm"))
    starts = [verify(BUNDLES / name) for name in ("enterprise", "enterprise", "medical-events")]
    assert [len(list(train(*given, tmp_path, start=start))) for start in starts] == [1, 0, 1]


def test_an_epoch_is_kept_after_its_losses_are(tmp_path: Path) -> None:
    epochs = train(*untrained(write_two_names(tmp_path, "Person", "Firm")), tmp_path)
    next(epochs)
    assert not (tmp_path / "checkpoint.pt").exists()
    assert list(epochs) == []
    assert (tmp_path / "checkpoint.pt").exists()


def test_products_of_16_bits_teach_nearly_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_two_names(tmp_path, "Person", "Firm")
    trained = []
    for name, more, able in (("whole", "", True), ("without", "bfloat16: true\n", False), ("short", "", True)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: {"avx512_bf16": able})
        config.write_text(f"{config.read_text(encoding='utf-8')}{more}")
        (tmp_path / name).mkdir()
        torch.manual_seed(1)
        given = untrained(config)
        list(train(*given, tmp_path / name))
        assert ("no instructions for it; trained in fp32" in capsys.readouterr().err) == (name == "without")
        weights = given[1].state_dict()
        assert all(values.dtype == torch.float32 for values in weights.values())
        trained.append(torch.cat([values.flatten() for values in weights.values()]))
    whole, without, short = trained
    assert torch.equal(whole, without)
    assert 0 < (short - whole).abs().max() < 1e-2


def test_each_epoch_cuts_texts_into_windows_elsewhere(tmp_path: Path) -> None:
    lines = [f"Ann{n}\tB-Person\nleft\tO\nBob{n}\tB-Person\n.\tO\n" for n in range(40)]
    (tmp_path / "train.conll").write_text("\n".join(lines), encoding="utf-8")
    source = {"name": "ours", "format": "conll", "documents": True, "train": "train.conll", "dev": "train.conll"}
    config = tmp_path / "mine.yaml"
    config.write_text(yaml.safe_dump({"name": "mine", "version": 1, "window": 40, "data": [source]}))
    prepared = prepare(config, None)
    chooser = random.Random(1)
    epochs = [prepared.training_windows(), *(prepared.training_windows(chooser) for _ in range(2))]
    assert len({tuple(len(window.tokens) for window in epoch) for epoch in epochs}) == 3
    for epoch in epochs:
        assert max(len(window.tokens) for window in epoch) <= 40
        spans = [window.text[span.start : span.end] for window in epoch for span in window.spans]
        assert spans == [f"{name}{n}" for n in range(40) for name in ("Ann", "Bob")]
        for window in epoch:
            labels = window.allowed.argmax(1).tolist()
            words = [window.text[first:last] for first, last in window.tokens.spans.tolist()]
            assert [word[:3] for word, label in zip(words, labels, strict=True) if label] == ["Ann", "Bob"] * (
                len(words) // 4
            )


def test_a_recipe_says_whether_windows_are_cut_anew(tmp_path: Path) -> None:
    config = write_two_names(tmp_path, "Person", "Firm")
    cuts = list[random.Random]()
    for anew in (False, True):
        recipe, network, windows = untrained(config)
        recipe = replace(recipe, epochs=2, recut=anew)

        def recut(chooser: random.Random, windows: list[TrainingWindow] = windows) -> list[TrainingWindow]:
            cuts.append(chooser)
            return windows

        list(train(recipe, network, windows, tmp_path, recut=recut))
        assert len(cuts) == 2 * anew
