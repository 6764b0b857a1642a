"""Round trips: one query over many rows or keys, in pieces that bound the memory of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from neo4j import ManagedTransaction, Session, Transaction

Row = dict[str, Any]
Runner = ManagedTransaction | Transaction | Session

#: Rows that one round trip carries at most.
MOST = 5_000


def each(tx: Runner, query: str, rows: Sequence[Any], name: str = "rows", **parameters: Any) -> list[Row]:
    """Run a query that unwinds `$rows` (or another parameter, by `name`); all its answers. No rows, no round trip."""
    found: list[Row] = []
    for piece in pieces(rows):
        found += [record.data() for record in tx.run(query, {name: piece, **parameters})]
    return found


def pieces(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Rows in pieces of at most `MOST`."""
    for first in range(0, len(rows), MOST):
        yield rows[first : first + MOST]
