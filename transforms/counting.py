"""Count: what a run made, as Beam counters that any runner keeps, and how long each stage took."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms.records import DeadLetter, Structured

NAMESPACE = "tripleflow"
#: What happened, an event a record; its `fields` are for machines (`pipelines.observing`).
EVENTS = logging.getLogger("tripleflow.events")


def _add(group: str, name: str, amount: int = 1) -> None:
    Metrics.counter(NAMESPACE, f"{group}/{name}").inc(amount)


def event(name: str, **fields: Any) -> None:
    """Log an event; nothing in its fields is a document's text."""
    EVENTS.info(name, extra={"fields": fields})


def count_structured(found: Structured) -> Structured:
    """Count a written document and what it holds, and log it: where it came from and how much, never what it says."""
    resolved = found.resolved
    document = resolved.analysis.document
    event(
        "written",
        uri=document.uri,
        document=document.id,
        format=document.format,
        characters=len(document.text),
        mentions=len(resolved.analysis.mentions),
        statements=len(found.statements),
        model=resolved.analysis.model,
    )
    _add("documents", document.format)
    _add("mentions", "all", len(resolved.analysis.mentions))
    for entity in resolved.entities:
        _add("entities", entity.type)
        if entity.value is None:
            _add("linking", "linked" if entity.register_id else "nil")
    for statement in found.statements:
        _add("statements", statement.relation)
    _add("evidence", "all", len(found.evidence))
    return found


def count_dead(letter: DeadLetter) -> DeadLetter:
    """Count a dead letter by its stage, and log it."""
    event("failed", uri=letter.uri, stage=letter.stage, cause=letter.cause)
    _add("dead", letter.stage)
    return letter


class TimedDoFn(beam.DoFn):
    """Another DoFn, with the microseconds that it worked added up under its stage's name."""

    def __init__(self, stage: str, work: beam.DoFn) -> None:
        self._stage, self._work = stage, work

    def setup(self) -> None:
        """Set the other up."""
        self._work.setup()

    def process(self, element: Any) -> Iterable[Any]:
        """Process, timed."""
        begin = time.perf_counter()
        try:
            return list(self._work.process(element) or ())
        finally:
            add_seconds(self._stage, time.perf_counter() - begin)

    def teardown(self) -> None:
        """Tear the other down."""
        self._work.teardown()


class FunctionDoFn(beam.DoFn):
    """One element in, one out, by a plain function."""

    def __init__(self, work: Any, *arguments: Any) -> None:
        self._work, self._arguments = work, arguments

    def process(self, element: Any) -> Iterator[Any]:
        """Call the function."""
        yield self._work(element, *self._arguments)


def add_seconds(stage: str, seconds: float, elements: int = 1) -> None:
    """Add to the time that a stage worked, on a batch of `elements`."""
    microseconds = round(seconds * 1_000_000)
    _add("microseconds", stage, microseconds)
    Metrics.distribution(NAMESPACE, f"call/{stage}").update(microseconds)
    Metrics.distribution(NAMESPACE, f"batch/{stage}").update(elements)
