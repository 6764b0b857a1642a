"""The lines of a file of annotations, as its readers count them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line that is not blank.

    Line feeds alone end lines: a text may hold what else ends them (U+2028), and JSON need not escape it.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            yield number, line
