"""Encode once, tag, relate: segmented documents → analyses, by Beam's RunInference or without Beam.

`analyse` is the plain function. `StructureModelHandler` is what RunInference runs: Beam collects documents into
batches by their number of subtokens; inside a batch, the windows of each document are sorted by length and run in
small rectangles, several side by side.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from transforms.bundle import Bundle, load_bundle
from transforms.companies import company_end, company_start, follows_company, registered_in
from transforms.counting import add_seconds
from transforms.countries import is_before_country
from transforms.dead_letters import letter
from transforms.features import WindowTokens
from transforms.holding import held
from transforms.patterns import (
    contact_span,
    has_job_behind,
    pattern_mentions,
    postcode_start,
    street_span,
    title_end,
)
from transforms.records import VALUE_TYPES, Analysis, DeadLetter, Mention, Relation
from transforms.relations import WindowMention, WindowRelation, relate
from transforms.schema import Schema
from transforms.segmenting import Segmented
from transforms.tagging import WordSpan, tag

#: Windows of a document that one thread works on at a time.
_SHARE = 8
#: Subtokens that Beam collects before it calls the model.
BATCH_SUBTOKENS = 32_768


@dataclass(frozen=True, slots=True)
class _Part:
    """One window's share of a document's analysis."""

    mentions: list[Mention]
    relations: list[WindowRelation]


def default_threads(workers: int = 1) -> int:
    """Sessions to run side by side in each of `workers` processes of this machine."""
    return max(1, len(os.sched_getaffinity(0)) // max(1, workers))


def analyse(
    bundle: Bundle, schema: Schema, documents: Iterable[Segmented], pool: ThreadPoolExecutor | None = None
) -> Iterator[Analysis]:
    """Run the models over documents; results in their order, each the same whatever else is in the batch.

    With a pool, all documents are begun at once, so that the first can be worked on while the others run.

    A rectangle never holds windows of two documents: the scales of int8 activations are taken from the whole
    rectangle, so that a document's confidences would depend on its neighbours, and a second run would not
    repeat them.
    """
    labels = _labels_by_kind(bundle, schema)

    def begin(document: Segmented) -> tuple[Segmented, list[list[int]], Iterator[list[_Part]]]:
        order = sorted(range(len(document.windows)), key=lambda w: len(document.windows[w]))
        groups = [order[first : first + _SHARE] for first in range(0, len(order), _SHARE)]
        found = pattern_mentions(document.document.text)
        formal = [(start, end, labels[kind]) for start, end, kind in found if kind in labels]

        def work(group: Sequence[int]) -> list[_Part]:
            return _share(bundle, schema, document, [document.windows[w] for w in group], formal, labels)

        return document, groups, (pool.map if pool else map)(work, groups)

    for document, groups, results in [*map(begin, documents)] if pool else map(begin, documents):
        parts = dict(zip(chain.from_iterable(groups), chain.from_iterable(results), strict=True))
        yield _assemble(bundle, document, [parts[w] for w in range(len(parts))])


def _share(
    bundle: Bundle,
    schema: Schema,
    document: Segmented,
    windows: Sequence[WindowTokens],
    formal: Sequence[tuple[int, int, str]],
    labels: Mapping[str, str],
) -> list[_Part]:
    tagged = tag(bundle, windows)
    mentions = [
        _merge(bundle, schema, window, _with_forms(document.document.text, window, spans, labels), formal, labels)
        for window, spans in zip(windows, tagged.spans, strict=True)
    ]
    relations = relate(bundle, schema, tagged, windows, mentions)
    return [
        _Part([_mention(document, window, found) for found in here], joined)
        for window, here, joined in zip(windows, mentions, relations, strict=True)
    ]


def _merge(
    bundle: Bundle,
    schema: Schema,
    window: WindowTokens,
    spans: Sequence[WordSpan],
    formal: Sequence[tuple[int, int, str]],
    labels: Mapping[str, str],
) -> list[WindowMention]:
    """The tagger's spans and the formal ones of a window, mapped to the schema's types.

    What has a form (see `patterns`) replaces what the tagger says of values, and of its parts ("EUR", "May"; "Amina" of
    "Ms Amina El-Khatib"); but a company by its form alone gives way to any name that does not begin where it does.
    """
    begin, stop = window.spans[0, 0], window.spans[-1, 1]
    near = formal[bisect_right(formal, begin, key=itemgetter(1)) : bisect_left(formal, stop, key=itemgetter(0))]
    exact = [span for start, end, label in near if (span := _formal_span(window, start, end, label)) is not None]
    named = [s for s in spans if not _is_value(schema, s.label)]
    told = {(s.first, s.last, s.label) for s in named}
    exact = [e for e in exact if (e.first, e.last, e.label) not in told]
    begun = {s.first for s in named}
    sure = {e for e in exact if e.label != labels.get("Organisation") or e.first in begun}
    exact = [e for e in exact if not any(_overlap(e, s) and not (e in sure and _inside(s, e)) for s in named)]
    rest = [s for s in spans if not any(_overlap(e, s) for e in exact)]
    merged = sorted([*exact, *rest], key=lambda s: s.first)
    return [
        WindowMention(span, schema.type_of_label[span.label], bundle.types.index(span.label))
        for span in merged
        if span.label in schema.type_of_label
    ]


def _with_forms(
    text: str, window: WindowTokens, spans: Sequence[WordSpan], labels: Mapping[str, str]
) -> list[WordSpan]:
    """The tagger's spans; what has a legal form is an organisation, a street with its number a place, whatever it was
    tagged as, and a person's title or a town's postcode is no part of the name. What was tagged beside it gives way to
    what belongs to it, and what lies in an e-mail address, or is a postcode, goes.
    """
    found, parts = [], set[WordSpan]()
    numeric = {labels.get("Number"), labels.get("Date")}  # what a house's number and a postcode are taken for
    names = {labels.get("Person"), labels.get("Organisation"), labels.get("Location")}
    here = text[window.spans[0, 0] : window.spans[-1, 1]]
    contacts = any(sign in here for sign in ("@", "://", "www."))
    for span in spans:
        if _is_no_name(text, _bounds(window, span), span.label in names, contacts):
            continue
        formed = _formed(text, window, span, labels) if span not in parts else span
        if formed != span:
            # What lies inside the span itself is of another layer, and stays.
            beside = [s for s in spans if _overlap(s, formed) and not _overlap(s, span)]
            if all(_inside(s, formed) or s.label in numeric for s in beside):
                span = formed
                parts.update(beside)
        found.append(span)
    return [span for span in found if span not in parts]


def _is_no_name(text: str, bounds: tuple[int, int], named: bool, contacts: bool) -> bool:
    """Whether a span is a part of an address of mail or web, or, tagged as a name, all of one or a postcode."""
    contact = contact_span(text, *bounds) if contacts else None
    return bool(contact and (named or contact != bounds)) or (named and postcode_start(text, *bounds) == bounds[0])


def _formed(text: str, window: WindowTokens, span: WordSpan, labels: Mapping[str, str]) -> WordSpan:
    start, end = _bounds(window, span)
    company, person, place = map(labels.get, ("Organisation", "Person", "Location"))
    if company and (stop := company_end(text, start, end)) is not None:
        label, bounds = company, (company_start(text, start, end), stop)
    elif place and (street := street_span(text, start, end, span.label == place)) is not None:
        label, bounds = place, street
    elif span.label == person:
        label, bounds = span.label, (title_end(text, start, end), end)
    elif place and span.label == company and (is_before_country(text, end) or follows_company(text, start)):
        label, bounds = place, (start, end)
    elif place and span.label == company and (registered := registered_in(text, start, end)) is not None:
        label, bounds = place, registered
    elif person and span.label in (company, place) and has_job_behind(text, start, end):
        label, bounds = person, (start, end)
    elif span.label == place and (code := postcode_start(text, start, end)) is not None:
        label, bounds = span.label, (start, code)
    else:
        return span
    first = int(window.spans[:, 0].searchsorted(bounds[0]))
    last = int(window.spans[:, 1].searchsorted(bounds[1], side="right"))
    first = min(first, span.last - 1)
    return replace(span, first=first, last=max(first + 1, last), label=label)


def _bounds(window: WindowTokens, span: WordSpan) -> tuple[int, int]:
    """Where a span stands in the document's text."""
    return int(window.spans[span.first, 0]), int(window.spans[span.last - 1, 1])


def _is_value(schema: Schema, label: str) -> bool:
    return label in VALUE_TYPES or schema.kinds.get(schema.type_of_label.get(label, "")) in VALUE_TYPES


def _labels_by_kind(bundle: Bundle, schema: Schema) -> dict[str, str]:
    """What `patterns` finds → the model's label for it, if the schema has one: the same name, or one read like it."""
    known = [label for label in reversed(bundle.types) if label in schema.type_of_label]
    return {schema.kinds[schema.type_of_label[label]]: label for label in known} | {label: label for label in known}


def _formal_span(window: WindowTokens, start: int, end: int, label: str) -> WordSpan | None:
    first = int(window.spans[:, 0].searchsorted(start))
    last = int(window.spans[:, 1].searchsorted(end, side="right"))
    inside = first < last and window.spans[first, 0] == start and window.spans[last - 1, 1] == end
    # "Units sold: 12\nMarch 2024": what a sentence begins with is no end of what stands in the one before.
    inside = inside and window.sentences[first] == window.sentences[last - 1]
    in_core = window.core[0] <= first < window.core[1]
    return WordSpan(first, last, label, 1.0) if inside and in_core else None


def _overlap(one: WordSpan, other: WordSpan) -> bool:
    return one.first < other.last and other.first < one.last


def _inside(one: WordSpan, other: WordSpan) -> bool:
    return other.first <= one.first and one.last <= other.last


def _mention(document: Segmented, window: WindowTokens, found: WindowMention) -> Mention:
    start, end = _bounds(window, found.span)
    sentence = int(window.sentences[found.span.first])
    text = document.document.text[start:end]
    return Mention(start, end, found.type, text, round(found.span.confidence, 4), sentence)


def _assemble(bundle: Bundle, document: Segmented, parts: Sequence[_Part]) -> Analysis:
    mentions: list[Mention] = []
    relations: list[Relation] = []
    for part in parts:
        shift = len(mentions)
        mentions += part.mentions
        relations += [Relation(r.head + shift, r.name, r.tail + shift, round(r.confidence, 4)) for r in part.relations]
    return Analysis(document.document, document.sentences, tuple(mentions), tuple(relations), bundle.manifest.model)


class StructureModelHandler(ModelHandler[Segmented, "Analysis | DeadLetter", Bundle]):
    """Runs a bundle of the task `structure` over segmented documents."""

    def __init__(
        self, path: str, schema: Schema, wanted: str | None = None, *, threads: int = 1, clocked: bool = False
    ) -> None:
        """`wanted` is the digest of the bundle's manifest (`holding.held`), whatever is at `path` without it.

        `threads` sessions run side by side in each process; `clocked` bounds the wait for a full batch.
        """
        # Beam's batches by length need real-time timers, which not every runner has; without them the number of
        # subtokens bounds the batch. The windows are sorted inside it in either case.
        waiting: dict[str, Any] = (
            {
                "max_batch_duration_secs": 1,
                "batch_length_fn": len,
                "batch_bucket_boundaries": [256, 1024, 4096, 16384],
                "max_batch_size": 256,
            }
            if clocked
            else {"max_batch_size": BATCH_SUBTOKENS, "min_batch_size": BATCH_SUBTOKENS, "element_size_fn": len}
        )
        super().__init__(**waiting)
        self._path, self._schema, self._wanted, self._threads = path, schema, wanted, threads

    def load_model(self) -> Bundle:
        """Verify the bundle and open its sessions, once a process."""
        return held(self._path, self._wanted) if self._wanted else load_bundle(self._path)

    def update_model_path(self, model_path: str | None = None) -> None:
        """Take another bundle from the next load on (RunInference's side input)."""
        if model_path:
            self._path, self._wanted = model_path, None

    def run_inference(
        self, batch: Sequence[Segmented], model: Bundle, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Analysis | DeadLetter]:
        """Analyse a batch; if that fails, each document by itself, so that one bad document harms no other."""
        begin = time.perf_counter()
        pool = ThreadPoolExecutor(self._threads)
        try:
            return list(analyse(model, self._schema, batch, pool))
        except Exception:
            pool.shutdown(cancel_futures=True)  # what has not begun
            with ThreadPoolExecutor(self._threads) as other:
                return list(other.map(lambda document: self._alone(model, document), batch))
        finally:
            pool.shutdown()
            add_seconds("analyse", time.perf_counter() - begin, len(batch))

    def _alone(self, model: Bundle, document: Segmented) -> Analysis | DeadLetter:
        try:
            return next(analyse(model, self._schema, [document]))
        except Exception as error:
            return letter("analyse", document.document, error)

    def get_num_bytes(self, batch: Sequence[Segmented]) -> int:
        """Bytes of the arrays of a batch."""
        return sum(16 * len(document) for document in batch)

    def get_metrics_namespace(self) -> str:
        """Where Beam files the metrics."""
        return "tripleflow_structure"

    def validate_inference_args(self, inference_args: Mapping[str, Any] | None) -> None:
        """None are taken."""
