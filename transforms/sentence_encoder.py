"""The sentence encoder: texts → unit vectors (Reimers & Gurevych 2019; all-MiniLM-L6-v2, mean pooling)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from transforms.bundle import SENTENCE_ENCODER, check_task, open_session, verify
from transforms.decoding import FloatArray
from transforms.features import load_tokenizer

RECTANGLE = 8


@dataclass(frozen=True)
class SentenceEncoder:
    """A loaded bundle of the task `sentence-encoder`; safe to share between threads."""

    tokenizer: Tokenizer
    session: ort.InferenceSession
    size: int  # of a vector

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """N texts → [N, D] unit vectors; a text is cut at the encoder's length."""
        encodings = self.tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda row: len(encodings[row].ids))
        vectors = np.zeros((len(texts), self.size), dtype=np.float32)
        for first in range(0, len(order), RECTANGLE):
            rows = order[first : first + RECTANGLE]
            length = max(len(encodings[row].ids) for row in rows)
            ids = np.zeros((len(rows), length), dtype=np.int64)
            mask = np.zeros_like(ids)
            for here, row in enumerate(rows):
                found = encodings[row].ids
                ids[here, : len(found)], mask[here, : len(found)] = found, 1
            (vectors[rows],) = self.session.run(None, {"ids": ids, "mask": mask})
        return vectors


def load_sentence_encoder(path: str | Path | None = None) -> SentenceEncoder:
    """Verify and load a sentence encoder; the one that ships, without a path.

    Raises:
        BundleError: see `bundle.verify`; or the bundle is for another task.
    """
    manifest = verify(path or SENTENCE_ENCODER)
    check_task(manifest, "sentence-encoder")
    tokenizer = load_tokenizer(str(manifest.path / "tokenizer.json"))
    tokenizer.enable_truncation(int(manifest.get("window")))
    return SentenceEncoder(tokenizer, open_session(manifest.path / "model.onnx"), int(manifest.get("size")))
