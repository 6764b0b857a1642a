"""The network: a case-aware BERT encoder, a linear tagger and a relation head.

Encoder: Devlin et al. 2019 (BERT), with weights of all-MiniLM-L6-v2 (6 layers, 384 wide, uncased); a learned
embedding of each word's letter shape, added to the word embeddings, restores what lower-casing removed.
Written out rather than taken from a library because the exported graph is what the speed depends on.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017). [B, T, H] → [B, T, H]."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, hidden // heads
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.out = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Attend; `bias` [B, 1, 1, T] is added to the scores."""

        def split(y: Tensor) -> Tensor:
            return y.reshape(y.shape[0], y.shape[1], self.heads, self.size).transpose(1, 2)

        query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(self.size) + bias, dim=-1)
        mixed = (weights @ value).transpose(1, 2)
        return self.out(mixed.reshape(x.shape))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One post-norm transformer layer. [B, T, H] → [B, T, H]."""

    def __init__(self, hidden: int, heads: int, inner: int, eps: float, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(hidden, heads)
        self.attention_norm = nn.LayerNorm(hidden, eps)
        self.inner, self.outer = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.norm = nn.LayerNorm(hidden, eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Attention, then the feed-forward network, each with its residual."""
        x = self.attention_norm(x + self.dropout(self.attention(x, bias)))
        inner = nn.functional.gelu(self.inner(x))
        return self.norm(x + self.dropout(self.outer(inner)))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Subtokens and letter shapes [B, T] → hidden states [B, T, H]."""

    def __init__(self, config: dict[str, int], shapes: int, dropout: float = 0.1) -> None:
        super().__init__()
        hidden, eps = config["hidden_size"], float(config.get("layer_norm_eps", 1e-12))
        self.words = nn.Embedding(config["vocab_size"], hidden)
        self.positions = nn.Embedding(config["max_position_embeddings"], hidden)
        self.token_type = nn.Parameter(torch.zeros(hidden))
        self.shapes = nn.Embedding(shapes, hidden)
        nn.init.zeros_(self.shapes.weight)
        self.norm = nn.LayerNorm(hidden, eps)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            Layer(hidden, config["num_attention_heads"], config["intermediate_size"], eps, dropout)
            for _ in range(config["num_hidden_layers"])
        )

    def forward(self, ids: Tensor, shapes: Tensor, mask: Tensor) -> Tensor:
        """Encode; `mask` is 1 where there is a subtoken."""
        positions = self.positions.weight[: ids.shape[1]]
        x: Tensor = self.words(ids) + positions + self.token_type + self.shapes(shapes)
        x = self.dropout(self.norm(x))
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * -1e4
        for layer in self.layers:
            x = layer(x, bias)
        return x

    def load_bert(self, weights: dict[str, Tensor]) -> None:
        """Take over the weights of a BERT checkpoint in Hugging Face's naming."""
        own = self.state_dict()
        for ours, theirs in bert_names(len(self.layers)).items():
            own[ours] = weights[theirs]
        own["token_type"] = weights["embeddings.token_type_embeddings.weight"][0]
        self.load_state_dict(own)


def bert_names(layers: int) -> dict[str, str]:
    """Our parameter names and those of a Hugging Face BERT checkpoint."""
    names = {
        "words.weight": "embeddings.word_embeddings.weight",
        "positions.weight": "embeddings.position_embeddings.weight",
        "norm.weight": "embeddings.LayerNorm.weight",
        "norm.bias": "embeddings.LayerNorm.bias",
    }
    parts = {
        "attention.query": "attention.self.query",
        "attention.key": "attention.self.key",
        "attention.value": "attention.self.value",
        "attention.out": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "inner": "intermediate.dense",
        "outer": "output.dense",
        "norm": "output.LayerNorm",
    }
    for layer in range(layers):
        for ours, theirs in parts.items():
            for kind in ("weight", "bias"):
                names[f"layers.{layer}.{ours}.{kind}"] = f"encoder.layer.{layer}.{theirs}.{kind}"
    return names


class Tagger(nn.Module):
    """Encoder, first-subtoken pooling, linear emissions: the graph `model.onnx`."""

    def __init__(self, encoder: Encoder, hidden: int, labels: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.emission = nn.Linear(hidden, labels)

    def forward(self, ids: Tensor, shapes: Tensor, mask: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T] ×3 and word starts [B, W] → emissions [B, W, L], word states [B, W, H]."""
        hidden = self.encoder(ids, shapes, mask)
        index = starts[:, :, None].expand(-1, -1, hidden.shape[-1])
        states = torch.gather(hidden, 1, index)
        return self.emission(self.dropout(states)), states


class RelationHead(nn.Module):
    """Scores every relation for given pairs of mentions of a window: the graph `relations.onnx`.

    A pair is read from the pooled words of both mentions, their types, their distance, the words between
    them, and a context that the pair attends to (the localized context of Zhou et al. 2021, ATLOP, with
    learned attention). Logit 0 is the pair's own threshold (ATLOP's TH class).
    """

    DISTANCES = 16

    def __init__(self, hidden: int, types: int, relations: int, width: int = 256, dropout: float = 0.2) -> None:
        super().__init__()
        self.types = nn.Embedding(types, hidden)
        self.head, self.tail = nn.Linear(hidden, width), nn.Linear(hidden, width)
        self.query, self.key = nn.Linear(2 * width, width), nn.Linear(hidden, width)
        self.context, self.between = nn.Linear(hidden, width), nn.Linear(hidden, width)
        self.distance = nn.Embedding(2 * self.DISTANCES + 1, width)
        self.inner = nn.Linear(5 * width, 2 * width)
        self.scores = nn.Linear(2 * width, relations + 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, words: Tensor, mentions: Tensor, types: Tensor, pairs: Tensor) -> Tensor:
        """States [B, W, H], words [B], mentions [B, M, 2], types [B, M], pairs [B, P, 2] → [B, P, 1 + R]."""
        position = torch.arange(states.shape[1], device=states.device)
        spans = self._pool(states, mentions[..., 0], mentions[..., 1], position)
        spans = self.dropout(spans + self.types(types))
        first, second = pairs[..., 0], pairs[..., 1]
        head = torch.tanh(self.head(_pick(spans, first)))
        tail = torch.tanh(self.tail(_pick(spans, second)))
        valid = position[None, None, :] < words[:, None, None]
        query = self.query(torch.cat([head, tail], dim=-1))
        weights = query @ self.key(states).transpose(1, 2) / math.sqrt(query.shape[-1])
        weights = torch.softmax(weights + (1.0 - valid.to(states.dtype)) * -1e4, dim=-1)
        context = torch.tanh(self.context(weights @ states))
        a, b = _pick(mentions, first), _pick(mentions, second)
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


def _pick(rows: Tensor, index: Tensor) -> Tensor:
    """rows [B, M, D], index [B, P] → [B, P, D]."""
    return torch.gather(rows, 1, index[:, :, None].expand(-1, -1, rows.shape[-1]))
