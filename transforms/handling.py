"""Handle: what RunInference runs for a stage that looks at one resolved document at a time (linking, typing)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from apache_beam.ml.inference.base import ModelHandler

from transforms.counting import add_seconds
from transforms.dead_letters import letter
from transforms.records import DeadLetter, Resolved

M = TypeVar("M")


class DocumentHandler(ModelHandler[Resolved, "Resolved | DeadLetter", M], Generic[M]):
    """Applies a stage's plain function to each document; one that fails becomes a dead letter."""

    def __init__(
        self, stage: str, load: Callable[[], M], work: Callable[[M, Resolved], Resolved], *, clocked: bool = False
    ) -> None:
        """`load` makes the model once a process; it and `work` travel to the workers, so they are functions of modules.

        `clocked` bounds the wait for a full batch, which needs a runner with real-time timers.
        """
        waiting: dict[str, Any] = {"max_batch_duration_secs": 1} if clocked else {"min_batch_size": 8}
        super().__init__(max_batch_size=64, **waiting)
        self._stage, self._load, self._work = stage, load, work

    def load_model(self) -> M:
        """What `load` makes."""
        return self._load()

    def run_inference(
        self, batch: Sequence[Resolved], model: M, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Resolved | DeadLetter]:
        """Each document by itself."""
        begin = time.perf_counter()
        try:
            return [self._alone(model, document) for document in batch]
        finally:
            add_seconds(self._stage, time.perf_counter() - begin, len(batch))

    def _alone(self, model: M, document: Resolved) -> Resolved | DeadLetter:
        try:
            return self._work(model, document)
        except Exception as error:
            return letter(self._stage, document, error)

    def get_metrics_namespace(self) -> str:
        """Where Beam files the metrics."""
        return f"tripleflow_{self._stage}"

    def validate_inference_args(self, inference_args: Mapping[str, Any] | None) -> None:
        """None are taken."""
