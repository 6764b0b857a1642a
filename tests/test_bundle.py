"""A bundle is refused unless every file is the one that was exported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from transforms.bundle import (
    BUNDLES,
    DEFAULT_BUNDLE,
    MANIFEST,
    SENTENCE_ENCODER,
    BundleError,
    find_bundle,
    load_bundle,
    verify,
)
from transforms.holding import SHIPPED, held, manifest_digest


def rewrite(folder: Path, **fields: object) -> None:
    path = folder / MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **fields}), encoding="utf-8")


def drop(folder: Path, field: str) -> None:
    path = folder / MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    del content[field]
    path.write_text(json.dumps(content), encoding="utf-8")


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: append(folder / "model.onnx"), r"model\.onnx: its SHA-256 is not the manifest's"),
        (lambda folder: (folder / "tokenizer.json").unlink(), r"tokenizer\.json: missing"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "not valid JSON"),
        (lambda folder: (folder / MANIFEST).unlink(), r"no manifest\.json"),
        (lambda folder: drop(folder, "files"), "field 'files' is missing"),
        (lambda folder: drop(folder, "thresholds"), "field 'thresholds' is missing"),
        (lambda folder: rewrite(folder, files={"../x": "0"}), "leaves the folder"),
    ],
)
def test_a_damaged_bundle_is_refused(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(DEFAULT_BUNDLE, folder)
    damage(folder)
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


def test_a_folder_of_the_same_name_does_not_hide_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / DEFAULT_BUNDLE.name
    own.mkdir()
    assert find_bundle(own.name) == DEFAULT_BUNDLE
    shutil.copy(DEFAULT_BUNDLE / MANIFEST, own)
    assert find_bundle(own.name).resolve() == own


def test_a_bundle_for_another_task_is_refused() -> None:
    with pytest.raises(BundleError, match="not for 'structure'"):
        load_bundle(SENTENCE_ENCODER)


def test_what_ships_is_small_and_names_its_data_and_licences() -> None:
    for folder in BUNDLES.iterdir():
        assert sum(path.stat().st_size for path in folder.iterdir()) < 30_000_000, folder
    manifest = verify(DEFAULT_BUNDLE)
    assert {"opset", "onnxruntime", "torch", "encoder", "command", "metrics", "licence"} <= manifest.content.keys()
    assert all(row["licence"] and row["source"] for row in manifest.get("data"))
    assert len(manifest.get("relations")) >= 20
    assert not any("benchmark" in json.dumps(row) for row in manifest.get("data"))


def test_the_bundle_that_ships_is_found_wherever_it_is_installed() -> None:
    wanted = manifest_digest(DEFAULT_BUNDLE)
    assert held(SHIPPED, wanted).manifest.path == DEFAULT_BUNDLE
    with pytest.raises(BundleError, match="replaced"):
        held(SHIPPED, "another")
