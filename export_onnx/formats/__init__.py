"""Readers of annotated data, one a format: a file → examples with the file's own labels (re3d, redocred: ours)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from export_onnx.config import Source
from export_onnx.examples import Example
from export_onnx.formats import addresses, brat, columns, events, gum, jsonl, re3d, redocred

#: Format → its reader. Each raises `ValueError` that names the file, the line and the remedy.
FORMATS: dict[str, Callable[[Path, Source], list[Example]]] = {
    "conll": columns.conll,
    "jsonl": jsonl.read,
    "brat": brat.read,
    "conll04": columns.conll04,
    "redocred": redocred.read,
    "re3d": re3d.read,
    "phee": events.phee,
    "casie": events.casie,
    "usaddress": addresses.read,
    "gum": gum.read,
}
