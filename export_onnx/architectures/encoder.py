"""A case-aware BERT encoder: subtokens and letter shapes [B, T] → hidden states [B, T, H].

Devlin et al. 2019 (BERT), with weights of all-MiniLM-L6-v2 (6 layers, 384 wide, uncased); a learned embedding of each
word's letter shape, added to the word embeddings, restores what lower-casing removed. Neighbouring sentences are
context where a window holds several. Written out rather than taken from a library because the exported graph is what
the speed depends on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017). [B, T, H], read by Q of its positions [B, Q, H] → [B, Q, H]."""

    def __init__(self, hidden: int, heads: int, size: int) -> None:
        super().__init__()
        self.heads, self.size = heads, size
        self.query, self.key, self.value = (nn.Linear(hidden, heads * size) for _ in range(3))
        self.out = nn.Linear(heads * size, hidden)

    def forward(self, readers: Tensor, x: Tensor, bias: Tensor) -> Tensor:
        """Attend; `bias` [B, 1, 1, T] is added to the scores."""

        def split(y: Tensor) -> Tensor:
            return y.reshape(y.shape[0], y.shape[1], self.heads, self.size).transpose(1, 2)

        query, key, value = split(self.query(readers)), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(self.size) + bias, dim=-1)
        mixed = (weights @ value).transpose(1, 2)
        joined = mixed.reshape(mixed.shape[0], mixed.shape[1], self.heads * self.size)
        return self.out(joined)  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One post-norm transformer layer. [B, T, H] → [B, T, H], or of some positions alone [B, Q, H]."""

    def __init__(self, hidden: int, heads: int, size: int, inner: int, eps: float, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(hidden, heads, size)
        self.attention_norm = nn.LayerNorm(hidden, eps)
        self.inner, self.outer = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        self.norm = nn.LayerNorm(hidden, eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor, positions: Tensor | None = None) -> Tensor:
        """Attention, then the feed-forward network, each with its residual; for all, or for `positions` [B, Q]."""
        readers = x if positions is None else pick(x, positions)
        x = self.attention_norm(readers + self.dropout(self.attention(readers, x, bias)))
        inner = nn.functional.gelu(self.inner(x))
        return self.norm(x + self.dropout(self.outer(inner)))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Subtokens and letter shapes [B, T] → hidden states [B, T, H].

    Sizes as in Hugging Face's `config.json`; with a `head_size`, heads need not be as wide as H by their number.
    """

    def __init__(self, config: Mapping[str, Any], shapes: int) -> None:
        super().__init__()
        hidden, eps = config["hidden_size"], float(config.get("layer_norm_eps", 1e-12))
        dropout = float(config.get("hidden_dropout_prob", 0.1))
        heads = config["num_attention_heads"]
        size = config.get("head_size", hidden // heads)
        self.words = nn.Embedding(config["vocab_size"], hidden)
        self.positions = nn.Embedding(config["max_position_embeddings"], hidden)
        self.token_type = nn.Parameter(torch.zeros(hidden))
        self.shapes = nn.Embedding(shapes, hidden)
        nn.init.zeros_(self.shapes.weight)
        self.norm = nn.LayerNorm(hidden, eps)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            Layer(hidden, heads, size, config["intermediate_size"], eps, dropout)
            for _ in range(config["num_hidden_layers"])
        )

    def forward(self, ids: Tensor, shapes: Tensor, mask: Tensor, starts: Tensor | None = None) -> Tensor:
        """Encode; `mask` is 1 where there is a subtoken. With `starts` [B, W], of these subtokens alone [B, W, H]."""
        return self.states(ids, shapes, mask, starts)[-1]

    def states(self, ids: Tensor, shapes: Tensor, mask: Tensor, starts: Tensor | None = None) -> list[Tensor]:
        """The hidden states [B, T, H] after each layer; after the last, with `starts` [B, W], those alone."""
        positions = self.positions.weight[: ids.shape[1]]
        x: Tensor = self.words(ids) + positions + self.token_type + self.shapes(shapes)
        x = self.dropout(self.norm(x))
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * -1e4
        found = []
        for layer in self.layers[:-1]:
            x = layer(x, bias)
            found.append(x)
        return [*found, self.layers[-1](x, bias, starts)]

    def load_bert(self, weights: dict[str, Tensor]) -> None:
        """Take over the weights of a BERT checkpoint in Hugging Face's naming."""
        own = self.state_dict()
        for ours, theirs in bert_names(len(self.layers)).items():
            own[ours] = weights[theirs]
        own["token_type"] = weights["embeddings.token_type_embeddings.weight"][0]
        self.load_state_dict(own)


def pick(rows: Tensor, index: Tensor) -> Tensor:
    """rows [B, M, D], index [B, P] → [B, P, D]. As one table, so that the exported graph copies whole rows."""
    first = torch.arange(rows.shape[0], device=rows.device)[:, None] * rows.shape[1]
    return nn.functional.embedding(index + first, rows.flatten(0, 1))


def spread(depth: int, layers: int) -> list[int]:
    """Which `depth` of so many layers to take: evenly spread, the last among them."""
    return [(layer + 1) * layers // depth - 1 for layer in range(depth)]


def bert_names(layers: int) -> dict[str, str]:
    """Our parameter names and those of a Hugging Face BERT checkpoint of so many layers."""
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
