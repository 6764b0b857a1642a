"""Tables: structured documents → Parquet files `documents`, `mentions`, `statements` and `evidence`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.parquetio import WriteToParquet

from transforms.records import Structured

Row = dict[str, Any]
_TEXT, _INT, _REAL = pa.string(), pa.int64(), pa.float64()

SCHEMAS: dict[str, pa.Schema] = {
    "documents": pa.schema(
        {
            "id": _TEXT,
            "uri": _TEXT,
            "format": _TEXT,
            "title": _TEXT,
            "language": _TEXT,
            "date": _TEXT,
            "parent": _TEXT,
            "ocr": pa.bool_(),
            "pages": pa.list_(_INT),
            "text": _TEXT,
        }
    ),
    "mentions": pa.schema(
        {
            "id": _TEXT,
            "document": _TEXT,
            "start": _INT,
            "end": _INT,
            "type": _TEXT,
            "text": _TEXT,
            "confidence": _REAL,
            "sentence_start": _INT,
            "sentence_end": _INT,
            "entity": _TEXT,
            "entity_type": _TEXT,
            "entity_name": _TEXT,
            "subtypes": pa.list_(_TEXT),
            "register_id": _TEXT,
            "link_score": _REAL,
            "value": _TEXT,
            "model": _TEXT,
        }
    ),
    "statements": pa.schema({"id": _TEXT, "head": _TEXT, "relation": _TEXT, "tail": _TEXT, "document": _TEXT}),
    "evidence": pa.schema(
        {
            "id": _TEXT,
            "statement": _TEXT,
            "document": _TEXT,
            "start": _INT,
            "end": _INT,
            "text": _TEXT,
            "head_start": _INT,
            "head_end": _INT,
            "tail_start": _INT,
            "tail_end": _INT,
            "confidence": _REAL,
            "model": _TEXT,
        }
    ),
}


def document_rows(found: Structured) -> Iterator[Row]:
    """One row: the document with its text, which every offset in the other tables points into."""
    document = found.resolved.analysis.document
    yield {name: getattr(document, name) for name in SCHEMAS["documents"].names if name != "pages"} | {
        "pages": list(document.pages)
    }


def mention_rows(found: Structured) -> Iterator[Row]:
    """A row a mention, with the entity that it was resolved to."""
    analysis = found.resolved.analysis
    for entity in found.resolved.entities:
        for index in entity.mentions:
            mention = analysis.mentions[index]
            start, end = analysis.sentences[mention.sentence]
            yield {
                "id": mention.id(analysis.document.id),
                "document": analysis.document.id,
                "start": mention.start,
                "end": mention.end,
                "type": mention.type,
                "text": mention.text,
                "confidence": mention.confidence,
                "sentence_start": start,
                "sentence_end": end,
                "entity": entity.id,
                "entity_type": entity.type,
                "entity_name": entity.name,
                "subtypes": list(entity.subtypes),
                "register_id": entity.register_id,
                "link_score": entity.link_score,
                "value": entity.value,
                "model": analysis.model,
            }


def statement_rows(found: Structured) -> Iterator[Row]:
    """A row for each statement of a document: a statement that two documents make has two rows, of one id."""
    for s in found.statements:
        yield {
            "id": s.id,
            "head": s.head,
            "relation": s.relation,
            "tail": s.tail,
            "document": found.resolved.analysis.document.id,
        }


def evidence_rows(found: Structured) -> Iterator[Row]:
    """A row for each piece of evidence."""
    for e in found.evidence:
        yield {name: getattr(e, name) for name in SCHEMAS["evidence"].names}


ROWS: dict[str, Callable[[Structured], Iterator[Row]]] = {
    "documents": document_rows,
    "mentions": mention_rows,
    "statements": statement_rows,
    "evidence": evidence_rows,
}


class WriteTables(beam.PTransform):
    """Structured → `<folder>/<table>-00000-of-0000N.parquet`; a run replaces what the same folder held."""

    def __init__(self, folder: str, shards: int = 1) -> None:
        super().__init__()
        self._folder, self._shards = folder.rstrip("/"), shards

    def expand(self, documents: beam.PCollection) -> None:
        """Write all tables."""
        for name, rows in ROWS.items():
            _ = (
                documents
                | f"{name.capitalize()}Rows" >> beam.FlatMap(rows)
                | f"Write{name.capitalize()}"
                >> WriteToParquet(
                    f"{self._folder}/{name}", SCHEMAS[name], file_name_suffix=".parquet", num_shards=self._shards
                )
            )
