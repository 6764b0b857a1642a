"""Isolation: files are read in a child process, so that one that crashes, overflows or hangs ends only that.

    reader = IsolatedReader()
    for item in reader.read(Blob("a.pdf", content)): ...

The child serves file after file. Over its stdin goes a pickled (Blob, Limits, text column); over its stdout come
pickled records, then None, or the text of a `ReadError` in its place; a third pipe, over which nothing goes, tells it
that the parent has ended. It is a program of its own and no fork: a fork of a process with threads may hang.
"""

from __future__ import annotations

import fcntl
import logging
import os
import pickle
import re
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from transforms.reading import DEFAULT_LIMITS, Limits, ReadError, read_blob
from transforms.records import Blob, DeadLetter, Document

_INTERVAL = 0.05  # seconds between two looks at what the child takes
_PROTOCOL = 5  # of pickle: large bytes go through without a copy


class IsolatedReader:
    """Reads as `read_blob` does, in a child that starts with the first file and is replaced when a file ends it.

    Threads may share a reader: each that reads has a child to itself.
    """

    def __init__(self) -> None:
        self._resting: list[_Child] = []

    def read(
        self, blob: Blob, limits: Limits = DEFAULT_LIMITS, text_column: str = "text"
    ) -> Iterator[Document | Blob | DeadLetter]:
        """Read one file; yields what `read_blob` does, as it comes.

        Raises:
            ReadError: as `read_blob`, and if the file ends the child, or needs more than `limits.max_memory` bytes or
                `limits.max_seconds` seconds (from the call of the first item to that of the last).
        """
        child = self._take()
        try:
            yield from child.read(blob, limits, text_column)
        finally:
            # What the child keeps of this file (OCR's buffers) must not count against the next.
            if child.resting and child.memory() < limits.max_memory / 2:
                self._resting.append(child)
            else:
                child.end()

    def close(self) -> None:
        """End the children that are not reading. The next file would start another."""
        while self._resting:
            self._resting.pop().end()

    def _take(self) -> _Child:
        try:
            child = self._resting.pop()
        except IndexError:
            return _Child()
        if child.alive():
            return child
        child.end()
        return _Child()


_SHARED = IsolatedReader()


def shared_reader() -> IsolatedReader:
    """The reader of this process: its children serve one run after another."""
    return _SHARED


class _Child:
    """The parent's side of one child."""

    def __init__(self) -> None:
        # The child must import what this process would, and nothing from the folder that it happens to start in (-P).
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        lifeline, self._lifeline = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "transforms.reading.isolation", str(lifeline)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            pass_fds=[lifeline],
        )
        os.close(lifeline)
        self._over = ""  # the limit that it was killed for
        self.resting = True

    def read(self, blob: Blob, limits: Limits, text_column: str) -> Iterator[Document | Blob | DeadLetter]:
        """Send a file, yield the answers.

        Raises:
            ReadError: the child's own, after which it rests again; or what ended the child.
        """
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        self.resting = False
        with self._watched(limits):
            try:
                pickle.dump((blob, limits, text_column), requests, _PROTOCOL)
                requests.flush()
                while isinstance(answer := pickle.load(answers), Document | Blob | DeadLetter):
                    yield answer
            except (EOFError, OSError, pickle.UnpicklingError):
                raise ReadError(f"{blob.uri}: {self._cause_of_death()}") from None
        self.resting = not self._over  # it may be killed for a limit just as it is done
        if answer is not None:
            raise ReadError(answer)

    def alive(self) -> bool:
        return self._process.poll() is None

    def memory(self) -> int:
        """Bytes that the child holds, swapped out ones among them; 0 once it has ended."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0
        return 1024 * sum(map(int, re.findall(r"^Vm(?:RSS|Swap):\s+(\d+) kB", status, re.M)))

    def end(self) -> None:
        """Kill it, if it has not ended, and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what could not be sent to it is sent on closing, in vain
                assert pipe is not None
                pipe.close()
        os.close(self._lifeline)

    @contextmanager
    def _watched(self, limits: Limits) -> Iterator[None]:
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(limits, done), daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()
            watch.join()

    def _watch(self, limits: Limits, done: threading.Event) -> None:
        # A limit on address space would not do: OCR reserves several times what it uses.
        deadline = time.monotonic() + limits.max_seconds
        while not done.wait(_INTERVAL):
            if self.memory() > limits.max_memory:
                needed = f"needs more than {limits.max_memory / 1e6:,.0f} MB of memory"
                self._over = f"{needed} to read: split it or raise max_memory"
            elif time.monotonic() > deadline:
                self._over = f"takes longer than {limits.max_seconds:,g} s to read: split it or raise max_seconds"
            if self._over:
                self._process.kill()
                return

    def _cause_of_death(self) -> str:
        self._process.kill()  # changes nothing if it is ending by itself
        code = self._process.wait()
        if self._over:
            return self._over
        if code >= 0:
            return f"its reader ended with exit status {code}: see what it says on stderr"
        how = f"signal {-code} ({_signal_name(-code)})"
        return f"killed its reader: {how}; if it opens elsewhere, save it again from there"


def _signal_name(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL, perhaps for lack of memory"
    try:
        return signal.Signals(number).name
    except ValueError:
        return "of no name"


def main(lifeline: int) -> None:
    """Be the child: answer the parent's requests until it closes the pipe, or its end of `lifeline`."""
    logging.basicConfig(level=logging.ERROR)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C ends
    _end_with_parent(lifeline)
    with suppress(OSError):  # when memory runs out, the kernel shall end this process and not the worker
        Path("/proc/self/oom_score_adj").write_text("1000")
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", closefd=False)
    # A native library that prints would garble the answers.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with suppress(EOFError):
        while True:
            _serve(requests, answers)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    blob, limits, text_column = pickle.load(requests)
    last = None
    try:
        for item in read_blob(blob, limits, text_column):
            _send(item, answers)
    except ReadError as error:
        last = str(error)
    _send(last, answers)


def _send(answer: Document | Blob | DeadLetter | str | None, answers: IO[bytes]) -> None:
    pickle.dump(answer, answers, _PROTOCOL)
    answers.flush()


def _end_with_parent(lifeline: int) -> None:
    """Have the kernel end this process, whatever it is at, as soon as the parent's end of the pipe closes.

    The pipe of the requests will not do: the signal comes also for what is written, and may come after that was read.
    Nor will PR_SET_PDEATHSIG: it goes by the thread that started this process, and Beam's threads come and go.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    hung_up = select.poll()
    hung_up.register(lifeline, 0)
    if hung_up.poll(0):  # the parent ended before
        sys.exit()


if __name__ == "__main__":
    main(int(sys.argv[1]))
