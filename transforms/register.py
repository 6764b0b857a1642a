"""The user's register of known entities: reading it, and finding candidates in it.

Columns: `id`, `name`, `aliases` (a list, or one text with `|` between), `type`, `description`. Only `id`, `name`
and `type` are needed; a register may have columns of its own beside them. CSV, JSONL or Parquet.
"""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from transforms.names import LONGEST, name_key
from transforms.schema import Kinds, Schema
from transforms.user_files import cut, misspelt_field

_NEEDED = ("id", "name", "type")
_FIELDS = (*_NEEDED, "aliases", "description")
_HALF = re.compile("[\ud800-\udfff]")


class RegisterError(ValueError):
    """A register that cannot be used: names the file, the row, the field and the remedy."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One known entity."""

    id: str
    name: str
    aliases: tuple[str, ...]
    type: str
    description: str

    @property
    def spellings(self) -> tuple[str, ...]:
        """The name and the aliases."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class Register:
    """All entries, and the ways into them."""

    entries: tuple[Entry, ...]
    kinds: Kinds

    def find(self, kind: str, name: str) -> tuple[int, ...]:
        """Entries of an entity type that have a name, however it is spelled."""
        return self.by_key.get((kind, name_key(self.kinds[kind], name)), ())

    def find_any(self, name: str) -> tuple[int, ...]:
        """Entries of any type that have a name."""
        return tuple(row for kind in self._types for row in self.find(kind, name))

    @cached_property
    def _types(self) -> list[str]:
        return sorted({entry.type for entry in self.entries})

    @cached_property
    def by_key(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """(type, name key) → entries one of whose spellings has it."""
        found: dict[tuple[str, str], dict[int, None]] = defaultdict(dict)
        for index, entry in enumerate(self.entries):
            for spelling in entry.spellings:
                found[entry.type, name_key(self.kinds[entry.type], spelling)][index] = None
        return {place: tuple(rows) for place, rows in found.items()}


def load_register(path: str | Path, schema: Schema) -> Register:
    """Read and check a register.

    Raises:
        RegisterError: unreadable file, missing or misspelt column, empty or repeated id, a type that the schema lacks,
            or a text that the graph cannot hold.
    """
    path = Path(path)
    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise RegisterError(f"{path}: a register is CSV, JSONL or Parquet; name it .csv, .jsonl or .parquet")
    entries: list[Entry] = []
    seen: dict[str, int] = {}
    try:
        for row, fields in reader(path):
            entry = _entry(path, row, fields, schema)
            if seen.setdefault(entry.id, row) != row:
                raise RegisterError(
                    f"{path}, row {row}: field 'id': {cut(entry.id)!r} stands in row {seen[entry.id]} too"
                )
            entries.append(entry)
    except RegisterError:
        raise
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise RegisterError(f"{path}: the register cannot be read ({error}); give a readable UTF-8 file") from error
    return Register(tuple(entries), schema.kinds)


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        names = reader.fieldnames or ()
        if doubled := next((name for name in names if name and names.count(name) > 1), None):
            raise RegisterError(f"{path}, row 1: two columns are called {doubled!r}; rename one, or take it out")
        for row, fields in enumerate(reader, start=2):
            yield row, dict(fields)


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for row, line in enumerate(file, start=1):
            if line.strip():
                try:
                    fields = json.loads(line, object_pairs_hook=_once)
                except ValueError as error:
                    raise RegisterError(f"{path}, row {row}: not valid JSON ({error}); mend the row") from error
                if not isinstance(fields, dict):
                    raise RegisterError(f"{path}, row {row}: expected an object with the fields {', '.join(_NEEDED)}")
                yield row, fields


def _once(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields:
        if name in found:
            raise ValueError(f"{cut(name)!r} stands twice")
        found[name] = value
    return found


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    yield from enumerate(pq.read_table(path).to_pylist(), start=1)


def _entry(path: Path, row: int, fields: dict[str, Any], schema: Schema) -> Entry:
    # Under None, a CSV row has what its header has no names for.
    if problem := misspelt_field(tuple(name for name in fields if isinstance(name, str)), _FIELDS):
        raise RegisterError(f"{path}, row {row}: {problem}")
    for field in _NEEDED:
        if (value := fields.get(field)) is None or not str(value).strip():
            raise RegisterError(f"{path}, row {row}: field {field!r} is missing or empty; every row needs one")
    kind = str(fields["type"]).strip()
    if kind not in schema.entities:
        near = difflib.get_close_matches(kind, schema.entities, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the schema has {', '.join(schema.entities)}"
        raise RegisterError(f"{path}, row {row}: field 'type': no entity type {cut(kind)!r}; {hint}")
    entry = Entry(
        str(fields["id"]).strip(),
        str(fields["name"]).strip(),
        tuple(_aliases(fields.get("aliases"))),
        kind,
        str(fields.get("description") or "").strip(),
    )
    _check(entry, f"{path}, row {row}")
    return entry


def _check(entry: Entry, place: str) -> None:
    fields = {"id": (entry.id,), "name": (entry.name,), "aliases": entry.aliases, "description": (entry.description,)}
    for field, texts in fields.items():
        if any(_HALF.search(text) for text in texts):
            raise RegisterError(f"{place}: field {field!r} holds half a character (a lone surrogate); correct it")
        if field != "description" and any(len(text) > LONGEST for text in texts):
            raise RegisterError(f"{place}: field {field!r} is over {LONGEST:,} characters; shorten it")


def _aliases(value: object) -> Iterable[str]:
    parts = value if isinstance(value, (list, tuple)) else str(value or "").split("|")
    return [str(part).strip() for part in parts if part is not None and str(part).strip()]
