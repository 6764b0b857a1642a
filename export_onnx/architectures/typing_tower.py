"""The typing tower: sentence vectors [N, D] of names or of descriptions → unit vectors [N, D] that can be compared.

A residual over the published encoder's vectors (zero at first, so that training starts from what it knows), the same
for names and descriptions: a type that training never saw is told by what its description has in common with others.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class BlendedTower(nn.Module):
    """The tower's vector beside the encoder's own, the latter with `weight` in every cosine: [N, D] → [N, 2 D].

    What the tower learned tells the types that it was trained on better, the encoder alone those that it never saw.
    """

    def __init__(self, tower: TypingTower, weight: float) -> None:
        super().__init__()
        self.tower, self.weight = tower, weight

    def forward(self, vectors: Tensor) -> Tensor:
        """Unit vectors in, unit vectors out."""
        both = torch.cat([self.tower(vectors), math.sqrt(self.weight) * vectors], dim=-1)
        return both / math.sqrt(1.0 + self.weight)


class TypingTower(nn.Module):
    """x + MLP(x), normalised."""

    def __init__(self, size: int, inner: int = 256, dropout: float = 0.4) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(size, inner), nn.Linear(inner, size)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """[N, D] → [N, D]."""
        inner = nn.functional.gelu(self.inner(self.dropout(vectors)))
        moved: Tensor = vectors + self.outer(self.dropout(inner))
        length: Tensor = torch.linalg.vector_norm(moved, dim=-1, keepdim=True)
        return moved / length
