"""Dead letters: what becomes of the one document that a stage fails on, by Beam's own exception handling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.ml.inference.base import ModelHandler, RunInference

from transforms.counting import TimedDoFn
from transforms.records import Analysis, DeadLetter, Document, Resolved, Structured
from transforms.segmenting import Segmented

Element = Document | Segmented | Analysis | Resolved | Structured


def document_of(element: Element) -> Document:
    """The document that an element of any stage is about."""
    match element:
        case Segmented() | Analysis():
            return element.document
        case Resolved():
            return element.analysis.document
        case Structured():
            return element.resolved.analysis.document
    return element


def letter(stage: str, element: Element, error: BaseException) -> DeadLetter:
    """The dead letter of an element that `stage` failed on."""
    document = document_of(element)
    found = DeadLetter.of(document.uri, stage, error, document.source)
    return found.of_message(document.source or document.uri) if document.version else found


def _letter_of_failure(failure: tuple[Element, tuple[type[BaseException], str, list[str]]], stage: str) -> DeadLetter:
    element, (kind, _, trace) = failure
    # The last line of a formatted traceback is "Class: message".
    message = "".join(trace[-1:]).partition(": ")[2] or kind.__name__
    found = letter(stage, element, ValueError(message))
    return DeadLetter(found.id, found.uri, found.stage, found.cause, kind.__name__, found.replay)


class Guarded(beam.PTransform):
    """A stage whose failures become dead letters: (good, dead) for a PCollection."""

    def __init__(self, stage: str, work: beam.DoFn) -> None:
        super().__init__(stage.capitalize())
        self._stage, self._work = stage, work

    def expand(self, elements: beam.PCollection) -> Any:
        """Run the stage."""
        work = beam.ParDo(TimedDoFn(self._stage, self._work))
        good, bad = elements | "Run" >> work.with_exception_handling()
        return good, bad | "Letters" >> beam.Map(_letter_of_failure, self._stage)


class GuardedInference(beam.PTransform):
    """RunInference with a handler that answers a document's failure with its dead letter: (good, dead)."""

    def __init__(self, stage: str, handler: ModelHandler) -> None:
        super().__init__(stage.capitalize())
        self._handler = handler

    def expand(self, elements: beam.PCollection) -> Any:
        """Run the handler and split off the failures."""
        results = elements | "Run" >> RunInference(self._handler)
        split = results | "Split" >> beam.FlatMap(_split).with_outputs("dead", main="good")
        return split.good, split.dead


def _split(result: object) -> Iterator[object]:
    yield pvalue.TaggedOutput("dead", result) if isinstance(result, DeadLetter) else result
