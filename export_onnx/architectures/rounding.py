"""Layers that can read while they train as the int8 graph will: what they multiply is rounded, gradients pass.

Quantization-aware training (Jacob et al. 2018, section 3): weights learn to lie where rounding costs little. Scales are
those of ONNX Runtime's dynamic quantization: of inputs and of embeddings by their least and most, of weights by output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """[..., I] → [..., O]; with `bits` for its weights (7 or 8), rounded while it trains."""

    bits: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Multiply."""
        if self.bits is None or not self.training:
            return super().forward(input)
        return nn.functional.linear(_rounded(input, input), _rounded_by_row(self.weight, self.bits), self.bias)


class Embedding(nn.Embedding):
    """Indices [...] → rows [..., H]; with `bits`, rounded to 8 while it trains."""

    bits: int | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Look up."""
        rows = super().forward(input)
        return rows if self.bits is None or not self.training else _rounded(rows, self.weight)


def round_in_training(network: nn.Module, bits: int) -> None:
    """Let all layers of a network that can be rounded, be."""
    for layer in network.modules():
        if isinstance(layer, (Linear, Embedding)):
            layer.bits = bits


def _rounded(values: Tensor, whole: Tensor) -> Tensor:
    """To 256 steps between the least and the most of the whole, 0 among them."""
    least, most = whole.detach().aminmax()
    least, most = least.clamp(max=0.0), most.clamp(min=0.0)
    scale = ((most - least) / 255).clamp(min=1e-12)
    return torch.fake_quantize_per_tensor_affine(values, scale, (-least / scale).round().int(), 0, 255)


def _rounded_by_row(weights: Tensor, bits: int) -> Tensor:
    steps = 64 if bits == 7 else 127
    scales = (weights.detach().abs().amax(1) / steps).clamp(min=1e-12)
    return torch.fake_quantize_per_channel_affine(weights, scales, torch.zeros_like(scales).int(), 0, -steps, steps)
