"""Settling: words that are surely in no mention are done after a few layers; the later layers read on for the others.

Early exit by token (Li et al. 2021, "Accelerating BERT inference for sequence labeling via early-exit", halt and copy):
a settled word keeps its state, which the others still attend to. Which words settle, a linear layer learns beside the
tagger; it reads the state, so what stands around a word counts. All heads read the states of all words.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

#: Words settle whose log-odds to be part of a mention are below this (1.8 %).
LEAST = -4.0


class Order(NamedTuple):
    """The words of B windows, those that may be part of a mention first.

    Attributes:
        doubt: log-odds that a word is part of a mention [B, W].
        places, rank: the word at each place of the order, and each word's place in it [B, W].
        open: how many of each order the later layers read on for; as many as the window with most of them needs.
    """

    doubt: Tensor
    places: Tensor
    rank: Tensor
    open: Tensor


class Settling(nn.Module):
    """Tells which words may be part of a mention: word states [B, W, H] → `Order`. Untrained, every word may."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.doubt = nn.Linear(hidden, 1)
        nn.init.zeros_(self.doubt.weight)
        nn.init.zeros_(self.doubt.bias)

    def forward(self, words: Tensor, real: Tensor) -> Order:
        """Order the words; `real` [B, W] is true where there is one."""
        doubt = self.doubt(words).squeeze(-1)
        # Padding is last, and in its own order, so that its states do not depend on how a runtime sorts equals.
        known = torch.where(real, doubt, 2 * LEAST - torch.arange(real.shape[1]))
        places = known.argsort(dim=1, descending=True)
        most = (known > LEAST).sum(1).max().clamp(min=1)
        return Order(doubt, places, places.argsort(dim=1), most)
