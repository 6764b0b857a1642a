"""Output: rows as a table, JSON or CSV; the first two show nothing that would steer a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

FORMATS = ("table", "json", "csv")

#: What a terminal would carry out or turn around in place of showing it: control characters (ESC among them) and marks
#: of the direction of text. Lone surrogates cannot be written at all.
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Text as a terminal may have it: what it would not show stands there escaped, as in Python."""
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def show(rows: Sequence[Mapping[str, Any]], form: str, console: Console | None = None) -> None:
    """Print rows in one of `FORMATS`."""
    console = console or Console(width=None if sys.stdout.isatty() else 160)
    if form == "json":
        text = json.dumps(list(rows), ensure_ascii=False, indent=1, default=str)
        print(_UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))  # means the same to who parses it
    elif form == "csv":
        print(_csv(rows), end="")
    elif not rows:
        console.print("nothing found")
    else:
        table = Table(box=box.SIMPLE_HEAD)
        for name in rows[0]:
            table.add_column(
                escape(printable(name)), overflow="fold", justify="right" if _numeric(rows, name) else "left"
            )
        for row in rows:
            table.add_row(*(_cell(row.get(name)) for name in rows[0]))
        console.print(table)


def save(out: str, text: str) -> None:
    """Write what a command's `--out` names, in a folder that is made if need be.

    Raises:
        ValueError: it cannot be written there.
    """
    try:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"--out {out}: {error.strerror}; name a file that can be written") from error


def _numeric(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return all(isinstance(row.get(name), (int, float, type(None))) for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1 else f"{value:,.2f}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return escape(printable(text))


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        cells = (row.get(name) for name in rows[0])
        writer.writerow([json.dumps(c, ensure_ascii=False) if isinstance(c, (list, dict)) else c for c in cells])
    return text.getvalue()
