"""A case-aware BERT encoder: subtokens and letter shapes [B, T] → hidden states [B, T, H].

Devlin et al. 2019 (BERT), with weights of all-MiniLM-L6-v2 (6 layers, 384 wide, uncased); a learned embedding of each
word's letter shape, added to the word embeddings, restores what lower-casing removed. Neighbouring sentences are
context where a window holds several. Written out rather than taken from a library because the exported graph is what
the speed depends on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from export_onnx.architectures.rounding import Embedding, Linear
from export_onnx.architectures.settling import Packed, Settling, packed


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017). [B, T, H], read by Q of its positions [B, Q, H] → [B, Q, H].

    With `chosen`, the readers are N packed words of all windows [1, N, H]; each attends to its own window.
    """

    def __init__(self, hidden: int, heads: int, size: int) -> None:
        super().__init__()
        self.heads, self.size = heads, size
        self.query, self.key, self.value = (Linear(hidden, heads * size) for _ in range(3))
        self.out = Linear(heads * size, hidden)

    def forward(self, readers: Tensor, x: Tensor, bias: Tensor, chosen: Packed | None = None) -> Tensor:
        """Attend; `bias` [B, 1, 1, T] is added to the scores."""

        def split(y: Tensor) -> Tensor:
            return y.reshape(y.shape[0], y.shape[1], self.heads, self.size).transpose(1, 2)

        query = self.query(readers)
        if chosen is not None:
            query = nn.functional.embedding(chosen.slots, query.flatten(0, 1))
        query, key, value = split(query), split(self.key(x)), split(self.value(x))
        weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(self.size) + bias, dim=-1)
        mixed = (weights @ value).transpose(1, 2)
        joined = mixed.reshape(mixed.shape[0], mixed.shape[1], self.heads * self.size)
        if chosen is not None:
            joined = nn.functional.embedding(chosen.places, joined.flatten(0, 1))
        return self.out(joined)  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One post-norm transformer layer. [B, T, H] → [B, T, H], or of some positions alone [B, Q, H]."""

    def __init__(self, hidden: int, heads: int, size: int, inner: int, eps: float, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(hidden, heads, size)
        self.attention_norm = nn.LayerNorm(hidden, eps)
        self.inner, self.outer = Linear(hidden, inner), Linear(inner, hidden)
        self.norm = nn.LayerNorm(hidden, eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor, readers: Tensor | None = None, chosen: Packed | None = None) -> Tensor:
        """Attention, then the feed-forward network, each with its residual.

        Of all x; of `readers` [B, Q, H] alone; or of the `chosen`, while the others stay as they are [B, T, H].
        """
        every = x.flatten(0, 1)
        if chosen is not None:
            readers = nn.functional.embedding(chosen.rows, every)
        elif readers is None:
            readers = x
        y = self.attention_norm(readers + self.dropout(self.attention(readers, x, bias, chosen)))
        inner = nn.functional.gelu(self.inner(y))
        y = self.norm(y + self.dropout(self.outer(inner)))
        return y if chosen is None else every.index_put((chosen.rows,), y).view_as(x)


@dataclass(slots=True)
class WordStates:
    """What an encoder makes of the W words of B windows, each read at its first subtoken.

    Attributes:
        after: hidden states after each layer [B, W, H].
        read: the words that the layer read, bool [B, W]; the others have settled, or are padding.
        doubt: log-odds that a word is part of a mention [B, W]; None if no word settles.
    """

    after: list[Tensor]
    read: list[Tensor]
    doubt: Tensor | None


class Encoder(nn.Module):
    """Subtokens and letter shapes [B, T] → hidden states [B, T, H], or of words [B, W, H].

    Sizes as in Hugging Face's `config.json`; with a `head_size`, heads need not be as wide as H by their number.

    Two more sizes bear on words alone. Layer `merge` (default: the last) reads all subtokens for the last time, and
    writes [CLS], [SEP] and the first of each word. After layer `settle` (default: none, not before `merge`), the later
    ones read on for the words that may be part of a mention; all else they still attend to.
    """

    def __init__(self, config: Mapping[str, Any], shapes: int) -> None:
        super().__init__()
        hidden, eps = config["hidden_size"], float(config.get("layer_norm_eps", 1e-12))
        dropout = float(config.get("hidden_dropout_prob", 0.1))
        heads = config["num_attention_heads"]
        size = config.get("head_size", hidden // heads)
        self.words = Embedding(config["vocab_size"], hidden)
        self.positions = nn.Embedding(config["max_position_embeddings"], hidden)
        self.token_type = nn.Parameter(torch.zeros(hidden))
        self.shapes = Embedding(shapes, hidden)
        nn.init.zeros_(self.shapes.weight)
        self.norm = nn.LayerNorm(hidden, eps)
        self.dropout = nn.Dropout(dropout)
        depth = config["num_hidden_layers"]
        self.layers = nn.ModuleList(
            Layer(hidden, heads, size, config["intermediate_size"], eps, dropout) for _ in range(depth)
        )
        self.merge, self.settle = config.get("merge") or depth, config.get("settle")
        self.settling: Settling | None = Settling(hidden) if self.settle else None

    def forward(self, ids: Tensor, shapes: Tensor, mask: Tensor, starts: Tensor | None = None) -> Tensor:
        """Encode; `mask` is 1 where there is a subtoken. With `starts` [B, W], words alone [B, W, H]."""
        if starts is not None:
            return self.word_states(ids, shapes, mask, starts).after[-1]
        x, bias = self._embed(ids, shapes), _bias(mask)
        for layer in self.layers:
            x = layer(x, bias)
        return x

    def _embed(self, ids: Tensor, shapes: Tensor) -> Tensor:
        positions = self.positions.weight[: ids.shape[1]]
        return self.dropout(self.norm(self.words(ids) + positions + self.token_type + self.shapes(shapes)))  # type: ignore[no-any-return]

    def word_states(self, ids: Tensor, shapes: Tensor, mask: Tensor, starts: Tensor) -> WordStates:
        """Encode words whose first subtokens are `starts` [B, W] (0, where [CLS] is, stands for none)."""
        x, bias = self._embed(ids, shapes), _bias(mask)
        found = WordStates([], [], None)
        real = read = starts > 0
        chosen: Packed | None = None
        for number, layer in enumerate(self.layers, start=1):
            last = number == len(self.layers)
            if number < self.merge:
                x = layer(x, bias)
                words = pick(x, starts)
            elif number == self.merge:
                x = layer(x, bias, pick(x, starts if last else kept(mask, starts)))
                bias = _bias(nn.functional.pad(real, (2, 0), value=True))
                words = x if last else x[:, 2:]  # without [CLS] and [SEP]
            elif chosen is not None:
                x = layer(x, bias, chosen=chosen)
                words = x[:, 2:]
            else:
                x = layer(x, bias, x[:, 2:] if last else None)
                words = x if last else x[:, 2:]
            found.after.append(words)
            found.read.append(read)
            if number == self.settle and self.settling is not None:
                found.doubt = doubt = self.settling(words)
                read = real & self.settling.may_go_on(doubt)
                chosen = packed(nn.functional.pad(read, (2, 0)))
        return found

    def load_bert(self, weights: dict[str, Tensor]) -> None:
        """Take over the weights of a BERT checkpoint in Hugging Face's naming."""
        own = self.state_dict()
        for ours, theirs in bert_names(len(self.layers)).items():
            own[ours] = weights[theirs]
        own["token_type"] = weights["embeddings.token_type_embeddings.weight"][0]
        self.load_state_dict(own)


def kept(mask: Tensor, starts: Tensor) -> Tensor:
    """mask [B, T], word starts [B, W] → [B, 2 + W] positions of [CLS], [SEP], and the first subtoken of each word.

    What a head finds nothing to attend to rests on [CLS] and [SEP] (Clark et al. 2019, section 3.2): they stay.
    """
    last = mask.sum(1, keepdim=True) - 1
    return torch.cat([torch.zeros_like(last), last, starts], dim=1)


def _bias(there: Tensor) -> Tensor:
    """[B, T], 1 or true where there is something → [B, 1, 1, T], to be added to attention's scores."""
    return (1.0 - there[:, None, None, :].float()) * -1e4


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
