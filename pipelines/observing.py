"""Observe: events as log lines (text, or one JSON object a line), and counts for Prometheus.

Neither holds text of a document: a line says where something came from and how much there was of it.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    start_http_server,
)

from kg_sink.history import present
from pipelines.output import printable
from pipelines.summary import distributions, totals
from transforms.counting import EVENTS

_LATENCY = (0.5, 1, 2, 5, 10, 30, 60, 300)  # seconds


class _Format(logging.Formatter):
    def __init__(self, json_lines: bool) -> None:
        super().__init__()
        self._json = json_lines

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "fields", {})
        if self._json:
            line = {"time": present(), "level": record.levelname, "event": record.getMessage(), **fields}
            return json.dumps(line, ensure_ascii=True, default=str)
        # One line an event, whatever a file's name holds.
        shown = " ".join(f"{name}={printable(str(value))}" for name, value in fields.items()).replace("\n", "\\n")
        return f"{present()[:19]} {record.getMessage()} {shown}".rstrip()


def log_events(form: str, *, documents: bool) -> None:
    """Log this process's events to standard error as `text` or `json`; of single `documents` only if asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format(form == "json"))
    if not documents:
        handler.addFilter(lambda record: record.getMessage() != "written")
    EVENTS.handlers = [handler]
    EVENTS.setLevel(logging.INFO)
    EVENTS.propagate = False


class Metrics:
    """What a watch counts, for Prometheus."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        counts = {
            "documents": ("documents written", "format"),
            "statements": ("statements of documents written", "relation"),
            "entities": ("entities of documents written", "type"),
            "dead": ("documents that failed", "stage"),
            "linking": ("entities that the register knows, or does not", "outcome"),
        }
        self._counts = {group: self._counter(group, text, label) for group, (text, label) in counts.items()}
        self._seconds = self._counter("stage_seconds", "time that a stage worked", "stage")
        self._calls = self._counter("stage_calls", "calls of a stage; its seconds over these are its latency", "stage")
        self._batched = self._counter("stage_elements", "elements of these calls: over them, the batch's fill", "stage")
        self.retracted = Counter("tripleflow_retracted", "documents withdrawn", registry=self.registry)
        self.rounds = self._counter("rounds", "rounds of the watch", "outcome")
        self.waiting = Gauge("tripleflow_waiting_files", "files seen and not read yet", registry=self.registry)
        self.delay = Histogram(
            "tripleflow_delay_seconds",
            "from a file's last change to the graph",
            buckets=_LATENCY,
            registry=self.registry,
        )

    def _counter(self, name: str, text: str, label: str) -> Counter:
        return Counter(f"tripleflow_{name}", text, [label], registry=self.registry)

    def add(self, result: Any) -> dict[str, dict[str, int]]:
        """Add what a finished Beam run counted; returns its totals."""
        counted = totals(result)
        for group, counter in self._counts.items():
            for name, amount in counted.get(group, {}).items():
                counter.labels(name).inc(amount)
        for name, amount in counted.get("microseconds", {}).items():
            self._seconds.labels(name).inc(amount / 1e6)
        measured = distributions(result)
        for counter, group, part in ((self._calls, "call", 0), (self._batched, "batch", 1)):
            for name, found in measured.get(group, {}).items():
                counter.labels(name).inc(found[part])
        return counted

    def serve(self, port: int) -> int:
        """Answer on http://127.0.0.1:PORT/metrics (0: any free port); returns the port.

        Raises:
            OSError: the port is taken.
        """
        server, _ = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        return int(server.server_port)
