"""Where the graph is: a Bolt URI or the folder of an embedded server → a connection that was tried out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from neo4j import Driver, GraphDatabase
from neo4j.exceptions import AuthError, ClientError, ConfigurationError, DriverError, Neo4jError, ServiceUnavailable

from kg_sink.server import Connection, connect_running, start

T = TypeVar("T")


_SCHEMES = frozenset(f"{name}{security}" for name in ("bolt", "neo4j") for security in ("", "+s", "+ssc"))


class GraphError(RuntimeError):
    """A graph that cannot be used: one line with the remedy."""


def is_uri(target: str) -> bool:
    """Whether a --graph value is a server's URI rather than a folder."""
    return "://" in target


def resolve_target(target: str, *, start_server: bool = True) -> Connection:
    """The connection of a --graph value; a folder's embedded server is started if it does not run.

    A URI's user, password and database come from NEO4J_USERNAME, NEO4J_PASSWORD and NEO4J_DATABASE.

    Raises:
        ServerError: the embedded server does not start, or does not run and may not be started.
    """
    if not is_uri(target):
        return start(Path(target)).connection if start_server else connect_running(Path(target))
    return Connection(
        uri=target,
        user=os.environ.get("NEO4J_USERNAME", "neo4j"),
        password=os.environ.get("NEO4J_PASSWORD", ""),
        database=os.environ.get("NEO4J_DATABASE", "neo4j"),
    )


def open_driver(connection: Connection) -> Driver:
    """A driver for a connection.

    Raises:
        GraphError: the URI is none that the driver knows.
    """
    if connection.uri.partition("://")[0] not in _SCHEMES:  # the driver has an HTTP part, which needs other packages
        raise GraphError(f"{connection.uri}: not a graph's URI; write bolt://HOST:PORT or neo4j://HOST")
    try:
        return GraphDatabase.driver(
            connection.uri, auth=(connection.user, connection.password), notifications_min_severity="OFF"
        )
    except (ConfigurationError, ValueError) as error:
        raise GraphError(
            f"{connection.uri}: not a graph's URI ({error}); write bolt://HOST:PORT or neo4j://HOST"
        ) from error


def explained(connection: Connection, error: Exception) -> GraphError:
    """One line for a person, with the remedy, for what the driver raised."""
    where = connection.uri
    if isinstance(error, AuthError):
        return GraphError(
            f"{where}: user {connection.user!r} and this password are refused; set NEO4J_USERNAME and NEO4J_PASSWORD"
        )
    if isinstance(error, ServiceUnavailable):
        return GraphError(f"{where}: no graph server answers there; start it, or check host and port")
    code = getattr(error, "code", "") or ""
    if "DatabaseNotFound" in code:
        return GraphError(f"{where}: there is no database {connection.database!r}; set NEO4J_DATABASE")
    message = " ".join(str(getattr(error, "message", None) or error).split())
    if "read-only" in message.lower() or "ReadOnly" in code or "Forbidden" in code or "AccessMode" in code:
        return GraphError(f"{where}: the server does not let this user write ({message}); give one that may")
    return GraphError(f"{where}: {message or type(error).__name__}")


def with_driver(connection: Connection, work: Callable[[Driver], T]) -> T:
    """Run `work` with a driver, its errors explained.

    Raises:
        GraphError: what the driver raised, in one line; or what it was to send is nothing that a graph can hold.
    """
    with open_driver(connection) as driver:
        try:
            return work(driver)
        except (Neo4jError, DriverError, ClientError, OSError) as error:
            raise explained(connection, error) from error
        except (UnicodeEncodeError, OverflowError) as error:
            raise GraphError(f"not sent to the graph: {error}; text is Unicode, a whole number has 64 bits") from error
