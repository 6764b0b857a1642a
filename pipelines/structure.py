"""The main job: documents → knowledge graph.

    python -m pipelines.structure --input='reports/**' --graph=bolt://localhost:7687 [Beam options]

Read → segment → encode, tag, relate → resolve → type → link → state → write, each stage with its dead letters.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    CrossLanguageOptions,
    DirectOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
)

from kg_sink.connection import GraphError, is_uri, resolve_target
from kg_sink.history import stamp
from kg_sink.messages import RetractMessages
from kg_sink.migrations import prepare
from kg_sink.server import Connection
from kg_sink.sources import withdraw_vanished
from kg_sink.writing import WriteGraph, WriteJob
from pipelines.progress import Tap
from transforms.bundle import DEFAULT_BUNDLE, check_task, find_bundle, verify
from transforms.counting import FunctionDoFn, count_dead, count_structured
from transforms.dead_letters import Guarded, GuardedInference
from transforms.holding import SHIPPED, manifest_digest
from transforms.inference import StructureModelHandler, default_threads
from transforms.letter_box import WriteLetters, forget_before, inputs_to_replay, read_letters
from transforms.linking import link_handler
from transforms.reading import DEFAULT_LIMITS, Limits
from transforms.reading.inputs import InputError, ReadInputs, expand_inputs, inputs_within, limits_of
from transforms.reading.queues import Queue, ReadQueue, check_queues, is_queue, parse_queue
from transforms.register import load_register
from transforms.resolving import resolve
from transforms.schema import Schema, load_schema
from transforms.segmenting import SegmentDoFn
from transforms.stating import state
from transforms.tables import WriteTables
from transforms.typing import has_subtypes, typing_handler


class StructureOptions(PipelineOptions):
    """What this job takes beside Beam's own options."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument("--input", action="append", default=[], help="file, folder, glob or queue; repeatable")
        parser.add_argument("--graph", default="graph", help="bolt://… or neo4j://…, or an embedded graph's folder")
        parser.add_argument("--schema", help="YAML file of entity and relation types (default: the model's)")
        parser.add_argument("--register", help="CSV, JSONL or Parquet of known entities")
        parser.add_argument("--parquet", help="folder for the tables, in place of an earlier run's")
        parser.add_argument("--dead_letters", default="dead-letters", help="folder for what failed")
        parser.add_argument("--model", default=str(DEFAULT_BUNDLE), help="a model bundle")
        parser.add_argument("--text_column", default="text", help="text column of JSONL and Parquet")
        parser.add_argument("--limit", action="append", default=[], help="NAME=VALUE of a limit on inputs; repeatable")
        parser.add_argument("--replace_models", action="store_true", help="withdraw what other models said")


@dataclass(frozen=True)
class Job:
    """A checked job: everything that the pipeline needs is there and can be used."""

    inputs: tuple[str, ...]
    connection: Connection
    schema: Schema
    model: str
    bundle: str  # digest of the model's manifest
    register: str | None
    parquet: str | None
    dead_letters: str
    text_column: str
    run: str
    now: str
    progress: str | None = None
    log: str | None = None
    replace_models: bool = False
    queues: tuple[Queue, ...] = ()
    limits: Limits = DEFAULT_LIMITS
    own: tuple[str, ...] = ()  # real paths of the folders that it writes to, which are no inputs
    options: Mapping[str, str] = field(default_factory=dict)  # what a replay of its dead letters takes over

    def renewed(self, inputs: Sequence[str]) -> Job:
        """The same job over other inputs, as a run of its own that starts now."""
        started = datetime.now(UTC)
        return replace(self, inputs=tuple(inputs), run=_run_name(started), now=stamp(started))


def _run_name(started: datetime) -> str:
    return started.strftime("run-%Y%m%dT%H%M%S.%fZ")


def check(
    options: PipelineOptions, *, progress: str | None = None, log: str | None = None, may_be_empty: bool = False
) -> Job:
    """Check a job's options before anything runs: folders, schema, register, bundle, and that the graph takes writes.

    `progress` is a folder for the workers' counts, `log` how they log events (`text` or `json`).

    Raises:
        InputError, SchemaError, RegisterError, BundleError, GraphError, ServerError: one line each.
    """
    given = options.view_as(StructureOptions)
    if not given.input:
        raise InputError("no --input; name a file, a folder or a glob")
    limits = limits_of(given.limit)
    queues = _queues(options, [text for text in given.input if is_queue(text)])
    inputs = expand_inputs([text for text in given.input if not is_queue(text)], may_be_empty=may_be_empty)
    for option, folder in (("--parquet", given.parquet), ("--dead-letters", given.dead_letters)):
        if folder and "://" not in folder:
            _check_folder(option, folder)
    if "://" not in given.dead_letters:
        read_letters(Path(given.dead_letters))
    manifest = verify(find_bundle(given.model))
    check_task(manifest)
    schema = load_schema(given.schema or manifest.schema)
    if given.register:
        load_register(given.register, schema)
    connection = resolve_target(given.graph)
    prepare(connection, schema)
    started = datetime.now(UTC)
    places = (given.graph, given.dead_letters, given.parquet)
    return Job(
        inputs=tuple(inputs),
        connection=connection,
        schema=schema,
        model=str(manifest.path),
        bundle=manifest_digest(manifest.path),
        register=given.register,
        parquet=given.parquet,
        dead_letters=given.dead_letters,
        text_column=given.text_column,
        run=_run_name(started),
        now=stamp(started),
        progress=progress,
        log=log,
        replace_models=given.replace_models,
        queues=queues,
        limits=limits,
        own=tuple(os.path.realpath(path) for path in places if path and "://" not in path),
        options=_to_replay(given, manifest.path),
    )


def _check_folder(option: str, folder: str) -> None:
    """Raise an `InputError` if files cannot be written into a folder, or it cannot be made; nothing is made here."""
    place = os.path.abspath(folder)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    try:
        TemporaryFile(dir=place).close()
    except OSError as error:
        where = folder if place == os.path.abspath(folder) else f"{folder}: {place}"
        raise InputError(f"{option} {where}: {error.strerror}; name a folder that can be written to") from error


def _to_replay(given: StructureOptions, model: Path) -> dict[str, str]:
    """The options that decide what is read and said of a file, and where, if they are not the usual ones."""
    paths = {"schema": given.schema, "register": given.register, "model": model if model != DEFAULT_BUNDLE else None}
    options = {name: os.path.abspath(path) for name, path in paths.items() if path}
    if given.graph != "graph":
        options["graph"] = given.graph if is_uri(given.graph) else os.path.abspath(given.graph)
    if given.text_column != "text":
        options["text_column"] = given.text_column
    return options


def check_names(arguments: Sequence[str]) -> None:
    """Refuse what is nearly an option of this job (`--dead-letters`): Beam would drop it without a word.

    Raises:
        InputError: names the option that was meant.
    """
    known = option_names()
    ours = StructureOptions([]).get_all_options(current_only=True)
    for name in (text[2:].partition("=")[0] for text in arguments if text.startswith("--")):
        near = difflib.get_close_matches(name, ours, n=1, cutoff=0.8)
        if name not in known and near:
            raise InputError(f"no option --{name}; did you mean --{near[0]}?")


def option_names() -> dict[str, bool]:
    """Every name of every option, this job's and Beam's (several for some) → whether it is a flag, without a value."""
    names: dict[str, bool] = {}

    def note(parser: ArgumentParser) -> None:
        for action in parser._actions:  # argparse has no public list of them
            names.update({text.removeprefix("--"): action.nargs == 0 for text in action.option_strings})

    PipelineOptions([]).get_all_options(add_extra_args_fn=note)
    return names


def _queues(options: PipelineOptions, texts: Sequence[str]) -> tuple[Queue, ...]:
    queues = tuple(parse_queue(text) for text in texts)
    if queues:
        if options.view_as(StructureOptions).parquet:
            raise InputError("--parquet: a stream writes no tables; write them with a run over files, on a schedule")
        standard = options.view_as(StandardOptions)
        standard.streaming = True
        services = options.view_as(CrossLanguageOptions).beam_services
        check_queues(queues, str(standard.runner or "DirectRunner"), services)
    return queues


def build(pipeline: beam.Pipeline, job: Job) -> None:
    """Compose the stages."""
    documents, retractions, lost = _read(pipeline, job)
    dead = [lost]
    if retractions is not None:
        _, lost = retractions | "Retract" >> RetractMessages(job.connection)
        dead.append(lost)
    compose(documents, dead, job, clocked=_has_clock(pipeline.options.view_as(StandardOptions)))


def compose(documents: beam.PCollection, dead: list[beam.PCollection], job: Job, *, clocked: bool) -> None:
    """Compose what comes after reading: Documents, and dead letters of what cannot be read → graph, tables, letters.

    `clocked` bounds the time that a batch waits to be full, which needs a runner with real-time timers.
    """
    workers = documents.pipeline.options.view_as(DirectOptions).direct_num_workers
    folder = SHIPPED if Path(job.model) == DEFAULT_BUNDLE else job.model
    handler = StructureModelHandler(
        folder,
        job.schema,
        job.bundle,
        threads=default_threads(workers or 1),
        clocked=clocked,
    )
    segmented, lost = documents | Guarded("segment", SegmentDoFn(folder, job.bundle))
    dead.append(lost)
    analysed, lost = segmented | GuardedInference("analyse", handler)
    dead.append(lost)
    found, lost = analysed | Guarded("resolve", FunctionDoFn(resolve, job.schema))
    dead.append(lost)
    if has_subtypes(job.schema):
        found, lost = found | GuardedInference("type", typing_handler(job.schema, clocked=clocked))
        dead.append(lost)
    if job.register:
        found, lost = found | GuardedInference("link", link_handler(job.register, job.schema, clocked=clocked))
        dead.append(lost)
    structured, lost = found | Guarded("state", FunctionDoFn(state, job.schema))
    dead.append(lost)
    written, lost = structured | "Write" >> WriteGraph(_writing(job), clocked=clocked)
    dead.append(lost)
    tap = Tap(job.progress, job.log)
    counted = written | "Count" >> beam.Map(count_structured) | "Progress" >> beam.ParDo(tap)
    if job.parquet:
        counted | "Tables" >> WriteTables(job.parquet)
    letters = tuple(dead) | beam.Flatten() | "CountDead" >> beam.Map(count_dead)
    shown = letters | "ProgressDead" >> beam.ParDo(tap)
    shown | "Letters" >> WriteLetters(job.dead_letters, job.run, job.options)


def _read(pipeline: beam.Pipeline, job: Job) -> Any:
    """Documents, Retractions (None without queues) and dead letters of all inputs."""
    if not job.queues:
        documents, lost = pipeline | "Read" >> ReadInputs(job.inputs, job.text_column, job.limits, job.own)
        return documents, None, lost
    read = [pipeline | ReadQueue(queue, job.text_column, job.limits) for queue in job.queues]
    documents, retractions, dead = ([found[kind] for found in read] for kind in range(3))
    if job.inputs:
        found, lost = pipeline | "Read" >> ReadInputs(job.inputs, job.text_column, job.limits, job.own)
        documents.append(found)
        dead.append(lost)
    return (
        documents | "Documents" >> beam.Flatten(),
        retractions | "Retractions" >> beam.Flatten(),
        dead | "Unread" >> beam.Flatten(),
    )


def _writing(job: Job) -> WriteJob:
    return WriteJob(job.connection, job.schema, None if job.queues else job.now, job.replace_models)


def _has_clock(options: StandardOptions) -> bool:
    """Whether batches may wait for a time: in a stream, and not on the local runner, which has no real-time timers."""
    runner = str(options.runner or "DirectRunner")
    return bool(options.streaming) and not runner.endswith("DirectRunner")


def run(options: PipelineOptions, job: Job) -> Any:
    """Run the job to its end; returns Beam's result.

    Raises:
        GraphError: the graph stopped answering.
        KeyboardInterrupt: the user ended it, whatever Beam made of that.
    """
    folders = [Path(folder) for folder in (job.parquet, job.dead_letters) if folder and "://" not in folder]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    before = _half_written(folders)
    # The pipeline's functions live in installed modules; nothing of __main__ needs to travel.
    options.view_as(SetupOptions).save_main_session = False
    pipeline = beam.Pipeline(options=options)
    build(pipeline, job)
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except BaseException as error:
        for left in _half_written(folders) - before:
            shutil.rmtree(left, ignore_errors=True)
        if _interrupted(error):
            raise KeyboardInterrupt from None
        lost = _graph_lost(error)
        if lost is None:
            raise
        raise GraphError(f"{job.connection.uri}: the graph stopped answering ({lost}); {_AGAIN}") from error
    finish(job)
    return result


def _half_written(folders: Iterable[Path]) -> set[Path]:
    """Where Beam keeps the parts of files that a run has not finished; it leaves them there if the run fails."""
    return {path for folder in folders for path in folder.glob("beam-temp-*")}


def _interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C is what ended a run; Beam raises what comes up in a stage as a RuntimeError with its text."""
    return any(isinstance(e, KeyboardInterrupt) or str(e).startswith("KeyboardInterrupt") for e in _chain(error))


_AGAIN = "run the same again: what was written stays, and nothing is written twice"


def _graph_lost(error: BaseException) -> str | None:
    """What the driver said if it lost the graph; Beam raises that again with a text of its own."""
    for one in _chain(error):
        name = type(one).__name__
        if name in ("ServiceUnavailable", "SessionExpired") or "ServiceUnavailable" in str(one):
            return name
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    found: BaseException | None = error
    while found:
        yield found
        found = found.__cause__ or found.__context__


#: Where a row without an id failed, or attachments were too many: nobody knows which documents these were.
_NAMELESS = re.compile(r"#(row-\d+|attachments)( \(\d+\))?$")


def finish(job: Job) -> None:
    """After a run, of the files that it read: withdraw rows and attachments that are gone, drop old dead letters."""
    if "://" in job.dead_letters:
        return  # what failed cannot be told here from what is gone
    folder = Path(job.dead_letters)
    letters = read_letters(folder)
    failed = {_NAMELESS.sub("", filed.letter.uri) for filed in letters if filed.run == job.run}
    withdraw_vanished(job.connection, failed, job.now)
    # What failed again has a letter of this run.
    forget_before(folder, job.run, inputs_within(job.inputs, inputs_to_replay(letters)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from a scheduler: no progress bar, a log line at the end; 1 if every document failed, 2 on what ended it."""
    from pipelines.summary import totals

    # Importing Beam may have set up the root logger already.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    given = list(arguments if arguments is not None else sys.argv[1:])
    options = PipelineOptions(given)
    try:
        check_names(given)
        counts = totals(run(options, check(options)))
    except (ValueError, RuntimeError, OSError) as error:
        logging.error("%s", " ".join(str(error).split()))
        return 2
    documents, failed = sum(counts.get("documents", {}).values()), sum(counts.get("dead", {}).values())
    logging.info(
        "%d documents, %d statements, %d dead letters", documents, sum(counts.get("statements", {}).values()), failed
    )
    return 1 if failed and not documents else 0


if __name__ == "__main__":
    raise SystemExit(main())
