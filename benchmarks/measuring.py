"""Measuring: times of batches, memory of a process, and sentences about both."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from transforms.records import Structured

#: Share of the batches that are left out of the comparison of first and last: the JVM compiles what it runs often.
WARM_UP = 0.05


@dataclass
class Phase:
    """What one pass over the documents took, a value a batch.

    Seconds by the clock, seconds of processor time (this process and the server), memory of this process in MB.
    """

    name: str
    statements: int = 0
    documents: int = 0
    seconds: list[float] = field(default_factory=list)
    computed: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Statements a second of writing, the warm-up included."""
        return self.statements / sum(self.seconds)

    @property
    def cost(self) -> float:
        """Milliseconds of processor time a statement, the warm-up included."""
        return 1000 * sum(self.computed) / self.statements

    def slowdown(self, values: list[float]) -> float:
        """Median of a batch's times in the last tenth by that in the first tenth after the warm-up."""
        first, last = _ends(values)
        return last / first

    @property
    def growth(self) -> float:
        """Median memory (MB) in the last tenth, less that in the first tenth after the warm-up."""
        first, last = _ends(self.memory)
        return last - first


def measured(
    name: str, batches: Iterable[list[Structured]], work: Callable[[list[Structured]], object], server: int
) -> Phase:
    """Run `work` on each batch; making the batches is not timed. `server` is the server's process."""
    phase = Phase(name)
    for batch in batches:
        computed = processor_time() + processor_time(server)
        begin = time.perf_counter()
        work(batch)
        phase.seconds.append(time.perf_counter() - begin)
        phase.computed.append(processor_time() + processor_time(server) - computed)
        phase.memory.append(resident())
        phase.documents += len(batch)
        phase.statements += sum(len(found.evidence) for found in batch)
    return phase


def resident(pid: int | str = "self", peak: bool = False) -> float:
    """Memory of a process in MB: resident now, or the most it ever was."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(wanted):
            return int(line.split()[1]) / 1024
    return 0.0


def processor_time(pid: int | str = "self") -> float:
    """Seconds that a process has computed so far, its threads together; what others do hardly changes it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def spread(values: list[float], digits: int = 0) -> str:
    """Median and range of repeated measurements."""
    if not values:
        return "n/a"
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def _ends(values: list[float]) -> tuple[float, float]:
    warm = values[int(len(values) * WARM_UP) :]
    tenth = max(1, len(warm) // 10)
    return statistics.median(warm[:tenth]), statistics.median(warm[-tenth:])
