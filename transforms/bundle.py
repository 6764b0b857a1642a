"""A model bundle: a folder with ONNX graphs, a tokenizer and a manifest that vouches for both.

`verify` checks every file against the manifest before anything is loaded; nothing in a bundle is pickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from transforms.decoding import CrfScores, FloatArray
from transforms.features import load_tokenizer

BUNDLES = Path(__file__).parent / "bundles"
DEFAULT_BUNDLE = BUNDLES / "enterprise"
SENTENCE_ENCODER = BUNDLES / "sentence-encoder"
MANIFEST = "manifest.json"


class BundleError(ValueError):
    """A bundle that cannot be used: names the file, the field and the remedy."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself (`manifest.json`)."""

    path: Path
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The bundle's name."""
        return str(self.content["name"])

    @property
    def model(self) -> str:
        """name@version, as every piece of evidence cites it."""
        return f"{self.name}@{self.content['version']}"

    @property
    def task(self) -> str:
        """`structure` (tagger and relations) or `sentence-encoder`."""
        return str(self.content["task"])

    def get(self, field: str) -> Any:
        """A field that must be there.

        Raises:
            BundleError: it is not.
        """
        if field not in self.content:
            raise BundleError(f"{self.path / MANIFEST}: field {field!r} is missing; export the bundle again")
        return self.content[field]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: str | Path) -> Manifest:
    """Read a bundle's manifest and check each of its files.

    Raises:
        BundleError: the manifest is missing or broken, or a file is missing or is not the one that was exported.
    """
    path = Path(path)
    try:
        content = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"{path}: no {MANIFEST} can be read there; give the folder of a model bundle") from error
    except ValueError as error:
        raise BundleError(f"{path / MANIFEST}: not valid JSON ({error}); export the bundle again") from error
    manifest = Manifest(path, content)
    for field in ("name", "version", "task", "files", "opset"):
        manifest.get(field)
    for name, expected in manifest.get("files").items():
        if Path(name).name != name:
            raise BundleError(f"{path / MANIFEST}: field 'files': {name!r} leaves the folder; export the bundle again")
        if not (path / name).is_file():
            raise BundleError(f"{path / name}: missing, though the manifest lists it; copy the whole bundle")
        if digest(path / name) != expected:
            raise BundleError(f"{path / name}: its SHA-256 is not the manifest's; copy or export the bundle again")
    return manifest


def open_session(path: Path) -> ort.InferenceSession:
    """An ONNX Runtime session of one thread: callers run several side by side, which measured faster."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def check_task(manifest: Manifest) -> None:
    """Refuse a bundle that cannot structure documents.

    Raises:
        BundleError: it is for another task.
    """
    if manifest.task != "structure":
        raise BundleError(f"{manifest.path}: a bundle for {manifest.task!r}, not for 'structure'; give another")


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle of the task `structure`; safe to share between threads."""

    manifest: Manifest
    tokenizer: Tokenizer
    crf: CrfScores
    tagger: ort.InferenceSession
    relations: ort.InferenceSession
    types: tuple[str, ...]
    relation_names: tuple[str, ...]
    thresholds: FloatArray  # [R] margin over the threshold class that a relation must pass
    window: int  # subtokens a window may have


def load_bundle(path: str | Path | None = None) -> Bundle:
    """Verify and load a bundle; the one that ships, without a path.

    Raises:
        BundleError: see `verify`; or the bundle is for another task.
    """
    manifest = verify(path or DEFAULT_BUNDLE)
    check_task(manifest)
    names = tuple(manifest.get("relations"))
    thresholds = manifest.get("thresholds")
    crf = manifest.get("crf")
    return Bundle(
        manifest=manifest,
        tokenizer=load_tokenizer(str(manifest.path / "tokenizer.json")),
        crf=CrfScores(
            tuple(manifest.get("labels")),
            np.array(crf["start"], dtype=np.float32),
            np.array(crf["moves"], dtype=np.float32),
        ),
        tagger=open_session(manifest.path / "model.onnx"),
        relations=open_session(manifest.path / "relations.onnx"),
        types=tuple(manifest.get("types")),
        relation_names=names,
        thresholds=np.array([thresholds[name] for name in names], dtype=np.float32),
        window=int(manifest.get("window")),
    )
