"""Output: rows as a table, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

FORMATS = ("table", "json", "csv")


def show(rows: Sequence[Mapping[str, Any]], form: str, console: Console | None = None) -> None:
    """Print rows in one of `FORMATS`."""
    console = console or Console(width=None if sys.stdout.isatty() else 160)
    if form == "json":
        print(json.dumps(list(rows), ensure_ascii=False, indent=1, default=str))
    elif form == "csv":
        print(_csv(rows), end="")
    elif not rows:
        console.print("nothing found")
    else:
        table = Table(box=box.SIMPLE_HEAD)
        for name in rows[0]:
            table.add_column(escape(name), overflow="fold", justify="right" if _numeric(rows, name) else "left")
        for row in rows:
            table.add_row(*(_cell(row.get(name)) for name in rows[0]))
        console.print(table)


def _numeric(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return all(isinstance(row.get(name), (int, float, type(None))) for row in rows)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1 else f"{value:,.2f}"
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


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
