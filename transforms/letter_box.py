"""The letter box: dead letters as JSON lines, one file a run, and how they are listed, shown and put to rest."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue

from transforms.records import DeadLetter


class WriteLetters(beam.PTransform):
    """DeadLetter → `<folder>/<run>-….jsonl`, in a stream a file a minute; no file if there are none.

    `options` are those of the run that its inputs are to be read again with.
    """

    def __init__(self, folder: str, run: str, options: Mapping[str, str]) -> None:
        super().__init__()
        self._options = options
        self._prefix = f"{folder.rstrip('/')}/{run}"

    def expand(self, letters: beam.PCollection) -> Any:
        """Write them."""
        lines = letters | "Encode" >> beam.Map(encode, self._options)
        if not letters.is_bounded:
            # Batches have no time of their own; it decides which file a letter goes to, and that none is too late.
            lines = lines | "Now" >> beam.Map(lambda line: TimestampedValue(line, time.time()))
        return lines | "Write" >> beam.io.WriteToText(
            self._prefix, file_name_suffix=".jsonl", num_shards=1, skip_if_empty=True, triggering_frequency=60
        )


def put_letter(folder: Path, run: str, options: Mapping[str, str], letter: DeadLetter) -> None:
    """File one letter of a run, with its options, that did not come to its end; `folder` is local."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{run}-alone-00000-of-00001.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{encode(letter, options)}\n")


def encode(letter: DeadLetter, options: Mapping[str, str]) -> str:
    """One JSON line, with the options of the letter's run."""
    return json.dumps(asdict(letter.of_run(options)), sort_keys=True)  # ASCII: a name may hold what ends a line


@dataclass(frozen=True, slots=True)
class Filed:
    """A letter, and the run that wrote it."""

    letter: DeadLetter
    run: str


def read_letters(folder: Path) -> list[Filed]:
    """Every input's latest letter, oldest first.

    Raises:
        ValueError: a line is not a letter; names file and line.
    """
    latest: dict[str, Filed] = {}
    for path in _files(folder):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                letter = DeadLetter(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}, line {number}: not a dead letter ({error}); delete the line") from error
            latest.pop(letter.id, None)
            latest[letter.id] = Filed(letter, _run(path))
    return list(latest.values())


def inputs_to_replay(filed: Iterable[Filed]) -> list[str]:
    """The input files to read again, each once; letters of messages have none."""
    return list(options_to_replay(filed))


def options_to_replay(filed: Iterable[Filed]) -> dict[str, dict[str, str]]:
    """Input file to read again → the options of the run in which it failed last."""
    replays = [dict(found.letter.replay) for found in filed if "input" in found.letter.replay]
    return {replay.pop("input"): replay for replay in replays}


def forget_before(folder: Path, run: str, inputs: Iterable[str]) -> None:
    """Drop the letters of `inputs` that runs before `run` wrote."""
    again = set(inputs)
    for path in _files(folder):
        if _run(path) >= run:
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["replay"].get("input") not in again]
        if kept:
            path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        else:
            path.unlink()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("run-*.jsonl"))


def _run(path: Path) -> str:
    # "run-20260301T101500.000000Z-00000-of-00001.jsonl", or with a window before the shard's number.
    return "-".join(path.name.split("-", 2)[:2])
