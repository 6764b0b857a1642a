"""Distillation: a smaller encoder learns to have the hidden states of a larger, trained one.

The student begins with some of the teacher's layers; after each, its states are drawn to those that the teacher has
after the same layer (after the patient distillation of Sun et al. 2019; of the first subtokens of all words, not of
[CLS] alone). All heads read the last states, so that whatever the teacher's heads tell comes along, and no labels are
needed. So texts that nobody wrote teach as well: those of a batch with words replaced by any others, which shows more
of what the teacher knows than the training texts do (after the augmentation of TinyBERT, Jiao et al. 2020, section 3.2;
there a language model chooses the words).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from export_onnx.architectures.encoder import Encoder, WordStates

#: How WordPiece writes a subtoken that goes on with a word.
CONTINUED = "##"
#: ids, shapes, mask [B, T] and the words' starts [B, W].
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


class Teacher:
    """A trained encoder, which stays as it is, and the layers of it that a student has."""

    def __init__(self, encoder: Encoder, taken: Sequence[int]) -> None:
        self._encoder = encoder.eval().requires_grad_(False)
        self._taken = taken

    def distance(self, states: WordStates, inputs: Inputs) -> Tensor:
        """Mean over the student's layers of the squared distance of its states from the teacher's.

        Of words that both read; as a share of the variance of the teacher's own, so that no layer counts more for being
        wider spread.

        Args:
            states: what the student makes of the inputs.
            inputs: the texts.
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


class Scrambler:
    """Replaces words of a text by any others of a vocabulary: what begins a word by such, what continues one by such.

    Subtokens that are no letters, or a single one, stay; so do letter shapes: a capital where a name was is one still.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._kinds = [
            torch.tensor(sorted(number for token, number in vocabulary.items() if _is_letters(token, prefix)))
            for prefix in ("", CONTINUED)
        ]

    def __call__(self, inputs: Inputs) -> Inputs:
        """The inputs with a share of each text's subtokens replaced: the share, too, is drawn, between none and all."""
        ids, *others = inputs
        chosen = torch.rand(ids.shape) < torch.rand(len(ids), 1)
        scrambled = ids.clone()
        for kind in self._kinds:
            places = chosen & torch.isin(ids, kind)
            scrambled[places] = kind[torch.randint(len(kind), (int(places.sum()),))]
        return scrambled, *others  # type: ignore[return-value]


def _is_letters(token: str, prefix: str) -> bool:
    text = token.removeprefix(prefix)
    return token.startswith(prefix) and len(text) > 1 and text.isalpha()
