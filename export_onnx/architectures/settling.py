"""Settling: words that are surely in no mention are done after a few layers; the later layers read on for the others.

Early exit by token (Li et al. 2021, "Accelerating BERT inference for sequence labeling via early-exit", halt and copy):
a settled word keeps its state, which the others still attend to. Which words settle, a linear layer learns beside the
tagger; it reads the state, so what stands around a word counts. [CLS] and [SEP] always settle. The tagger and the
relation head read the states of all words.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

#: Words settle whose log-odds to be part of a mention are below this (1.8 %);
LEAST = -4.0
#: while training, fewer do (0.7 %), so that the later layers learn from words on the edge too.
LEAST_IN_TRAINING = -5.0


class Packed(NamedTuple):
    """The words of B windows that later layers read on for, without the others between them.

    Attributes:
        rows: index of each of the N among all B · P positions [1, N].
        slots: for each window, which of the N are its own [B, K], filled up with 0.
        places: index of each of the N among all B · K slots [1, N].
    """

    rows: Tensor
    slots: Tensor
    places: Tensor


def packed(chosen: Tensor) -> Packed:
    """Pack the positions that are true in [B, P]; the very first, if none is."""
    first = (torch.arange(chosen.flatten().shape[0]) == 0).view_as(chosen)
    chosen = chosen | (first & ~chosen.any())
    rank = chosen.long().cumsum(1)
    most = rank.max()
    rows = chosen.flatten().nonzero()[:, 0]
    places = (rank - 1 + torch.arange(rank.shape[0])[:, None] * most).flatten()[rows]
    slots = rows.new_zeros(rank.shape[0] * most).scatter(0, places, torch.arange(rows.shape[0]))  # type: ignore[call-overload]
    return Packed(rows[None], slots.reshape(rank.shape[0], -1), places[None])


class Settling(nn.Module):
    """Tells which words may be part of a mention: states [B, W, H] → log-odds [B, W]. Untrained, every word may."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.doubt = nn.Linear(hidden, 1)
        nn.init.zeros_(self.doubt.weight)
        nn.init.zeros_(self.doubt.bias)

    def forward(self, words: Tensor) -> Tensor:
        """Read the words."""
        return self.doubt(words).squeeze(-1)  # type: ignore[no-any-return]

    def may_go_on(self, doubt: Tensor) -> Tensor:
        """Log-odds [B, W] → whether the later layers read the word, bool [B, W]."""
        return doubt > (LEAST_IN_TRAINING if self.training else LEAST)
