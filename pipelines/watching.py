"""Watch: what comes, changes and goes in folders → the graph, round by round, until it is told to stop.

A round is one bounded run of the main job over the files that changed; so batch and stream are one pipeline. What was
read is remembered in the graph itself, after it was written: a watch that is killed begins its last round again, which
changes nothing that was done. (Beam's local runner does not run unbounded sources: it collects them first.)
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from apache_beam.io.filesystem import BeamIOError
from apache_beam.options.pipeline_options import PipelineOptions

from kg_sink.connection import GraphError, resolve_target
from kg_sink.history import present
from kg_sink.migrations import prepare
from kg_sink.server import ServerError
from kg_sink.sources import begin_sources, finish_sources, read_sources, take_back_begin, withdraw_sources
from pipelines import structure
from pipelines.observing import Metrics
from transforms.counting import event
from transforms.extracting import extract
from transforms.holding import held, manifest_digest
from transforms.letter_box import forget_before, put_letter
from transforms.reading.inputs import exactly
from transforms.reading.watching import Changes, Watcher
from transforms.records import DeadLetter
from transforms.schema import load_schema

#: Files that a round takes at most, so that their effects are seen, and a stop is heard, in good time.
MOST = 200
#: A file during which the pipeline was killed so often is read by itself; and then given up.
ALONE, GIVEN_UP = 2, 5
_WARM = "Ann Lee has worked for Acme Ltd in Rome since 2 May 2020. It sold 1,200 tonnes for EUR 3 million in 2021."
_LONGEST_WAIT = 30.0  # seconds between two tries of a graph or filesystem that does not answer


@dataclass
class Watch:
    """The state of a watch."""

    options: PipelineOptions
    job: structure.Job
    watcher: Watcher
    metrics: Metrics
    interval: float  # seconds between two listings
    suspects: dict[str, int]  # path → how often a process has died over it

    def __post_init__(self) -> None:
        self._looked_at = _look(self.job.model)
        self._tried = self._looked_at
        self._begun: set[str] = set()  # what the graph counts as begun by this process

    def run(self, stop: threading.Event) -> None:
        """Go on until `stop` is set; the round under way is finished first."""
        # The first file is not to wait for what is loaded on first use.
        extract([_WARM], held(self.job.model, self.job.bundle), self.job.schema, threads=1)
        finished = sum(map(bool, self.watcher.known.values()))
        event("watching", inputs=list(self.job.inputs), known=finished, model=self.job.model)
        wait = self.interval
        while not stop.is_set():
            try:
                self._renew_model()
                busy = self._poll(stop)
                wait = 0.0 if busy else self.interval
            except (OSError, BeamIOError, GraphError, ServerError) as error:
                wait = min(_LONGEST_WAIT, max(1.0, 2 * wait))
                self.metrics.rounds.labels("retried").inc()
                event("retrying", cause=" ".join(str(error).split()), seconds=wait)
            stop.wait(wait)
        with suppress(GraphError):  # which may be why the last round failed
            self._take_back()
        event("stopped")

    def _poll(self, stop: threading.Event) -> bool:
        """Bring what changed into the graph; whether there was anything."""
        changes = self.watcher.poll()
        self.metrics.waiting.set(self.watcher.waiting)
        paths = sorted(changes.read, key=lambda path: (self.suspects.get(path, 0) >= ALONE, path))
        if changes.gone:
            self._withdraw(changes)
        while paths and not stop.is_set():
            alone = self.suspects.get(paths[0], 0) >= ALONE
            some = [path for path in paths[: 1 if alone else MOST] if alone or self.suspects.get(path, 0) < ALONE]
            paths = paths[len(some) :]
            self._round({path: changes.read[path] for path in some})
            self.metrics.waiting.set(len(paths))
        return bool(changes.read or changes.gone)

    def _withdraw(self, changes: Changes) -> None:
        self.job = self._connected(self.job).renewed(())
        count = withdraw_sources(self.job.connection, changes.gone, present())
        if "://" not in self.job.dead_letters:
            forget_before(Path(self.job.dead_letters), self.job.run, changes.gone)
        self.watcher.done(Changes(gone=changes.gone))
        self.metrics.retracted.inc(count)
        event("withdrawn", files=len(changes.gone), documents=count)

    def _round(self, stamps: dict[str, str]) -> None:
        job = self.job = self._connected(self.job).renewed([exactly(path) for path in stamps])
        begun = time.monotonic()
        given_up = [path for path in stamps if self.suspects.get(path, 0) >= GIVEN_UP]
        if given_up:
            error = RuntimeError(f"{given_up[0]}: ended the pipeline {GIVEN_UP} times; mend it, or take it away")
            self._bury(given_up[0], error)
        else:
            self._begin(stamps)
            try:
                counted = self.metrics.add(structure.run(self.options, job))
            except GraphError:
                raise  # what was begun is taken back when the graph answers
            except Exception as error:
                self._take_back()
                self._apart(stamps, error)
                return
            self._report(stamps, counted, time.monotonic() - begun)
        self._done(stamps)

    def _begin(self, stamps: dict[str, str]) -> None:
        self._take_back()
        begin_sources(self.job.connection, _storable(stamps))
        self._begun.update(_storable(stamps))
        self.watcher.begun(stamps)

    def _take_back(self) -> None:
        """Of rounds that failed, count nothing against their files: this process lives."""
        take_back_begin(self.job.connection, self._begun)
        self._begun.clear()

    def _done(self, stamps: dict[str, str]) -> None:
        finish_sources(self.job.connection, {path: stamps[path] for path in _storable(stamps)})
        self.watcher.done(Changes(read=stamps))
        self._begun.difference_update(stamps)
        for path in stamps:
            self.suspects.pop(path, None)

    def _report(self, stamps: dict[str, str], counted: dict[str, dict[str, int]], seconds: float) -> None:
        now = time.time()
        for stamp in stamps.values():
            self.metrics.delay.observe(max(0.0, now - float(stamp.partition(":")[2])))
        self.metrics.rounds.labels("done").inc()
        sums = {name: sum(counted.get(name, {}).values()) for name in ("documents", "statements", "dead")}
        event("round", files=len(stamps), **sums, seconds=round(seconds, 3))

    def _apart(self, stamps: dict[str, str], error: Exception) -> None:
        """A run failed as a whole, which no single document should make it do: find the one by halves."""
        self.metrics.rounds.labels("failed").inc()
        paths = sorted(stamps)
        event("round failed", files=len(paths), cause=" ".join(str(error).split())[:500])
        if len(paths) == 1:
            self._bury(paths[0], error)
            self._done(stamps)
            return
        for half in (paths[: len(paths) // 2], paths[len(paths) // 2 :]):
            self._round({path: stamps[path] for path in half})

    def _bury(self, path: str, error: Exception) -> None:
        letter = DeadLetter.of(path, "run", error, path)
        put_letter(Path(self.job.dead_letters), self.job.run, self.job.options, letter)
        event("failed", uri=path, stage="run", cause=letter.cause)

    def _connected(self, job: structure.Job) -> structure.Job:
        """The job with a graph that answers: an embedded server that was killed is started again."""
        connection = resolve_target(self.options.view_as(structure.StructureOptions).graph)
        if connection != job.connection:
            prepare(connection, job.schema)
        return replace(job, connection=connection)

    def _renew_model(self) -> None:
        """Take the bundle that is now where the job's model is, once it rests and if it is whole."""
        looked_at = _look(self.job.model)
        if looked_at != self._looked_at:
            self._looked_at = looked_at  # still being copied, perhaps
            return
        if looked_at == self._tried:
            return
        self._tried = looked_at
        try:
            wanted = manifest_digest(self.job.model)
            bundle = held(self.job.model, wanted)
        except Exception as error:  # whatever a broken file makes its readers raise
            event("model refused", cause=" ".join(str(error).split()))
            return
        asked = self.options.view_as(structure.StructureOptions).schema
        if not asked and load_schema(bundle.schema) != self.job.schema:
            event("model refused", cause="it brings another schema; start a watch of its own for it")
            return
        if wanted != self.job.bundle:
            self.job = replace(self.job, bundle=wanted)
            event("model taken", model=bundle.manifest.model)


def open_watch(options: PipelineOptions, interval: float, metrics: Metrics) -> Watch:
    """Check a job's options, and take up what the graph knows of its inputs.

    Raises:
        what `structure.check` raises.
    """
    job = structure.check(options, may_be_empty=True)
    sources = read_sources(job.connection)
    # What was begun and not finished has no stamp: it is read again, or withdrawn if it went.
    known = {path: stamp for path, (stamp, _) in sources.items()}
    suspects = {path: tries for path, (_, tries) in sources.items() if tries}
    return Watch(options, job, Watcher(job.inputs, known, job.own), metrics, interval, suspects)


def _look(folder: str) -> tuple[tuple[str, int, int], ...]:
    """What a bundle's folder looks like: (name, size, time of change) of its files."""
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries if e.is_file()))
    except OSError:
        return ()


def _storable(paths: Sequence[str] | dict[str, str]) -> list[str]:
    """The paths that the graph can hold: those whose names are UTF-8."""
    return [path for path in paths if path.encode("utf-8", "replace").decode() == path]
