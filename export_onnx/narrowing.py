"""Narrowing: an encoder keeps the attention heads and feed-forward units whose outputs vary most, and loses the rest.

What is lost is replaced by its mean, which a bias takes over; so a part counts by how much it changes from text to
text, not by how large it is (FLAP: An et al. 2024, the fluctuation metric and the baseline bias compensation).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from export_onnx.architectures.encoder import Encoder, Layer


@torch.no_grad()
def narrow(encoder: Encoder, batches: Iterable[Sequence[Tensor]], heads: int, inner: int) -> None:
    """Leave `heads` attention heads and `inner` feed-forward units in each layer of an encoder, in place.

    Args:
        batches: ids, shapes and mask [B, T] of the texts that tell what varies.
    """
    encoder.eval()
    seen = _seen(encoder, batches)
    for layer in _layers(encoder):
        attention = layer.attention
        writers = (attention.query, attention.key, attention.value)
        _cut(writers, attention.out, seen[attention.out], attention.size, heads)
        attention.heads = heads
        _cut((layer.inner,), layer.outer, seen[layer.outer], 1, inner)


def _layers(encoder: Encoder) -> list[Layer]:
    return [layer for layer in encoder.layers if isinstance(layer, Layer)]


class _Moments:
    """Mean and covariance of the vectors [N, D] that it was shown."""

    def __init__(self, size: int) -> None:
        self._count = 0
        self._sum, self._products = torch.zeros(size), torch.zeros(size, size)

    def add(self, rows: Tensor) -> None:
        self._count += len(rows)
        self._sum += rows.sum(0)
        self._products += rows.T @ rows

    def mean(self) -> Tensor:
        return self._sum / self._count

    def covariance(self) -> Tensor:
        mean = self.mean()
        return self._products / self._count - torch.outer(mean, mean)


def _seen(encoder: Encoder, batches: Iterable[Sequence[Tensor]]) -> dict[nn.Linear, _Moments]:
    """What goes into the last matrix of each attention and each feed-forward network, of real subtokens."""
    readers = [reader for layer in _layers(encoder) for reader in (layer.attention.out, layer.outer)]
    seen: dict[nn.Linear, _Moments] = {reader: _Moments(reader.in_features) for reader in readers}
    mask = torch.zeros(())

    def look(moments: _Moments, reader: nn.Module, given: tuple[Tensor]) -> None:
        moments.add(given[0][mask.bool()])

    hooks = [reader.register_forward_pre_hook(partial(look, moments)) for reader, moments in seen.items()]
    for ids, shapes, mask in batches:
        encoder(ids, shapes, mask)
    for hook in hooks:
        hook.remove()
    return seen


def _cut(writers: Sequence[nn.Linear], reader: nn.Linear, seen: _Moments, size: int, count: int) -> None:
    """Keep `count` groups of `size` of the columns of `reader`, and the rows of `writers` that write them."""
    groups = reader.in_features // size
    own = torch.diagonal(seen.covariance().view(groups, size, groups, size), dim1=0, dim2=2)  # [size, size, groups]
    weight = reader.weight.view(-1, groups, size)
    varies = torch.einsum("hgs,stg,hgt->g", weight, own, weight)
    kept = torch.zeros(groups, dtype=torch.bool).index_fill(0, varies.topk(count).indices, True).repeat_interleave(size)
    reader.bias.add_(reader.weight[:, ~kept] @ seen.mean()[~kept])
    reader.weight, reader.in_features = nn.Parameter(reader.weight[:, kept]), count * size
    for writer in writers:
        writer.weight, writer.bias = nn.Parameter(writer.weight[kept]), nn.Parameter(writer.bias[kept])
        writer.out_features = count * size
