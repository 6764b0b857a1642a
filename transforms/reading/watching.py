"""Watch: files that came, changed and went, from one listing of any Beam filesystem to the next.

A file is taken once it rests: it looks the same in two listings, and on a local filesystem no process has it open
for writing. A folder that cannot be listed, or is not the folder that it was (an unmounted disk), has lost nothing.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from transforms.reading.inputs import find_files, folder_of, regex_of

Listing = dict[str, str]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be read (path → stamp), and what is gone (paths)."""

    read: dict[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()


class Watcher:
    """Compares what is there with what was read."""

    def __init__(self, patterns: Sequence[str], known: Mapping[str, str], own: Sequence[str] = ()) -> None:
        """`patterns` are globs (`inputs.expand_inputs`); `known` leads from paths to the stamps that were read.

        A path whose reading was begun and not finished has the stamp "". For `own` see `inputs.find_files`.
        """
        self._patterns, self._own = list(patterns), tuple(own)
        ours = [regex_of(pattern) for pattern in patterns]
        self.known = {path: stamp for path, stamp in known.items() if any(regex.match(path) for regex in ours)}
        self._roots = {root: _identity(root) for root in map(folder_of, patterns) if "://" not in root}
        self._before: Listing = {}
        self._missing: frozenset[str] = frozenset()

    def poll(self) -> Changes:
        """What came, changed or went since the last poll.

        Raises:
            OSError, BeamIOError: the filesystem does not answer; nothing is taken for gone.
        """
        if any(_identity(root) != identity for root, identity in self._roots.items()):
            raise OSError(f"{', '.join(self._roots)}: not the folder that it was; is its disk mounted?")
        listing = list_files(self._patterns, self._own)
        read = {
            path: stamp
            for path, stamp in sorted(listing.items())
            if self.known.get(path) != stamp and self._before.get(path) == stamp and not being_written(path)
        }
        missing = frozenset(self.known.keys() - listing.keys())
        gone, self._missing = missing & self._missing, missing
        self._before = listing
        return Changes(read, gone)

    def begun(self, paths: Iterable[str]) -> None:
        """Files are about to be read: from now on something of them may be in the graph."""
        for path in paths:
            self.known.setdefault(path, "")

    def done(self, changes: Changes) -> None:
        """Changes were brought into the graph."""
        self.known.update(changes.read)
        for path in changes.gone:
            self.known.pop(path, None)

    @property
    def waiting(self) -> int:
        """Files that the last listing held and that are not read as they are."""
        return sum(1 for path, stamp in self._before.items() if self.known.get(path) != stamp)


def list_files(patterns: Sequence[str], own: Sequence[str] = ()) -> Listing:
    """Path → stamp (size and time of the last change) of all files that `inputs.find_files` finds."""
    found: Listing = {}
    for pattern in patterns:
        for file in find_files(pattern, own):
            found[file.path] = f"{file.size_in_bytes}:{file.last_updated_in_seconds:.6f}"
    return found


def being_written(path: str) -> bool:
    """Whether a process of this machine has a local file open for writing, as far as the kernel lets us ask.

    A read lease (fcntl(2), F_SETLEASE) is only given on a file that nobody writes.
    """
    if "://" in path or not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Who opens the file for writing meanwhile breaks the lease, of which a signal tells: not SIGIO, which would end
        # this process.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # not ours, or a filesystem without leases: the two listings must do
    finally:
        os.close(handle)
    return False


def _identity(root: str) -> tuple[int, int] | None:
    try:
        found = os.stat(root)
    except OSError:
        return None
    return found.st_dev, found.st_ino
