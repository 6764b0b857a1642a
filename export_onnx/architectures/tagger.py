"""The tagger: encoder, first-subtoken pooling, linear emissions [B, W, L] over the labels of all layers.

Its label sequences are scored by `crf`, one a layer of labels.
"""

from __future__ import annotations

from torch import Tensor, nn

from export_onnx.architectures.encoder import Encoder
from export_onnx.architectures.rounding import Linear


class Tagger(nn.Module):
    """Encoder, first-subtoken pooling, linear emissions: the graph `model.onnx`."""

    def __init__(self, encoder: Encoder, hidden: int, labels: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.emission = Linear(hidden, labels)

    def forward(self, ids: Tensor, shapes: Tensor, mask: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T] ×3 and word starts [B, W] → emissions [B, W, L], word states [B, W, H]."""
        # Only words are read; the encoder leaves out what they do not need.
        states = self.encoder(ids, shapes, mask, starts)
        return self.emit(states), states

    def emit(self, states: Tensor) -> Tensor:
        """Word states [B, W, H] → emissions [B, W, L]."""
        return self.emission(self.dropout(states))  # type: ignore[no-any-return]
