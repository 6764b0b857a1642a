"""Run the main job from the command line: check its options, show its progress, print its summary."""

from __future__ import annotations

import difflib
import logging
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import click
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kg_sink.connection import is_uri
from pipelines import observing, structure, watching
from pipelines.output import printable
from pipelines.progress import read_progress
from pipelines.summary import print_summary, totals
from transforms.counting import event
from transforms.letter_box import options_to_replay, read_letters
from transforms.reading.queues import is_queue


def run_job(arguments: list[str], options: dict[str, Any]) -> int:
    """Run; `arguments` are inputs with Beam's options among them. Returns the exit code.

    Raises:
        UsageError: no input, or an option that neither this command nor Beam knows.
        ValueError, RuntimeError: see `structure.check`.
    """
    _log(options["verbose"])
    inputs, passed = _inputs(arguments)
    if options.get("log"):
        observing.log_events(options["log"], documents=True)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="tripleflow-") as progress:
        beam_options = pipeline_options(inputs, options, passed)
        job = structure.check(beam_options, progress=progress, log=options.get("log"))
        if job.parquet and "://" not in job.parquet and any(Path(job.parquet).glob("documents-*.parquet")):
            click.echo(printable(f"--parquet {job.parquet}: the tables of an earlier run are replaced"), err=True)
        begin = time.monotonic()
        with _ProgressBar(Path(progress), console):
            result = structure.run(beam_options, job)
        seconds = time.monotonic() - begin
    counts = totals(result)
    letters = [filed for filed in read_letters(Path(job.dead_letters)) if filed.run == job.run]
    print_summary(counts, letters, seconds, _places(job, options), Console(highlight=False))
    documents, failed = sum(counts.get("documents", {}).values()), sum(counts.get("dead", {}).values())
    if failed and not documents:
        click.echo("tripleflow: every document failed; see: tripleflow dead-letters list", err=True)
    return 1 if failed and not documents else 0


def run_watch(arguments: list[str], options: dict[str, Any]) -> int:
    """Watch the inputs until SIGINT or SIGTERM; the round under way is finished. Returns the exit code.

    Raises:
        UsageError: no input, an option that nobody knows, or one that a watch cannot keep.
        ValueError, RuntimeError: see `structure.check`.
    """
    _log(options["verbose"])
    inputs, passed = _inputs(arguments)
    if any(map(is_queue, inputs)):
        raise click.UsageError("--watch is for folders; a queue is read until the run is stopped, without it")
    if options["parquet"]:
        raise click.UsageError("--parquet: a watch writes no tables; write them with a run of its own, on a schedule")
    if options["workers"] > 1:
        raise click.UsageError("--workers: a watch works in one process; start a second one over other folders")
    observing.log_events(options["log"] or "text", documents=options["log"] is not None)
    metrics = observing.Metrics()
    if options["metrics_port"] is not None:
        try:
            port = metrics.serve(options["metrics_port"])
        except OSError as error:
            wanted = f"--metrics-port {options['metrics_port']}"
            raise click.UsageError(f"{wanted}: {error.strerror}; give another, or 0 for any that is free") from error
        event("metrics", url=f"http://127.0.0.1:{port}/metrics")
    found = watching.open_watch(pipeline_options(inputs, options, passed), options["interval"], metrics)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    found.run(stop)
    return 0


def run_again(folder: str, options: dict[str, Any]) -> int:
    """Run the inputs of a folder's dead letters again, as they were run where `options` say nothing else.

    Into the graph under `target`, if neither the letters nor `options` say which under `graph`. Returns the exit code.

    Raises:
        UsageError: tables are wanted, of inputs that were run in different ways.
        ValueError, RuntimeError: see `structure.check`.
    """
    filed = read_letters(Path(folder))
    runs: dict[tuple[tuple[str, str], ...], list[str]] = {}  # options that the letters have → inputs
    for text, before in options_to_replay(filed).items():
        if "://" in text or os.path.exists(text):
            kept = sorted((name, value) for name, value in before.items() if not options.get(name))
            runs.setdefault(tuple(kept), []).append(text)
        else:
            click.echo(printable(f"{text}: is not there any more; its letters stay"), err=True)
    if not runs:
        unread = "none of which can be replayed: put back the files that are gone, and send messages again"
        click.echo(f"{len(filed)} letters in {folder}, {unread}" if filed else f"no dead letters in {folder}")
        return 0
    if options["parquet"] and len(runs) > 1:
        names = sorted({f"--{name.replace('_', '-')}" for kept in runs for name, _ in kept})
        raise click.UsageError(f"--parquet: a run replaces tables, and these were run apart; give {', '.join(names)}")
    statuses = [_run_as_before(inputs, dict(kept), folder, options) for kept, inputs in runs.items()]
    again = {text for inputs in runs.values() for text in inputs}
    tried = sum(found.letter.replay.get("input") in again for found in filed)
    click.echo(f"{tried} letters were tried again; those that failed again are listed anew")
    return min(statuses)


def _run_as_before(inputs: list[str], kept: dict[str, str], folder: str, options: dict[str, Any]) -> int:
    if kept:
        shown = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in kept.items())
        click.echo(printable(f"as before, with {shown}"), err=True)
    target = kept.get("graph") or options["graph"] or options["target"]
    again = {"dead_letters": folder, "workers": 1, "verbose": False, **options, **kept, "target": target}
    return run_job(inputs, again)


def _log(verbose: bool) -> None:
    if verbose:
        logging.getLogger().setLevel(logging.INFO)
    else:  # Beam's tracebacks of what ends a run, which is said in a line anyway
        logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)


def _inputs(arguments: list[str]) -> tuple[list[str], list[str]]:
    inputs, passed = split_arguments(arguments)
    if not inputs:
        raise click.UsageError("no INPUT; name a file, a folder or a glob, as in: tripleflow run samples/documents")
    return inputs, passed


def split_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Inputs, and options that are Beam's.

    Raises:
        UsageError: an option that nobody knows, with the nearest one.
    """
    known = structure.option_names()
    ours = {"graph", "schema", "register", "parquet", "dead-letters", "model", "text-column", "workers", "verbose"}
    ours |= {"limit", "replace-models", "watch", "interval", "metrics-port", "log"}
    inputs: list[str] = []
    passed: list[str] = []
    expects = False
    for position, argument in enumerate(arguments):
        if not argument.startswith("--"):
            (passed if expects else inputs).append(argument)
            expects = False
            continue
        name, given, _ = argument[2:].partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known.keys() | ours), n=1)
            hint = f"; did you mean --{near[0]}?" if near else "; see: tripleflow run --help"
            raise click.UsageError(f"no option --{name}{hint}")
        passed.append(argument)
        following = arguments[position + 1] if position + 1 < len(arguments) else "--"
        expects = not given and not following.startswith("--") and not known[name]
    return inputs, passed


def pipeline_options(inputs: list[str], options: dict[str, Any], passed: list[str]) -> PipelineOptions:
    """This command's options as the job's, with Beam's behind them."""
    arguments = [f"--input={text}" for text in inputs] + [f"--limit={text}" for text in options["limit"]]
    arguments.append(f"--graph={options['target']}")
    for name in ("schema", "register", "parquet", "dead_letters", "model", "text_column"):
        if options.get(name):
            arguments.append(f"--{name}={options[name]}")
    if options.get("replace_models"):
        arguments.append("--replace_models")
    if options["workers"] > 1:
        arguments += [f"--direct_num_workers={options['workers']}", "--direct_running_mode=multi_processing"]
        if not options["verbose"]:
            arguments.append("--default_sdk_harness_log_level=ERROR")
    return PipelineOptions([*arguments, *passed])


class _ProgressBar:
    """Shows documents, rate, statements and failures while a job runs."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder, self._console = folder, console
        self._done = threading.Event()

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        text = "{task.fields[documents]} documents ({task.fields[rate]}/s), {task.fields[statements]} statements, "
        columns = (
            SpinnerColumn(),
            BarColumn(20),
            TextColumn(text + "{task.fields[failures]} failures"),
            TimeElapsedColumn(),
        )
        begin = time.monotonic()
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("run", total=None, documents=0, rate="0.0", statements=0, failures=0)
            finished = False
            while not finished:
                finished = self._done.wait(0.25)
                found = read_progress(self._folder)
                rate = found["documents"] / max(time.monotonic() - begin, 0.1)
                fields: dict[str, Any] = {**found, "rate": f"{rate:.1f}"}
                bar.update(task, **fields)
            bar.update(task, total=1, completed=1)


def _places(job: structure.Job, options: dict[str, Any]) -> dict[str, str]:
    target = options["target"]
    graph = target if is_uri(target) else f"{Path(target).resolve()} (embedded, {job.connection.uri})"
    places = {"graph": graph}
    if job.parquet:
        places["tables"] = str(job.parquet)
    places["dead letters"] = str(job.dead_letters)
    return places
