"""The relation head: pairs of mentions of a window → a score for each relation, [B, P, 1 + R].

The roles of events are relations too, from the trigger to its argument.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from export_onnx.architectures.encoder import pick
from export_onnx.architectures.rounding import Embedding, Linear


class RelationHead(nn.Module):
    """Scores every relation for given pairs of mentions of a window: the graph `relations.onnx`.

    A pair is read from the pooled words of both mentions, their types, their distance, the words between
    them, and a context that the pair attends to (the localized context of Zhou et al. 2021, ATLOP, with
    learned attention). Logit 0 is the pair's own threshold (ATLOP's TH class).
    """

    DISTANCES = 16

    def __init__(self, hidden: int, types: int, relations: int, width: int = 256, dropout: float = 0.2) -> None:
        super().__init__()
        self.types = Embedding(types, hidden)
        self.head, self.tail = Linear(hidden, width), Linear(hidden, width)
        self.query, self.key = Linear(2 * width, width), Linear(hidden, width)
        self.context, self.between = Linear(hidden, width), Linear(hidden, width)
        self.distance = Embedding(2 * self.DISTANCES + 1, width)
        self.inner = Linear(5 * width, 2 * width)
        self.scores = Linear(2 * width, relations + 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, words: Tensor, mentions: Tensor, types: Tensor, pairs: Tensor) -> Tensor:
        """States [B, W, H], words [B], mentions [B, M, 2], types [B, M], pairs [B, P, 2] → [B, P, 1 + R]."""
        position = torch.arange(states.shape[1], device=states.device)
        spans = self._pool(states, mentions[..., 0], mentions[..., 1], position)
        spans = self.dropout(spans + self.types(types))
        first, second = pairs[..., 0], pairs[..., 1]
        head = pick(torch.tanh(self.head(spans)), first)
        tail = pick(torch.tanh(self.tail(spans)), second)
        valid = position[None, None, :] < words[:, None, None]
        query = self.query(torch.cat([head, tail], dim=-1))
        weights = query @ self.key(states).transpose(1, 2) / math.sqrt(query.shape[-1])
        weights = torch.softmax(weights + (1.0 - valid.to(states.dtype)) * -1e4, dim=-1)
        context = torch.tanh(self.context(weights @ states))
        a, b = pick(mentions, first), pick(mentions, second)
        gap_start = torch.minimum(a[..., 1], b[..., 1])
        gap_end = torch.maximum(a[..., 0], b[..., 0])
        between = torch.tanh(self.between(self._pool(states, gap_start, gap_end, position)))
        distance = torch.clamp((b[..., 0] - a[..., 0]) // 3, -self.DISTANCES, self.DISTANCES) + self.DISTANCES
        context = context + self.distance(distance)
        features = torch.cat([head, tail, head * tail, context, between], dim=-1)
        inner = nn.functional.gelu(self.inner(self.dropout(features)))
        return self.scores(self.dropout(inner))  # type: ignore[no-any-return]

    @staticmethod
    def _pool(states: Tensor, start: Tensor, end: Tensor, position: Tensor) -> Tensor:
        """The mean state of words start ≤ w < end; zero where there is none. [B, N] ×2 → [B, N, H]."""
        inside = (position >= start[..., None]) & (position < end[..., None])
        weights = inside.to(states.dtype)
        return weights @ states / torch.clamp(weights.sum(-1, keepdim=True), min=1.0)
