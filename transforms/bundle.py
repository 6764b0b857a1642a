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
TYPING = BUNDLES / "typing"
MANIFEST = "manifest.json"
RELATIONS = "relations.onnx"
SCHEMA = "schema.yaml"


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

    @property
    def schema(self) -> Path | None:
        """The schema that the bundle brings, if it does: its types are not those of the default schema."""
        return self.path / SCHEMA if SCHEMA in self.content["files"] else None

    def get(self, field: str) -> Any:
        """A field that must be there.

        Raises:
            BundleError: it is not.
        """
        if field not in self.content:
            raise BundleError(f"{self.path / MANIFEST}: field {field!r} is missing; export the bundle again")
        return self.content[field]


def find_bundle(given: str | Path, beside: Path = Path()) -> Path:
    """A bundle's folder, given as such (from the folder `beside`) or as the name of one that ships."""
    return next((place for place in (beside / given, BUNDLES / given) if (place / MANIFEST).is_file()), Path(given))


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


#: Fused with the sum before it, a layer norm takes several times as long as the two one after the other.
_SLOWER_FUSIONS = ["SkipLayerNormFusion"]


def open_session(path: Path) -> ort.InferenceSession:
    """An ONNX Runtime session of one thread: callers run several side by side, which measured faster."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER_FUSIONS
    )


def check_task(manifest: Manifest, task: str = "structure") -> None:
    """Refuse a bundle that is not for a task.

    Raises:
        BundleError: it is for another task.
    """
    if manifest.task != task:
        raise BundleError(f"{manifest.path}: a bundle for {manifest.task!r}, not for {task!r}; give another")


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle of the task `structure`; safe to share between threads."""

    manifest: Manifest
    tokenizer: Tokenizer
    layers: tuple[CrfScores, ...]  # of the tagger's emissions, side by side; mentions of two layers may overlap
    tagger: ort.InferenceSession
    relations: ort.InferenceSession | None  # None in a bundle that only tags
    types: tuple[str, ...]
    relation_names: tuple[str, ...]
    thresholds: FloatArray  # [R] margin over the threshold class that a relation must pass
    window: int  # subtokens a window may have
    reach: int  # sentences that head and tail of a relation may be apart
    schema: Path | None  # the schema that the bundle was trained for, if it brings one


def load_bundle(path: str | Path | None = None) -> Bundle:
    """Verify and load a bundle, by its folder or the name of one that ships; the default one, without either.

    Raises:
        BundleError: see `verify`; or the bundle is for another task.
    """
    manifest = verify(find_bundle(path or DEFAULT_BUNDLE))
    check_task(manifest)
    names = tuple(manifest.get("relations"))
    thresholds = manifest.get("thresholds")
    return Bundle(
        manifest=manifest,
        tokenizer=load_tokenizer(str(manifest.path / "tokenizer.json")),
        layers=tuple(_layer(layer) for layer in manifest.get("layers")),
        tagger=open_session(manifest.path / "model.onnx"),
        relations=open_session(manifest.path / RELATIONS) if RELATIONS in manifest.get("files") else None,
        types=tuple(manifest.get("types")),
        relation_names=names,
        thresholds=np.array([thresholds[name] for name in names], dtype=np.float32),
        window=int(manifest.get("window")),
        reach=int(manifest.get("reach")),
        schema=manifest.schema,
    )


def _layer(content: Mapping[str, Any]) -> CrfScores:
    return CrfScores(
        tuple(content["labels"]),
        np.array(content["start"], dtype=np.float32),
        np.array(content["moves"], dtype=np.float32),
        bool(content.get("across", False)),
    )
