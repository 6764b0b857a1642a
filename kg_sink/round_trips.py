"""Round trips: one query over many rows or keys, in pieces that bound the memory of both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from neo4j import ManagedTransaction, Session, Transaction
from neo4j.exceptions import ClientError, ConstraintError

Row = dict[str, Any]
Runner = ManagedTransaction | Transaction | Session
T = TypeVar("T")

#: Rows that one round trip carries at most.
MOST = 5_000
#: How often writers may meet before one gives up.
_MEETINGS = 10
#: What a server answers when a node went while a query was at it.
_GONE = "Neo.ClientError.Statement.EntityNotFound"


class MetError(RuntimeError):
    """Another writer took out what this transaction had found: it has to look again."""


def settled(session: Session, work: Callable[[ManagedTransaction], T]) -> T:
    """Run a transaction until it meets no other writer: the driver's own retries, and those after a `MetError` or a
    node that another one made at the same time.

    Raises:
        Neo4jError, DriverError: the server refused, or could not be reached through all retries.
        MetError: it meets others again and again.
    """
    for _ in range(_MEETINGS - 1):
        try:
            return session.execute_write(work)
        except (ConstraintError, MetError):
            continue
        except ClientError as error:
            if error.code != _GONE:
                raise
    return session.execute_write(work)


def each(tx: Runner, query: str, rows: Sequence[Any], name: str = "rows", **parameters: Any) -> list[Row]:
    """Run a query that unwinds `$rows` (or another parameter, by `name`); all its answers. No rows, no round trip."""
    found: list[Row] = []
    for piece in pieces(rows):
        found += [record.data() for record in tx.run(query, {name: piece, **parameters})]
    return found


def pieces(rows: Sequence[T], most: int = MOST) -> Iterator[Sequence[T]]:
    """Rows in pieces of at most `most`."""
    for first in range(0, len(rows), most):
        yield rows[first : first + most]


def own(properties: Row) -> Row:
    """Properties without those that a server adds to `properties(…)`: ArcadeDB's begin with "@"."""
    return {name: value for name, value in properties.items() if not name.startswith("@")}
