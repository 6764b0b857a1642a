"""Progress: workers of this machine leave their counts in small files; the command line adds them up."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam

from pipelines.observing import log_events
from transforms.records import DeadLetter, Structured

#: Seconds between two writes of one worker.
EVERY = 0.2


class Tap(beam.DoFn):
    """Passes elements on and counts them, in a folder if there is one; has its process log events if `log` says how."""

    def __init__(self, folder: str | None, log: str | None = None) -> None:
        self._folder, self._log = folder, log

    def setup(self) -> None:
        """Start from nothing."""
        if self._log:  # a worker is another process than the one that was told so
            log_events(self._log, documents=True)
        self._counts = {"documents": 0, "statements": 0, "failures": 0}
        self._written = 0.0

    def process(self, element: Structured | DeadLetter) -> Iterator[Any]:
        """Count one."""
        if isinstance(element, DeadLetter):
            self._counts["failures"] += 1
        else:
            self._counts["documents"] += 1
            self._counts["statements"] += len(element.statements)
        if self._folder and time.monotonic() - self._written > EVERY:
            self._write()
        yield element

    def finish_bundle(self) -> None:
        """Leave nothing uncounted."""
        if self._folder:
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        target = Path(str(self._folder)) / f"{os.getpid()}-{id(self)}.json"
        part = target.with_suffix(".part")
        part.write_text(json.dumps(self._counts), encoding="utf-8")
        part.replace(target)


def read_progress(folder: Path) -> dict[str, int]:
    """The counts of all workers so far."""
    total = {"documents": 0, "statements": 0, "failures": 0}
    for path in folder.glob("*.json"):
        try:
            counts = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # just being replaced
        for name in total:
            total[name] += counts.get(name, 0)
    return total
