"""The summary of a run, from Beam's counters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from apache_beam.metrics import MetricsFilter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.output import printable
from transforms.counting import NAMESPACE
from transforms.letter_box import Filed

Totals = dict[str, dict[str, int]]


def totals(result: Any) -> Totals:
    """Group → name → count, as `transforms.counting` filed them."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for counter in result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]:
        group, _, name = counter.key.metric.name.partition("/")
        found[group][name] += counter.committed if counter.committed is not None else counter.attempted
    return {group: dict(counts) for group, counts in found.items()}


def distributions(result: Any) -> dict[str, dict[str, tuple[int, int]]]:
    """Group → name → (count, sum) of what was measured: `call` in microseconds, `batch` in elements."""
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for measured in result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["distributions"]:
        group, _, name = measured.key.metric.name.partition("/")
        value = measured.committed if measured.committed is not None else measured.attempted
        count, total = found[group].get(name, (0, 0))
        found[group][name] = (count + value.count, total + value.sum)
    return dict(found)


def print_summary(
    counts: Totals, letters: Iterable[Filed], seconds: float, places: Mapping[str, str], console: Console
) -> None:
    """What a run did, and where it went."""
    documents = sum(counts.get("documents", {}).values())
    console.print(f"\n[bold]{documents:,} documents in {seconds:.1f} s[/bold]")
    _counts(console, "documents by format", counts.get("documents", {}))
    _counts(console, "entities by type (counted in each document)", counts.get("entities", {}))
    _counts(console, "statements by relation", counts.get("statements", {}))
    linking = counts.get("linking", {})
    console.print(f"  linked to the register {linking.get('linked', 0):,}, NIL {linking.get('nil', 0):,}")
    causes = Counter(f"{filed.letter.stage}: {_kind(filed)}" for filed in letters)
    _counts(console, "dead letters by cause", causes)
    stages = {name: value / 1e6 for name, value in counts.get("microseconds", {}).items()}
    line = ", ".join(f"{name} {value:.1f}" for name, value in sorted(stages.items(), key=lambda kv: -kv[1]))
    console.print(f"  seconds by stage (added over workers): {line}")
    table = Table.grid(padding=(0, 2))
    for name, place in places.items():
        table.add_row(f"  {name}", escape(printable(place)))
    console.print("written to")
    console.print(table)


def _kind(filed: Filed) -> str:
    cause = filed.letter.cause.removeprefix(filed.letter.uri).removeprefix(Path(filed.letter.uri).name).lstrip(": ")
    return cause[:80]


def _counts(console: Console, title: str, counts: Mapping[str, int]) -> None:
    rows = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
    text = escape(printable(", ".join(f"{name} {count:,}" for name, count in rows) or "none"))
    console.print(f"  {title}: {text}", highlight=False)
