"""Tables of texts (JSONL, Parquet): a document per row."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import chain
from typing import Any

from transforms.reading import Content, Limits, ReadError, one_line

Row = tuple[str, Content | ReadError]  # a fragment for the URI, and the row or what is wrong with it

_SAMPLE = 100  # rows that are looked at before a column is said to be missing
_BATCH = 256  # rows
_USED = ("id", "title", "date")  # columns that are used if they are there


def read_jsonl(content: bytes, limits: Limits, text_column: str = "text") -> Iterator[Row]:
    """Read JSON objects, one a line; rows are numbered by line, from 1.

    Raises:
        ReadError: none of the first objects has the text column.
    """
    rows = _parse_lines(content)
    sample = []
    for row in rows:
        sample.append(row)
        if len(sample) == _SAMPLE:
            break
    objects = [value for _, value in sample if isinstance(value, dict)]
    if objects and not any(text_column in value for value in objects):
        raise _missing(text_column, sorted({str(name) for value in objects for name in value}))
    for number, value in chain(sample, rows):
        yield _row(number, value, text_column)


def _parse_lines(content: bytes) -> Iterator[tuple[int, Any]]:
    """The number of each line that is not blank, and its value or the error it made."""
    for number, line in enumerate(io.BytesIO(content), 1):
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not line.strip():
            continue
        try:
            yield number, json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            yield number, ReadError(f"is no valid JSON in UTF-8 ({error}): correct the line")


def read_parquet(content: bytes, limits: Limits, text_column: str = "text") -> Iterator[Row]:
    """Read the rows of a Parquet file, numbered from 1.

    Raises:
        ReadError: it is no Parquet file, truncated, damaged or without the text column.
    """
    from pyarrow import ArrowException, BufferReader, parquet

    try:
        names = parquet.read_schema(BufferReader(content)).names
        if text_column not in names:
            raise _missing(text_column, names)
        # Read as a dictionary, a long text that is repeated in many rows takes its memory once.
        table = parquet.ParquetFile(BufferReader(content), read_dictionary=[text_column])
        _check_ratio(table.metadata, len(content), limits)
        columns = [text_column, *(name for name in _USED if name in names and name != text_column)]
        number = 0
        for batch in table.iter_batches(batch_size=_BATCH, columns=columns):
            for index in range(batch.num_rows):
                number += 1
                yield _row(number, {name: batch[name][index].as_py() for name in columns}, text_column)
    except (ArrowException, OSError) as error:
        raise ReadError(f"is truncated or damaged, or no Parquet file ({error}): fetch the file again") from error


def _check_ratio(metadata: Any, packed: int, limits: Limits) -> None:
    unpacked = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if unpacked > limits.max_ratio * packed:
        raise ReadError(
            f"unpacks to {unpacked // packed:,} times its size, over the limit of {limits.max_ratio:,}: "
            "it may be a bomb; if it is not, raise max_ratio"
        )


def _missing(column: str, names: list[str]) -> ReadError:
    listed = ", ".join(map(repr, names[:30])) + (" …" if len(names) > 30 else "")
    return ReadError(f"has no column {column!r}: name the column that holds the text; there are {listed or 'none'}")


def _row(number: int, value: Any, text_column: str) -> Row:
    name = f"row-{number}"
    if isinstance(value, ReadError):
        return name, value
    if not isinstance(value, dict):
        return name, ReadError(f"is a JSON {type(value).__name__}, not an object: write one object a line")
    identifier = one_line(str(value.get("id") if value.get("id") is not None else ""), 200)
    name = identifier.replace("#", "_") or name
    if text_column not in value:
        return name, _missing(text_column, sorted(map(str, value)))
    text = value[text_column]
    if text is None:
        return name, ReadError(f"the column {text_column!r} is empty: there is nothing to read in it")
    if not isinstance(text, str):
        return name, ReadError(f"the column {text_column!r} holds {type(text).__name__}, not text")
    return name, Content(text, _title(value), iso_date(value.get("date")))


def _title(row: Mapping[str, Any]) -> str:
    title = row.get("title")
    return title if isinstance(title, str) else ""


def iso_date(value: Any) -> str | None:
    """A date in ISO 8601; None if the value is none."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        return datetime.fromisoformat(value).date().isoformat() if isinstance(value, str) else None
    except ValueError:
        return None
