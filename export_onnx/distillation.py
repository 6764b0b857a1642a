"""Distillation: a smaller encoder learns to have the hidden states of a larger, trained one.

The student begins with some of the teacher's layers; after each, its states are drawn to those that the teacher has
after the same layer (after the patient distillation of Sun et al. 2019; of the first subtokens of all words, not of
[CLS] alone). All heads read the last states, so that whatever the teacher's heads tell comes along, and no labels are
needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from export_onnx.architectures.encoder import Encoder, WordStates


class Teacher:
    """A trained encoder, which stays as it is, and the layers of it that a student has."""

    def __init__(self, encoder: Encoder, taken: Sequence[int]) -> None:
        self._encoder = encoder.eval().requires_grad_(False)
        self._taken = taken

    def distance(self, states: WordStates, inputs: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        """Mean over the student's layers of the squared distance of its states from the teacher's.

        Of words that both read; as a share of the variance of the teacher's own, so that no layer counts more for being
        wider spread.

        Args:
            states: what the student makes of the inputs.
            inputs: ids, shapes, mask [B, T], starts [B, W].
        """
        with torch.no_grad():
            wanted = self._encoder.word_states(*inputs)
        distances = []
        for layer, own, read in zip(self._taken, states.after, states.read, strict=True):
            both = read & wanted.read[layer]
            if both.any():
                one, other = own[both], wanted.after[layer][both]
                distances.append((one - other).square().mean() / other.var())
        return torch.stack(distances).mean()
