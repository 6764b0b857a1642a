"""Inputs: files, folders and globs of any Beam filesystem → `Document`s, with what cannot be read as dead letters."""

from __future__ import annotations

import difflib
import math
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.io.filesystem import CompressionTypes, FileMetadata, FileSystem
from apache_beam.io.filesystems import FileSystems

from transforms.counting import add_seconds
from transforms.reading import DEFAULT_LIMITS, Limits, ReadError, read_whole
from transforms.reading.isolation import shared_reader
from transforms.records import Blob, DeadLetter, Document

#: What a glob gives a meaning of its own.
_GLOB = re.compile(r"[*?[]")
#: A folder that holds this file is an embedded graph (kg_sink/server.py), and its password lies there.
GRAPH_STATE = "graph-server.json"


class InputError(ValueError):
    """An input, or a limit on inputs, that is none: one line with the nearest right thing."""


def limits_of(given: Sequence[str]) -> Limits:
    """The limits, with some of them (`NAME=VALUE`) other than usual.

    Raises:
        InputError: no limit is called so, or the value is no number from 1 on.
    """
    usual: dict[str, float] = asdict(DEFAULT_LIMITS)
    changed: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in usual:
            near = difflib.get_close_matches(name, usual, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(usual)}"
            raise InputError(f"limit {text}: there is no {name!r}; {hint}")
        try:
            number = float(value)
        except ValueError:
            number = 0
        if not (math.isfinite(number) and number >= 1):
            raise InputError(f"limit {text}: {value!r} is no number from 1 on; write it as {name}={usual[name]}")
        changed[name] = type(usual[name])(number)
    return replace(DEFAULT_LIMITS, **changed)


def expand_inputs(inputs: Sequence[str], *, may_be_empty: bool = False) -> list[str]:
    """Turn files, folders and globs into globs; local paths become absolute, so that ids do not depend on the cwd.

    Raises:
        InputError: an input matches no file; if it `may_be_empty`, only if its folder is not there.
    """
    return [_expand(text, may_be_empty) for text in inputs]


def exactly(path: str) -> str:
    """The glob that matches one path only, whatever brackets its name holds."""
    return _GLOB.sub(r"[\g<0>]", path)


def _expand(text: str, may_be_empty: bool) -> str:
    pattern = _pattern(text)
    if may_be_empty and os.path.isdir(folder_of(pattern)):
        return pattern
    try:
        found = FileSystems.match([pattern], limits=[1])[0].metadata_list
    except Exception as error:
        raise InputError(f"{text}: cannot be read ({' '.join(str(error).split())})") from error
    if not found and "://" not in text and os.path.isdir(text):
        raise InputError(f"{text}: the folder holds no file; put documents into it, or name another")
    if not found:
        raise InputError(f"{text}: no such file or folder{_nearest(pattern)}")
    return pattern


def _pattern(text: str) -> str:
    pattern = text if "://" in text else os.path.abspath(text)
    is_folder = text.endswith("/") or os.path.isdir(pattern)
    if os.path.exists(pattern):
        pattern = exactly(pattern)
    return f"{pattern.rstrip('/')}/**" if is_folder else pattern


def folder_of(pattern: str) -> str:
    """The folder above the first part of a pattern that is a glob."""
    return os.path.dirname(_GLOB.split(pattern, maxsplit=1)[0])


def _nearest(pattern: str) -> str:
    folder, name = os.path.split(pattern)
    if "://" in pattern or not os.path.isdir(folder):
        return ""
    near = difflib.get_close_matches(name, os.listdir(folder), n=1)
    return f"; did you mean {os.path.join(folder, near[0])}?" if near else f"; {folder} has nothing of that name"


def find_files(pattern: str, own: Sequence[str] = ()) -> Iterator[FileMetadata]:
    """The files that a pattern of `expand_inputs` matches, without the hidden ones and those of tripleflow itself.

    Hidden is what has a name, or lies in a folder, that begins with "." below the folder that the pattern begins with,
    unless the rest of the pattern names something hidden itself. Tripleflow's are embedded graphs and the folders `own`
    (real paths, where a run writes to), as far as they lie below the folder that the pattern begins with.
    """
    folder = folder_of(pattern)
    all_of_it = "/." in f"/{pattern.removeprefix(folder)}"
    below = f"{folder.rstrip('/')}/"

    @cache
    def is_own(place: str) -> bool:
        if "://" in place or not place.startswith(below):
            return False
        made = os.path.realpath(place) in own or os.path.exists(os.path.join(place, GRAPH_STATE))
        return made or is_own(os.path.dirname(place))

    for found in FileSystems.match([pattern])[0].metadata_list:
        hidden = not all_of_it and "/." in f"/{found.path.removeprefix(folder)}"
        if not hidden and not is_own(os.path.dirname(found.path)):
            yield found


def inputs_within(patterns: Sequence[str], inputs: Sequence[str]) -> list[str]:
    """Those of `inputs`, which are files or folders, that a run over `patterns` of `expand_inputs` reads.

    Or would read, if they are local and not there any more.
    """
    if not inputs:
        return []  # and nothing is listed, which takes its time on a remote filesystem
    found = {file.path for pattern in patterns for file in find_files(pattern)}
    matching = [regex_of(pattern) for pattern in patterns]

    def is_gone(text: str) -> bool:
        return "://" not in text and not os.path.lexists(text) and any(regex.match(text) for regex in matching)

    return [text for text in inputs if text in found or _pattern(text) in patterns or is_gone(text)]


def regex_of(pattern: str) -> re.Pattern[str]:
    """What matches the paths that a pattern of `expand_inputs` does."""
    return re.compile(FileSystem.translate_pattern(pattern))


class _ReadDoFn(beam.DoFn):
    """(path, bytes) of a file → Documents, read in a process that a file may end; attachments follow their mails."""

    def __init__(self, text_column: str, limits: Limits) -> None:
        self._text_column, self._limits = text_column, limits

    def setup(self) -> None:
        """Take this process's reader; its child starts with the first file, and ends with this process."""
        self._reader = shared_reader()

    def process(self, found: tuple[str, int]) -> Iterator[Any]:
        begin = time.perf_counter()
        results = list(self._read(*found))
        add_seconds("read", time.perf_counter() - begin)
        yield from results

    def _read(self, path: str, size: int) -> Iterator[Document | pvalue.TaggedOutput]:
        try:
            _check_kind(path)
            if size > self._limits.max_bytes:
                raise ReadError(f"{path}: {size:,} bytes, over the limit of {self._limits.max_bytes:,}; split the file")
            with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
                blob = Blob(path, file.read())
        except (OSError, ValueError) as error:
            yield _dead(path, error, path)
            return
        for item in read_whole(blob, self._limits, self._text_column, self._reader.read):
            yield pvalue.TaggedOutput("dead", item) if isinstance(item, DeadLetter) else item


def _dead(uri: str, error: Exception, source: str) -> pvalue.TaggedOutput:
    return pvalue.TaggedOutput("dead", DeadLetter.of(uri, "read", error, source))


def _check_kind(path: str) -> None:
    """Raise a `ReadError` if a local path is no file: reading a pipe or a device may never end."""
    if "://" in path:
        return
    kind = stat.S_IFMT(os.stat(path).st_mode)
    if kind != stat.S_IFREG:
        name = _KINDS.get(kind, "no regular file")
        raise ReadError(f"{path}: is {name}; take it out, or save what it gives as a file")


_KINDS = {
    stat.S_IFIFO: "a named pipe (FIFO) and no file",
    stat.S_IFSOCK: "a socket and no file",
    stat.S_IFCHR: "a device and no file",
    stat.S_IFBLK: "a device and no file",
}


class _FindDoFn(beam.DoFn):
    """Pattern → (path, bytes) of each file; a name that is no UTF-8 would end the whole run, and is a dead letter."""

    def __init__(self, own: Sequence[str]) -> None:
        self._own = own

    def process(self, pattern: str) -> Iterator[Any]:
        for found in find_files(pattern, self._own):
            try:
                found.path.encode()
                yield found.path, found.size_in_bytes
            except UnicodeEncodeError:
                shown = found.path.encode("utf-8", "backslashreplace").decode()
                error = ReadError(f"{shown}: the name is not UTF-8, and cannot be stored; rename the file")
                yield _dead(shown, error, os.path.dirname(shown))


class ReadInputs(beam.PTransform):
    """Globs → (Document, dead letters). A file that several globs match is read once; for `own` see `find_files`."""

    def __init__(
        self,
        patterns: Sequence[str],
        text_column: str = "text",
        limits: Limits = Limits(),  # noqa: B008
        own: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._patterns, self._work, self._own = list(patterns), _ReadDoFn(text_column, limits), tuple(own)

    def expand(self, begin: Any) -> Any:
        """Match, spread over the workers, read."""
        found = (
            begin
            | "Patterns" >> beam.Create(self._patterns)
            | "Find" >> beam.ParDo(_FindDoFn(self._own)).with_outputs("dead", main="good")
        )
        split = (
            found.good | "Once" >> beam.Distinct() | "Read" >> beam.ParDo(self._work).with_outputs("dead", main="good")
        )
        return split.good, (found.dead, split.dead) | "Dead" >> beam.Flatten()
