"""A watch as a user runs it, in a process of its own, with its events read as they come."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Event = dict[str, Any]
PATIENCE = 120  # seconds; only a broken watch takes so long


class RunningWatch:
    """`tripleflow run --watch`, its events, and ways to end it."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "pipelines.cli", "run", "--watch", *arguments, "--log", "json"]
        self.process = subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, text=True)
        self.events: list[Event] = []
        self._other: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.events.append(json.loads(line))
            except ValueError:
                self._other.append(line)

    def wait_for(self, name: str, wanted: Callable[[Event], bool] = lambda _: True, after: int = 0) -> Event:
        """The first event of a name, from the place `after` on, that is as wanted."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for event in self.events[after:]:
                if event["event"] == name and wanted(event):
                    return event
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"no event {name!r}; {self.events[-3:]} {''.join(self._other)}")

    def written(self, name: str, after: int = 0) -> Event:
        """The event of a document (end of its URI), once its round is done."""
        event = self.wait_for("written", lambda e: e["uri"].endswith(name), after)
        self.wait_for("round", after=self.events.index(event))
        return event

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, as a scheduler does; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> RunningWatch:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
