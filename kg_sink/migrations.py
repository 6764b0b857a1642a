"""Migrations: what a graph must have before it is written to, by version, and how an older one gets there.

The version stands in the graph itself. Each step can be taken again, so a migration that was cut off goes on with the
next start; steps that change data do so in pieces, each a transaction of its own.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from neo4j import Driver, ManagedTransaction, Session
from neo4j.exceptions import ClientError, Neo4jError

from kg_sink.connection import GraphError, with_driver
from kg_sink.server import Connection
from transforms.schema import Schema

_OLDEST = 5  # major version of Neo4j; its syntax of constraints is used
_PIECE = 10_000
_MEETINGS = 10  # tries, when jobs start at the same time
_EDGES = ("HEAD", "TAIL", "SUPPORTS", "FROM", "MENTIONED_IN", "ATTACHED_TO")


@dataclass(frozen=True, slots=True)
class Migration:
    """A version of the graph: `schema` statements, and `data` statements that answer with how many they changed."""

    version: int
    what: str
    schema: tuple[str, ...]
    data: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """What answers at the other end, as it says itself."""

    product: str
    version: str


def _unique(*labels: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE CONSTRAINT tripleflow_{label.lower()}_id IF NOT EXISTS FOR (n:{label}) REQUIRE n.id IS UNIQUE"
        for label in labels
    )


def _indexed(**properties: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE INDEX tripleflow_{label.lower()}_{name} IF NOT EXISTS FOR (n:{label}) ON (n.{name})"
        for label, names in properties.items()
        for name in names.split()
    )


MIGRATIONS = (
    Migration(
        1,
        "documents, entities, statements and evidence by key",
        _unique("Document", "Entity", "Statement", "Evidence") + _indexed(Document="uri", Entity="name type"),
    ),
    Migration(
        2,
        "when and by which model each evidence and mention was seen; history; merged entities; sources",
        (
            *_unique("Alias", "PastEvidence", "PastMention", "Source"),
            *_indexed(Document="source last_seen", Alias="into", Statement="created"),
            *_indexed(PastEvidence="document statement head tail", PastMention="document entity"),
        ),
        (
            f"""MATCH (v:Evidence) WHERE v.first_seen IS NULL WITH v LIMIT {_PIECE}
            MATCH (v)-[:SUPPORTS]->(s:Statement)
            MATCH (s)-[:HEAD]->(h:Entity)
            MATCH (s)-[:TAIL]->(t:Entity)
            SET v.first_seen = v.created, v.last_seen = v.created, v.head = h.id, v.relation = s.relation, v.tail = t.id
            REMOVE v.created
            RETURN count(v) AS changed""",
            f"""MATCH (e:Entity)-[m:MENTIONED_IN]->(d:Document) WHERE m.said IS NULL WITH e, m, d LIMIT {_PIECE}
            SET m.said = e.id, m.model = '', m.first_seen = d.created, m.last_seen = d.created
            RETURN count(m) AS changed""",
            f"""MATCH (d:Document) WHERE d.last_seen IS NULL AND d.uri IS NOT NULL WITH d LIMIT {_PIECE}
            SET d.last_seen = d.created, d.source = split(d.uri, '#')[0]
            RETURN count(d) AS changed""",
        ),
    ),
    Migration(
        3,
        "how sure each statement is, so that nobody has to ask all its evidence",
        (),
        (
            f"""MATCH (s:Statement) WHERE s.confidence IS NULL WITH s LIMIT {_PIECE}
            OPTIONAL MATCH (s)<-[:SUPPORTS]-(v:Evidence)
            WITH s, coalesce(max(v.confidence), 0.0) AS best
            SET s.confidence = best
            RETURN count(s) AS changed""",
        ),
    ),
    Migration(
        4,
        "history by URI, so that all versions of a document can be forgotten",
        _indexed(PastEvidence="uri", PastMention="uri"),
    ),
)
VERSION = MIGRATIONS[-1].version


def prepare(connection: Connection, schema: Schema | None = None) -> Server:
    """Try out a write that is taken back, and bring the graph to the version of this code, and to a schema's types.

    Raises:
        GraphError: the server cannot be reached, refuses the user, does not let it write, or is too old; or the graph
            was written by a newer tripleflow.
    """

    def work(driver: Driver) -> Server:
        driver.verify_connectivity()
        with driver.session(database=connection.database) as session:
            found = _server(session)
            _check(connection, found)
            session.execute_write(_probe)
            for migration in _pending(connection, session):
                _migrate(session, migration)
            if schema is not None:
                _know(session, schema)
        return found

    return with_driver(connection, work)


def pending(connection: Connection) -> list[Migration]:
    """The migrations that `prepare` would run.

    Raises:
        GraphError: the graph cannot be read, or was written by a newer tripleflow.
    """

    def work(driver: Driver) -> list[Migration]:
        with driver.session(database=connection.database) as session:
            return _pending(connection, session)

    return with_driver(connection, work)


def _probe(tx: ManagedTransaction) -> None:
    tx.run("MERGE (n:TripleflowMeta {id: 'probe'}) SET n.seen = true").consume()
    tx.run("MATCH (n:TripleflowMeta {id: 'probe'}) DELETE n").consume()


def _server(session: Session) -> Server:
    try:
        rows = session.run("CALL dbms.components() YIELD name, versions RETURN name, versions[0] AS version").data()
    except Neo4jError:
        rows = []
    return Server(str(rows[0]["name"]), str(rows[0]["version"])) if rows else Server("unknown", "")


def _check(connection: Connection, found: Server) -> None:
    major = re.match(r"\d+", found.version)
    if found.product == "Neo4j Kernel" and major and int(major[0]) < _OLDEST:
        raise GraphError(f"{connection.uri}: Neo4j {found.version} is too old; tripleflow needs {_OLDEST} or newer")


def _know(session: Session, schema: Schema) -> None:
    """Have the server know all labels and relationship types before writers come.

    ArcadeDB makes a type for each when it is first used, and refuses two writers who do that at once.
    """
    ends = "(a:TripleflowMeta {id: randomUUID()}), (b:TripleflowMeta {id: randomUUID()})"
    edges = [*_EDGES, *(relation.name for relation in schema.relations.values())]
    creates = [f"CREATE (a:Entity:`{kind.name}` {{id: randomUUID()}}) DELETE a" for kind in schema.entities.values()]
    creates += [f"CREATE {ends} CREATE (a)-[:`{name}`]->(b) DETACH DELETE a, b" for name in edges]

    def work(tx: ManagedTransaction) -> None:
        for create in creates:
            tx.run(create).consume()

    for attempt in range(_MEETINGS):
        try:
            return session.execute_write(work)
        except ClientError:  # another job is about the same
            if attempt == _MEETINGS - 1:
                raise
            time.sleep(0.1)


def _pending(connection: Connection, session: Session) -> list[Migration]:
    rows = session.run("MATCH (n:TripleflowMeta {id: 'graph'}) RETURN n.version AS version").data()
    version = int(rows[0]["version"]) if rows else 0
    if version > VERSION:
        raise GraphError(
            f"{connection.uri}: the graph has version {version}, this tripleflow knows {VERSION}; install a newer one"
        )
    return [migration for migration in MIGRATIONS if migration.version > version]


def _migrate(session: Session, migration: Migration) -> None:
    for statement in migration.schema:
        session.run(statement).consume()
    for statement in migration.data:
        while session.execute_write(_changed, statement):
            pass
    session.execute_write(_note, migration.version)


def _changed(tx: ManagedTransaction, statement: str) -> int:
    return int(tx.run(statement).data()[0]["changed"])


def _note(tx: ManagedTransaction, version: int) -> Any:
    return tx.run("MERGE (n:TripleflowMeta {id: 'graph'}) SET n.version = $version", version=version).consume()
