"""Linear-chain CRF over BIO labels (Lafferty et al. 2001), trained on partial annotation.

A data set that never marks products must not teach that products are O. Each word therefore comes with the
set of labels that its annotation allows, and the loss marginalises over them (Tsuboi et al. 2008):
−log p(allowed) = log Z − log Z restricted to the allowed labels. A fully annotated word allows one label.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from transforms.decoding import FORBIDDEN


def bio_labels(types: Sequence[str]) -> list[str]:
    """O, then B- and I- of each type."""
    return ["O", *(f"{prefix}-{name}" for name in types for prefix in "BI")]


def bio_constraints(labels: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Start [L] and transition [L, L] penalties: I-X follows only B-X or I-X."""
    start = torch.tensor([FORBIDDEN if label.startswith("I-") else 0.0 for label in labels])
    moves = torch.zeros(len(labels), len(labels))
    for column, label in enumerate(labels):
        if label.startswith("I-"):
            for row, before in enumerate(labels):
                if before[2:] != label[2:] or before == "O":
                    moves[row, column] = FORBIDDEN
    return start, moves


class Crf(nn.Module):
    """Transition scores between labels, and the loss."""

    constraint_start: Tensor
    constraint_moves: Tensor

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        start, moves = bio_constraints(labels)
        self.register_buffer("constraint_start", start)
        self.register_buffer("constraint_moves", moves)
        self.start = nn.Parameter(torch.zeros_like(start))
        self.moves = nn.Parameter(torch.zeros_like(moves))

    def scores(self) -> tuple[Tensor, Tensor]:
        """Start [L] and transition [L, L] scores, constraints included."""
        return self.start + self.constraint_start, self.moves + self.constraint_moves

    def log_partition(self, emissions: Tensor, words: Tensor) -> Tensor:
        """log Z by the forward algorithm. [B, W, L], [B] → [B]."""
        start, moves = self.scores()
        alpha = start + emissions[:, 0]
        for step in range(1, emissions.shape[1]):
            moved = torch.logsumexp(alpha[:, :, None] + moves, dim=1) + emissions[:, step]
            alpha = torch.where((step < words)[:, None], moved, alpha)
        return torch.logsumexp(alpha, dim=1)

    def loss(self, emissions: Tensor, allowed: Tensor, words: Tensor) -> Tensor:
        """Mean −log p(allowed labels) a sequence. [B, W, L], bool [B, W, L], [B] → scalar."""
        restricted = emissions.masked_fill(~allowed, FORBIDDEN)
        both = self.log_partition(torch.cat([emissions, restricted]), torch.cat([words, words]))
        free, gold = both.chunk(2)
        return (free - gold).mean()
