"""Cells: the columns of a text's lines, set with blanks, tabs or "|".

Called by `signatures`, `rosters` and `profiles`; `segmenting` cuts sentences at the same gaps.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

#: What parts columns that are set with blanks.
GAP = re.compile(r"(?<=\S)(?:[ \t]{3,}|\t+)(?=\S)")
_PIPES = re.compile(r"\|")
_MOST = 30  # cells of a line; a hostile one has thousands
_OUT = 2  # characters that what stands below may be out of its column


class Cell(NamedTuple):
    """One column of one line; offsets in the text, without the white space around it.

    Attributes:
        place: characters before it in its line, or its number if "|" parts them.
        piped: whether "|" parts them.
    """

    start: int
    end: int
    place: int
    piped: bool

    def is_above(self, other: Cell) -> bool:
        """Whether another, of a later line, stands in the same column."""
        return self.piped == other.piped and abs(self.place - other.place) <= (0 if self.piped else _OUT)

    def inside(self, starts: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """Those that begin in it, of mentions by where they start, in order."""
        return starts[bisect_left(starts, (self.start,)) : bisect_left(starts, (self.end,))]


def has_columns(text: str) -> bool:
    """Whether any line has."""
    return "|" in text or GAP.search(text) is not None


def rows(text: str) -> Iterator[Sequence[Cell]]:
    """The cells of each line, in order; one, of a line without columns; none, of an empty one."""
    position = 0
    for line in text.split("\n"):
        piped = "|" in line
        bounds = [found.span() for found in islice((_PIPES if piped else GAP).finditer(line), _MOST)]
        starts, ends = [0, *(end for _, end in bounds)], [*(start for start, _ in bounds), len(line)]
        cells = []
        for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
            cell = line[start:end]
            if cell.strip():
                start += len(cell) - len(cell.lstrip())
                cells.append(
                    Cell(position + start, position + start + len(cell.strip()), number if piped else start, piped)
                )
        yield cells
        position += len(line) + 1
