"""Extract: texts → structured records, without a pipeline; for a notebook or a service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transforms.bundle import Bundle, load_bundle
from transforms.inference import analyse, default_threads
from transforms.linking import Linker, link
from transforms.records import Analysis, Document, Structured
from transforms.resolving import resolve
from transforms.schema import Schema, load_schema
from transforms.segmenting import Segmented, segment
from transforms.stating import state
from transforms.typing import Typer, has_subtypes, make_typer, type_entities


def extract(
    texts: Sequence[str],
    bundle: Bundle | str | Path | None = None,
    schema: Schema | None = None,
    linker: Linker | None = None,
    typer: Typer | None = None,
    threads: int | None = None,
) -> list[Structured]:
    """The records that the pipeline makes of texts, one a text, in their order.

    Args:
        texts: plain texts; all offsets in the records point into them.
        bundle: a loaded bundle, the folder of one, or the name of one that ships; the default one, without it.
        schema: the bundle's own, without it.
        linker: links entities to a register (`linking.make_linker`); they keep their own ids without it.
        typer: tells subtypes (`typing.make_typer`); made for this call, without it, if the schema has subtypes.
        threads: windows analysed side by side; the cores of this machine, without it.

    Raises:
        BundleError: the bundle cannot be used.
    """
    loaded = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
    schema = schema or load_schema(loaded.schema)
    typer = (typer or make_typer(schema)) if has_subtypes(schema) else None

    def documents() -> Iterator[Segmented]:
        for number, text in enumerate(texts):
            uri = f"text:{number}"
            document = Document(Document.make_id(uri, text), uri, "txt", "", "und", text)
            yield segment(document, loaded.tokenizer, loaded.window)

    def finish(analysis: Analysis) -> Structured:
        found = resolve(analysis, schema)
        found = found if typer is None else type_entities(typer, found)
        return state(found if linker is None else link(linker, found), schema)

    pool = ThreadPoolExecutor(threads or default_threads())
    try:
        # While the first are finished here, the models run on over the others.
        return [finish(found) for found in analyse(loaded, schema, documents(), pool)]
    finally:
        pool.shutdown(cancel_futures=True)
