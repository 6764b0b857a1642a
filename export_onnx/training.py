"""Multi-task training: the tagger's CRF and the relation head on one encoder.

Relation loss: adaptive thresholding (Zhou et al. 2021, ATLOP, eq. 6–8), with unclear labels left out of both sums.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from export_onnx.architectures.crf import Crf, bio_labels
from export_onnx.architectures.encoder import Encoder
from export_onnx.architectures.relation_head import RelationHead
from export_onnx.architectures.tagger import Tagger
from export_onnx.config import Recipe
from export_onnx.distillation import Inputs, Scrambler, Teacher
from export_onnx.examples import LabelSpace
from export_onnx.windows import POSITIVE, TrainingBatch, TrainingWindow, batches, collate
from transforms.bundle import Manifest
from transforms.features import SHAPES

#: What a training leaves in its work folder.
CHECKPOINT = "checkpoint.pt"
#: What a processor that multiplies numbers of 16 bits may be capable of: AVX-512 BF16, Intel's AMX, ARM.
_SHORT = ("avx512_bf16", "amx_bf16", "bf16")


class Losses(NamedTuple):
    """Scalars; those of what a network does not have are 0.

    Attributes:
        tagging: mean CRF loss a word.
        relations: mean loss a pair.
        settling: mean cross-entropy of whether a word is part of a mention.
        distance: that from a teacher's states.
    """

    tagging: Tensor
    relations: Tensor
    settling: Tensor
    distance: Tensor


class Network(nn.Module):
    """Everything that is trained together: one encoder, a tagger with a CRF for each layer, a relation head."""

    def __init__(self, config: dict[str, Any], space: LabelSpace) -> None:
        super().__init__()
        hidden = int(config["hidden_size"])
        self.tagger = Tagger(Encoder(config, len(SHAPES)), hidden, space.width)
        self.crfs = nn.ModuleList(Crf(bio_labels(layer)) for layer in space.layers)
        self.relations = RelationHead(hidden, len(space.types), len(space.relations)) if space.relations else None
        self.space = space

    def losses(self, batch: TrainingBatch, teacher: Teacher | None = None) -> Losses:
        """The losses of a batch."""
        found = self.tagger.encoder.word_states(*batch.inputs)
        states = found.after[-1]
        emissions = self.tagger.emit(states).float()
        parts = zip(self.crfs, self._by_layer(emissions), self._by_layer(batch.allowed), strict=True)
        a_sequence = torch.stack([crf.loss(scores, allowed, batch.words) for crf, scores, allowed in parts]).sum()  # type: ignore[operator]
        relations = torch.zeros(())
        if self.relations is not None and batch.real.any():
            logits = self.relations(states, batch.words, batch.mentions, batch.types, batch.pairs).float()
            relations = adaptive_threshold_loss(logits[batch.real], batch.targets[batch.real])
        return Losses(
            a_sequence * len(batch.words) / batch.words.sum(),
            relations,
            torch.zeros(())
            if found.doubt is None
            else self._settling_loss(found.doubt, found.read[0], emissions, batch),
            teacher.distance(found, batch.inputs) if teacher else torch.zeros(()),
        )

    def distance(self, inputs: Inputs, teacher: Teacher) -> Tensor:
        """The distance from a teacher's states, for texts without labels."""
        return teacher.distance(self.tagger.encoder.word_states(*inputs), inputs)

    def _by_layer(self, labels: Tensor) -> tuple[Tensor, ...]:
        return torch.split(labels, [1 + 2 * len(layer) for layer in self.space.layers], 2)

    def _settling_loss(self, doubt: Tensor, real: Tensor, emissions: Tensor, batch: TrainingBatch) -> Tensor:
        """Cross-entropy of whether a word is part of a mention; of what is left open, as the tagger has it by now."""
        likely = self._by_layer(emissions.detach().masked_fill(~batch.allowed, -torch.inf))
        mentioned = torch.stack([scores.argmax(-1) != 0 for scores in likely]).any(0)  # a layer's first label is O
        return nn.functional.binary_cross_entropy_with_logits(doubt[real].float(), mentioned[real].float())


def adaptive_threshold_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Logits [P, 1 + R] with the threshold first, targets [P, R] in {1, 0, -1 = left out} → mean a pair."""
    threshold = torch.zeros(len(targets), 1, dtype=torch.bool)
    positive = torch.cat([threshold, targets == POSITIVE], dim=1)
    negative = torch.cat([threshold, targets == 0], dim=1)
    only_threshold = torch.zeros_like(positive)
    only_threshold[:, 0] = True
    above = logits.masked_fill(~(positive | only_threshold), -1e9).log_softmax(dim=1)
    below = logits.masked_fill(~(negative | only_threshold), -1e9).log_softmax(dim=1)
    return (-(above * positive).sum(dim=1) - below[:, 0]).mean()


def epoch_windows(recipe: Recipe, windows: list[TrainingWindow], chooser: random.Random) -> list[TrainingWindow]:
    """The windows of one epoch: some sets repeated, large ones sampled."""
    rules = {source.name: source for source in recipe.data}
    by_source: dict[str, list[TrainingWindow]] = {}
    for window in windows:
        by_source.setdefault(window.source, []).append(window)
    chosen: list[TrainingWindow] = []
    for source, rows in by_source.items():
        most = rules[source].most
        picked = chooser.sample(rows, len(rows) if most is None else min(most, len(rows)))
        chosen += picked * rules[source].repeat
    return chosen


def made_by(recipe: Recipe, space: LabelSpace) -> dict[str, str]:
    """What of a fitted recipe makes the network what it is, by field: weights of another network are of no use."""
    made: dict[str, object] = {name: getattr(recipe, name) for name in ("depth", "heads", "inner", "merge", "settle")}
    made |= {"layers": space.layers, "relations": space.relations}
    return {name: repr(value) for name, value in made.items()}


def content_digest(windows: Iterable[TrainingWindow]) -> str:
    """SHA-256 of all that a training learns from, in hexadecimal: corrected data have another."""
    found = hashlib.sha256()
    for window in windows:
        tokens = window.tokens
        annotation = (window.allowed, window.mentions, window.pairs, window.targets)
        for values in (tokens.ids, tokens.shapes, tokens.starts, tokens.spans, *annotation):
            found.update(f"{values.dtype} {values.shape}".encode())
            found.update(values.tobytes())
        text = window.text[tokens.spans[0, 0] : tokens.spans[-1, 1]]
        found.update(repr((window.source, text, [sorted(span.types) for span in window.spans])).encode())
    return found.hexdigest()


def train(
    recipe: Recipe,
    network: Network,
    windows: list[TrainingWindow],
    work: Path,
    teacher: Teacher | None = None,
    scrambler: Scrambler | None = None,
    start: Manifest | None = None,
    recut: Callable[[random.Random], list[TrainingWindow]] | None = None,
) -> Iterator[dict[str, float]]:
    """Train to the end, resuming from the last finished epoch in `work`; yields each epoch's mean losses.

    Of scrambled texts these hold nothing. `recut` makes other windows of the same texts, for each epoch of a recipe
    that says so. What another recipe, other data or another bundle to `start` from left in `work` is not taken up.
    """
    torch.manual_seed(recipe.seed)
    chooser = random.Random(recipe.seed)
    groups = []
    for _ in range(recipe.epochs):
        cut = recut(chooser) if recut and recipe.recut else windows
        groups.append(list(batches(epoch_windows(recipe, cut, chooser), recipe.budget, chooser)))
    origin = {
        "recipe": repr(recipe),
        "data": content_digest(windows),
        "start": None if start is None else start.get("files"),
        "made": made_by(recipe, network.space),  # `export` asks for it alone
    }
    course = _Course(recipe, network, origin, sum(map(len, groups)), teacher, scrambler)
    checkpoint = work / CHECKPOINT
    for epoch in range(course.resume(checkpoint), recipe.epochs):
        yield {"epoch": epoch + 1, **course.epoch(epoch, groups[epoch])}
        course.save(checkpoint, epoch + 1)  # last, so that a kill loses no losses of an epoch that is kept


class _Course:
    """A training on its way: the network and what changes with it from step to step."""

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        origin: dict[str, Any],
        steps: int,
        teacher: Teacher | None,
        scrambler: Scrambler | None,
    ) -> None:
        self._recipe, self._network, self._teacher, self._scrambler = recipe, network, teacher, scrambler
        self._origin = origin  # a checkpoint with another is of another training
        self._short = recipe.bfloat16 and any(torch.cpu.get_capabilities().get(name) for name in _SHORT)
        if recipe.bfloat16 and not self._short:
            print("bfloat16: this processor has no instructions for it; trained in fp32", file=sys.stderr)
        new = ("shapes", "settling")  # of the encoder, but not of the published one
        encoder, heads = list[nn.Parameter](), list[nn.Parameter]()
        for name, values in network.named_parameters():
            published = name.startswith("tagger.encoder.") and not any(part in name for part in new)
            (encoder if published else heads).append(values)
        self._optimizer = torch.optim.AdamW(
            [{"params": encoder, "lr": recipe.encoder_rate}, {"params": heads, "lr": recipe.head_rate}],
            weight_decay=0.01,
            fused=True,
        )
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: min(1.0, (step + 1) / recipe.warmup) * max(0.0, (steps - step) / steps)
        )
        self._changing: dict[str, Any] = {"network": network, "optimizer": self._optimizer, "schedule": self._schedule}

    def resume(self, checkpoint: Path) -> int:
        """Take up what a training of the same origin left there; the number of epochs that it had finished.

        What becomes of a checkpoint is said on standard error.
        """
        if not checkpoint.exists():
            return 0
        state = torch.load(checkpoint, weights_only=True)
        if any(state.get(name) != value for name, value in self._origin.items()):
            print(f"{checkpoint}: of another recipe, data or start; training begins anew", file=sys.stderr)
            return 0
        for name, changing in self._changing.items():
            changing.load_state_dict(state[name])
        epochs, last = int(state["epoch"]), self._recipe.epochs
        rest = "goes on from there" if epochs < last else "is done; delete the file to train again"
        print(f"{checkpoint}: epoch {epochs} of {last}, of the same recipe and data; training {rest}", file=sys.stderr)
        return epochs

    def save(self, checkpoint: Path, epochs: int) -> None:
        """Leave what `resume` takes up: whole or not at all, so that a kill leaves the epoch before."""
        state: dict[str, Any] = {name: changing.state_dict() for name, changing in self._changing.items()}
        state |= {**self._origin, "epoch": epochs}
        part = checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(checkpoint)

    def epoch(self, number: int, groups: list[list[TrainingWindow]]) -> dict[str, float]:
        """A step for each group of windows; the mean losses."""
        recipe = self._recipe
        torch.manual_seed(recipe.seed + number)
        chooser = random.Random(recipe.seed + number)
        self._network.train()
        weights = torch.tensor([recipe.tagging_weight, recipe.relation_weight, 1.0, recipe.distil])
        sums, seen = torch.zeros(len(weights)), 0
        bar = tqdm(groups, desc=f"epoch {number + 1}/{recipe.epochs}", unit="batch", mininterval=5)
        for step, group in enumerate(bar, start=1):
            batch = collate(group, self._network.space, chooser, recase=recipe.recase)
            if self._teacher and self._scrambler and chooser.random() < recipe.scramble:
                with self._products():
                    distance = self._network.distance(self._scrambler(batch.inputs), self._teacher)
                self._step(recipe.distil * distance)
            else:
                with self._products():
                    losses = torch.stack(self._network.losses(batch, self._teacher))
                self._step(losses @ weights)
                sums += losses.detach()
                seen += 1
            if step % 20 == 0 and seen:
                bar.set_postfix({name: f"{value:.3f}" for name, value in _means(sums / seen).items() if value})
        return _means(sums / max(seen, 1))

    def _products(self) -> AbstractContextManager[object]:
        """Matrices are multiplied in bfloat16 within, if recipe and processor allow; sums and weights stay in fp32."""
        return torch.autocast("cpu", torch.bfloat16, enabled=self._short)

    def _step(self, loss: Tensor) -> None:
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        self._schedule.step()


def _means(losses: Tensor) -> dict[str, float]:
    return dict(zip(Losses._fields, losses.tolist(), strict=True))
