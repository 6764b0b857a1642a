"""A real embedded server: started, stopped, killed, asked over Bolt, watched from outside."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from neo4j import GraphDatabase
from neo4j.exceptions import ServiceUnavailable

from kg_sink import server
from kg_sink.server import ServerError, connect_running, start, status, stop, wipe

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at the server through /proc")
STARTER = "import sys; from pathlib import Path; from kg_sink.server import start; print(start(Path(sys.argv[1])).pid)"


def ask(connection, cypher, **parameters):
    auth = (connection.user, connection.password)
    with GraphDatabase.driver(connection.uri, auth=auth, max_transaction_retry_time=0) as driver:
        return driver.execute_query(cypher, parameters, database_=connection.database).records


def count(connection, label):
    return ask(connection, f"MATCH (n:{label}) RETURN count(n) AS n")[0]["n"]


def listening(pid):
    """The (address, port) pairs on which a process listens, with the address as the kernel writes it."""
    sockets = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the server closes files while we look; those it listens on stay
            target = os.readlink(handle)
            if target.startswith("socket:["):
                sockets.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in sockets and (fields[3] == "0A" or table.startswith("udp")):
                address, port = fields[1].split(":")
                found.append((address, int(port, 16)))
    return found


def started_by_other_process(folder):
    environment = {**os.environ, "PYTHONPATH": str(Path(server.__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", STARTER, folder], stdout=subprocess.PIPE, text=True, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server") / "a graph"
    yield folder
    stop(folder)


@pytest.fixture
def running(folder):
    return start(folder)


def test_two_first_starts_at_once_make_one_server(folder):
    with pytest.raises(ServerError, match=r"tripleflow graph start --graph .*a graph"):
        connect_running(folder)
    both = [started_by_other_process(folder) for _ in range(2)]
    pids = {int(process.communicate(timeout=120)[0]) for process in both}
    assert [process.returncode for process in both] == [0, 0]
    again = start(folder)
    assert pids == {again.pid}
    assert again.already_running
    assert not again.new
    assert again.connection == connect_running(folder)
    assert again.connection.password not in repr(again)


def test_the_server_is_private(folder, running):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in (server.PASSWORD, server.ARGUMENTS, server.STATE):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    secret = running.connection.password
    assert len(secret) >= 24
    for name in ("cmdline", "environ"):
        assert secret.encode() not in Path(f"/proc/{running.pid}/{name}").read_bytes()
    holders = [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert holders == [folder / server.PASSWORD]


def test_it_listens_on_loopback_only(folder, running):
    state = json.loads((folder / server.STATE).read_text())
    found = listening(running.pid)
    assert {port for _, port in found} == {state["bolt"], state["http"]}
    # 127.0.0.1, as IPv4 and mapped into IPv6, in the kernel's byte order
    assert {address for address, _ in found} <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_status(folder, running):
    found = status(folder)
    assert found.pid == running.pid
    assert found.uri == running.connection.uri
    assert found.responding
    assert 0 < found.uptime < 600
    assert found.size > 10_000


def test_data_outlive_stop_and_kill(folder, running):
    ask(running.connection, "CREATE (:Kept {text: $text})", text="Größe 你好")
    assert stop(folder)
    assert not stop(folder)
    assert status(folder) is None
    again = start(folder)
    assert again.pid != running.pid
    assert not again.new
    assert again.connection == running.connection
    ask(again.connection, "UNWIND range(1, 2000) AS i CREATE (:Kept {i: i})")
    os.kill(again.pid, signal.SIGKILL)
    while status(folder):
        time.sleep(0.05)
    with pytest.raises(ServerError, match="no server is running"):
        connect_running(folder)
    last = start(folder)
    assert not last.already_running
    assert count(last.connection, "Kept") == 2001
    assert ask(last.connection, "MATCH (n:Kept) WHERE n.text IS NOT NULL RETURN n.text AS t")[0]["t"] == "Größe 你好"


def test_a_pid_or_a_state_from_before_misleads_nobody(folder, running):
    """The state names a process that lives but is another's, its ports are taken, and the password is lost."""
    stop(folder)
    state = json.loads((folder / server.STATE).read_text())
    (folder / server.STATE).write_text(json.dumps({**state, "pid": os.getpid()}))
    assert status(folder) is None
    assert not stop(folder)
    (folder / server.PASSWORD).unlink()
    with socket.create_server(("127.0.0.1", state["bolt"])):
        again = start(folder)
    assert again.connection.uri != running.connection.uri
    assert again.connection.password != running.connection.password
    assert count(again.connection, "Kept") == 2001


def test_the_log_says_why_a_server_did_not_start(tmp_path):
    folder = tmp_path / "graph"
    (folder / "databases").mkdir(parents=True)
    (folder / "databases" / "kg").write_text("not a folder")
    with pytest.raises(ServerError, match=r"ended while it started|does not answer"):
        start(folder, timeout=15)
    stop(folder)


def test_too_little_memory_is_said(tmp_path):
    with pytest.raises(ServerError, match="512m or 2g"):
        start(tmp_path, memory="lots")
    with pytest.raises(ServerError, match="ended while it started") as caught:
        start(tmp_path, memory="1k")
    assert "heap" in str(caught.value)


def test_folders_of_others_stay_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for refused in (start, wipe):
        with pytest.raises(ServerError, match="not a graph's folder"):
            refused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ServerError, match="give a new folder"):
        start(tmp_path / "thesis.txt")
    assert not stop(tmp_path / "missing")
    assert status(tmp_path / "missing") is None


def test_wipe_deletes_what_is_ours(folder, running):
    (folder / "note.txt").write_text("mine")
    wipe(folder)
    assert status(folder) is None
    with pytest.raises(ServiceUnavailable):
        ask(running.connection, "RETURN 1")
    assert [path.name for path in folder.iterdir()] == ["note.txt"]
    with pytest.raises(ServerError, match="nothing was deleted"):
        wipe(folder)
    (folder / "note.txt").unlink()
    fresh = start(folder)
    assert fresh.new
    assert count(fresh.connection, "Kept") == 0
