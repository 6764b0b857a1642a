"""The embedded graph server: ArcadeDB as a process of its own for one folder, spoken to over Bolt on loopback.

The server and its Java come with the `arcadedb-embedded` wheel, of which nothing is imported: no JVM ever runs in
this process. The server outlives the command that started it. Everything it needs and keeps is in its folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from neo4j import GraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError

HOST, USER, DATABASE = "127.0.0.1", "root", "kg"

STATE = "graph-server.json"  # a folder is one of ours if it has this file
LOCK = "server.lock"  # locked by whoever starts, stops or wipes
#: Locked by the server for as long as it lives; unlike a pid, the lock cannot pass to another process.
ALIVE = "server.alive"
PASSWORD, ARGUMENTS, LOGGING, PART = "password", "server.args", "logging.properties", "server.part"
LOG, OLD_LOG, CRASH = "server.log", "server.log.1", "crash.log"
#: All that a folder of ours holds, in the order of deletion: the state late, so that a wipe can be repeated.
OURS = (
    *("databases", "config", "backups", "log", LOG, OLD_LOG, CRASH, PASSWORD, ARGUMENTS, LOGGING, PART, ALIVE),
    *(STATE, LOCK),
)

# The java launcher's argument file. Development mode only means that errors name their cause; what production mode
# would set is set here: a commit is on the disk (fdatasync) before it is confirmed, and Cypher reads no files.
# The password is not in it: the server reads its file.
_ARGUMENTS = """\
-Xmx{memory} -XX:-UsePerfData -Djava.awt.headless=true "-XX:ErrorFile={folder}/crash.log"
"-Djava.util.logging.config.file={folder}/logging.properties"
--add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED
--add-opens=java.base/java.nio=ALL-UNNAMED --add-exports=java.management/sun.management=ALL-UNNAMED
"-Darcadedb.server.rootPath={folder}" "-Darcadedb.server.databaseDirectory={folder}/databases"
"-Darcadedb.server.rootPasswordPath={folder}/password"
-Darcadedb.server.defaultDatabases={database}[{user}] -Darcadedb.bolt.defaultDatabase={database}
-Darcadedb.server.plugins=Bolt:com.arcadedb.bolt.BoltProtocolPlugin
-Darcadedb.bolt.host={host} -Darcadedb.bolt.port={bolt}
-Darcadedb.server.httpIncomingHost={host} -Darcadedb.server.httpIncomingPort={http}
-Darcadedb.server.mode=development -Darcadedb.txWalFlush=1
-Darcadedb.opencypher.loadCsv.allowFileUrls=false -Darcadedb.opencypher.loadCsv.allowRemoteUrls=false
-Darcadedb.polyglotEngineEnabled=false -Darcadedb.support.autoRegister=false
-cp "{jars}" com.arcadedb.server.ArcadeDBServer
"""
_LOG_SETTINGS = """\
handlers = java.util.logging.ConsoleHandler
.level = WARNING
com.arcadedb.level = INFO
java.util.logging.ConsoleHandler.formatter = com.arcadedb.log.LogFormatter
"""
# Parts of the wheel that open protocols of their own: only Bolt is needed.
_UNUSED_JARS = ("arcadedb-mcp", "arcadedb-postgresw", "arcadedb-redisw", "arcadedb-console")
# The shell ends at once and leaves the server to init, so it is never a zombie of ours.
_DETACH = 'umask 077; "$@" </dev/null >server.log 2>&1 & echo $!'


class ServerError(RuntimeError):
    """An embedded server that cannot be used: one line with the remedy, or the end of the server's log."""


@dataclass(frozen=True)
class Connection:
    """What a Bolt driver needs."""

    uri: str
    user: str
    password: str = field(repr=False)
    database: str


@dataclass(frozen=True)
class Started:
    """What `start` did: `new` if it made the database, `already_running` if it started nothing."""

    connection: Connection
    pid: int
    version: str
    new: bool
    already_running: bool


@dataclass(frozen=True)
class Status:
    """A server that runs: uptime in seconds, size of its folder in bytes, whether it answers a query."""

    pid: int
    uri: str
    version: str
    uptime: float
    size: int
    responding: bool


@dataclass(frozen=True)
class _State:
    """The state file: `started` is in seconds since 1970, `version` the wheel's."""

    bolt: int
    http: int
    version: str
    pid: int = 0
    started: float = 0.0

    def connection(self, folder: Path) -> Connection:
        path = folder / PASSWORD
        try:
            return Connection(f"bolt://{HOST}:{self.bolt}", USER, path.read_text(), DATABASE)
        except OSError as error:
            raise ServerError(f"{path}: {error.strerror}; stop the server and start it again as its owner") from error


def start(folder: Path, *, memory: str = "1g", timeout: float = 60.0) -> Started:
    """Start the server of a folder, or find the one that runs; it answers queries when this returns.

    `memory` is the heap, as Java writes it (`512m`, `2g`); `timeout` is in seconds. A server that is slow to
    answer (it may be recovering) is left running: the next start waits for it again.

    Raises:
        ServerError: the wheel is missing, the folder is not ours, or the server ends or stays silent.
    """
    if not re.fullmatch(r"[1-9][0-9]*[kKmMgG]", memory):
        raise ServerError(f"{memory}: not an amount of memory; write it as 512m or 2g")
    package = _package()
    folder = _prepare(folder)
    deadline = time.monotonic() + timeout
    with _locked(folder, timeout):
        state = _read(folder)
        if state and _alive(folder) and _ready(folder, state, deadline):
            return Started(state.connection(folder), state.pid, state.version, False, True)
        new = not (folder / "databases" / DATABASE).exists()
        for _ in range(3):
            state = _launch(folder, package, memory, state)
            if _ready(folder, state, deadline):
                return Started(state.connection(folder), state.pid, state.version, new, False)
    raise ServerError(f"{folder}: other programs keep taking the ports of the graph server; try again")


def stop(folder: Path, timeout: float = 30.0) -> bool:
    """Stop the server of a folder; after `timeout` seconds by force, which loses nothing that was committed.

    Returns whether one was running.

    Raises:
        ServerError: the server is another user's, or another command holds the folder for `timeout` seconds.
    """
    folder = folder.resolve()
    if not (folder / STATE).is_file():
        return False
    with _locked(folder, timeout):
        return _stop(folder, timeout)


def status(folder: Path) -> Status | None:
    """What is known of a folder's server; None if none is running.

    Raises:
        ServerError: the state or the password cannot be read.
    """
    folder = folder.resolve()
    state = _read(folder)
    if state is None or not _alive(folder):
        return None
    connection = state.connection(folder)
    responding = False
    with suppress(Neo4jError, DriverError, OSError):
        _query(connection)
        responding = True
    uptime = max(0.0, time.time() - state.started)
    return Status(state.pid, connection.uri, state.version, uptime, _size(folder), responding)


def wipe(folder: Path, timeout: float = 30.0) -> None:
    """Stop the server and delete the graph: every file of ours, and nothing else; the folder itself stays.

    Raises:
        ServerError: the folder is not one of ours, or a file cannot be deleted.
    """
    folder = folder.resolve()
    if not (folder / STATE).is_file():
        raise ServerError(f"{folder}: not a graph's folder ({STATE} is missing), so nothing was deleted")
    with _locked(folder, timeout):
        _stop(folder, timeout)
        try:
            for path in (folder / name for name in OURS):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise ServerError(f"{error.filename}: cannot be deleted ({error.strerror}); repeat as its owner") from error


def connect_running(folder: Path) -> Connection:
    """The connection of the server that runs for a folder.

    Raises:
        ServerError: none is running.
    """
    resolved = folder.resolve()
    state = _read(resolved)
    if state is None or not _alive(resolved):
        raise ServerError(f"no server is running for {folder}; start it with: tripleflow graph start --graph {folder}")
    return state.connection(resolved)


def _package() -> Path:
    spec = find_spec("arcadedb_embedded")
    if spec and spec.origin and (Path(spec.origin).parent / "jre" / "bin" / "java").is_file():
        return Path(spec.origin).parent
    raise ServerError("no embedded graph server: pip install arcadedb-embedded, or give --graph bolt://HOST:PORT")


def _prepare(folder: Path) -> Path:
    """The resolved folder, made if need be, that only its owner can enter."""
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        foreign = sorted({path.name for path in folder.iterdir()} - set(OURS))
        if foreign and not (folder / STATE).is_file():
            raise ServerError(f"{folder}: not a graph's folder (it holds {foreign[0]}); give a new or empty one")
        folder.chmod(0o700)
    except OSError as error:
        raise ServerError(f"{folder}: {error.strerror}; give a new folder, or one of yours, for the graph") from error
    return folder


@contextmanager
def _locked(folder: Path, timeout: float) -> Iterator[None]:
    """Hold the folder's lock, so that commands that start, stop or wipe come one after the other."""
    deadline = time.monotonic() + timeout
    while True:
        with (folder / LOCK).open("a") as file:
            # A wipe may have deleted the file that we opened: then the lock is one on nothing.
            if _flock(file, fcntl.LOCK_EX) and os.fstat(file.fileno()).st_nlink:
                yield
                return
        if time.monotonic() > deadline:
            raise ServerError(f"{folder}: another command is starting or stopping its server; try again")
        time.sleep(0.1)


def _flock(file: IO[str], kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    return False


def _alive(folder: Path) -> bool:
    with suppress(OSError), (folder / ALIVE).open() as file:
        return not _flock(file, fcntl.LOCK_SH)  # shared, so that two who look do not see each other
    return False


def _read(folder: Path) -> _State | None:
    try:
        return _State(**json.loads((folder / STATE).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ServerError(
            f"{folder / STATE}: cannot be read ({error}); be its owner, or delete this one file"
        ) from error


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    with open(folder / PART, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    (folder / PART).replace(folder / name)


def _launch(folder: Path, package: Path, memory: str, before: _State | None) -> _State:
    state = _State(*_ports(before), version("arcadedb-embedded"))
    if not (folder / PASSWORD).is_file():
        # The server takes the password from the file only while it knows no user.
        (folder / "config" / "server-users.jsonl").unlink(missing_ok=True)
        _write(folder, PASSWORD, secrets.token_urlsafe(24))
    _write(folder, LOGGING, _LOG_SETTINGS)
    _write(folder, ARGUMENTS, _arguments(folder, package, memory, state))
    _write(folder, STATE, json.dumps(asdict(state)))
    if (folder / LOG).exists():
        (folder / LOG).replace(folder / OLD_LOG)
    command = ["/bin/sh", "-c", _DETACH, "sh", f"{package}/jre/bin/java", f"@{folder}/{ARGUMENTS}"]
    # Options that the environment has for other Java programs are not for this one.
    env = {name: value for name, value in os.environ.items() if not re.search("JAVA.*OPTIONS", name)}
    with (folder / ALIVE).open("a") as file:
        lock = file.fileno()
        fcntl.flock(lock, fcntl.LOCK_EX)
        shell = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, pass_fds=[lock], start_new_session=True, check=True
        )
    state = replace(state, pid=int(shell.stdout), started=time.time())
    _write(folder, STATE, json.dumps(asdict(state)))
    return state


def _arguments(folder: Path, package: Path, memory: str, state: _State) -> str:
    jars = sorted(str(jar) for jar in (package / "jars").glob("*.jar") if not jar.name.startswith(_UNUSED_JARS))
    return _ARGUMENTS.format(
        memory=memory,
        # Within quotes, the launcher reads a string as JSON does.
        folder=json.dumps(str(folder), ensure_ascii=False)[1:-1],
        jars=json.dumps(os.pathsep.join(jars), ensure_ascii=False)[1:-1],
        **{"database": DATABASE, "user": USER, "host": HOST, "bolt": state.bolt, "http": state.http},
    )


def _ports(before: _State | None) -> tuple[int, int]:
    """The ports of last time as far as they are free, else any that are."""
    chosen = []
    with ExitStack() as stack:
        for wanted in (before.bolt, before.http) if before else (0, 0):
            try:
                listener = socket.create_server((HOST, wanted))
            except OSError:
                listener = socket.create_server((HOST, 0))
            stack.enter_context(listener)
            chosen.append(int(listener.getsockname()[1]))
    return chosen[0], chosen[1]


def _ready(folder: Path, state: _State, deadline: float) -> bool:
    """Wait until the server answers a query; False if it could not have its ports."""
    while True:
        alive = _alive(folder)
        try:
            # Bolt listens before the database is there, and a query then would fill the log.
            if alive and (folder / "databases" / DATABASE / "schema.json").exists():
                _query(state.connection(folder))
                return True
        except AuthError as error:
            remedy = f"stop it, delete {PASSWORD} there and start it again"
            raise ServerError(f"{folder}: the graph server refuses its own password; {remedy}") from error
        except (Neo4jError, DriverError, OSError):
            pass
        if not alive:
            log = (folder / LOG).read_text(errors="replace").rstrip()
            if "BindException" in log or "already in use" in log:
                return False
            tail = "\n".join(log.splitlines()[-12:])
            raise ServerError(f"{folder}: the graph server ended while it started; {LOG} says:\n{tail}")
        if time.monotonic() > deadline:
            remedy = f"look into {LOG} there; start again to wait on, or stop it"
            raise ServerError(f"{folder}: the graph server (pid {state.pid}) does not answer yet; {remedy}")
        time.sleep(0.1)


def _query(connection: Connection) -> None:
    auth = (connection.user, connection.password)
    driver = GraphDatabase.driver(connection.uri, auth=auth, connection_timeout=5, connection_acquisition_timeout=5)
    with driver, driver.session(database=connection.database) as session:
        session.run("RETURN 1").consume()


def _stop(folder: Path, timeout: float) -> bool:
    state = _read(folder)
    if state is None or not _alive(folder):
        return False
    if state.pid <= 0:
        raise ServerError(f"{folder}: who started its server was killed before noting its pid; end it by hand")
    for sent, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 10.0)):
        try:
            os.kill(state.pid, sent)
        except OSError as error:
            raise ServerError(f"{folder}: pid {state.pid}: {error.strerror}; stop it as its owner") from error
        deadline = time.monotonic() + patience
        while _alive(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not _alive(folder):
            return True
    raise ServerError(f"{folder}: its server (pid {state.pid}) does not end; end that process by hand")


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # the server deletes files while we look
                total += os.lstat(os.path.join(place, name)).st_size
    return total
